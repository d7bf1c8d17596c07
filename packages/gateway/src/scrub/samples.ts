// Tests of patterns for secrets without anything in a file that looks like one: `{{[A-Za-z0-9]:36}}` stands for 36 characters
// of that set, the same ones every time.

const SAMPLE = /\{\{\[((?:[^\]{}\\]|\\.){1,64})\]:(\d{1,4})\}\}/g;
/** Numbers of a linear congruential generator (Numerical Recipes): no randomness is wanted, only variety. */
const FACTOR = 1_664_525;
const STEP = 1_013_904_223;

export function expandSamples(text: string): string {
  let seed = 2_463_534_242;
  return text.replace(SAMPLE, (_, set: string, count: string) => {
    const characters = membersOf(set);
    let sample = '';
    for (let at = 0; at < Number(count); at += 1) {
      seed = (Math.imul(seed, FACTOR) + STEP) >>> 0;
      sample += characters[(seed >>> 8) % characters.length] ?? '';
    }
    return sample;
  });
}

/** ASCII characters of a class as regular expressions write it. */
function membersOf(set: string): string[] {
  const member = new RegExp(`[${set}]`);
  return Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at)).filter((char) => member.test(char));
}
