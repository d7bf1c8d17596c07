// Texts that are written in other letters, each for one: rot13, and digits for the letters that they look like. Nobody reads
// such a text by chance, so it is read only where one of the words that attacks are made of stands in it like that; then the
// whole of it is, and what is found counts where it is not in the text as it stands.

import { LiteralFinder } from './literals.ts';

export type Disguise = 'rot13' | 'leet';

/** Stems that instructions, and orders to drop them, do not do without. */
const STEMS = [
  'ignor',
  'disregar',
  'instruc',
  'previou',
  'system',
  'prompt',
  'passwor',
  'credenti',
  'confiden',
  'jailbrea',
  'unrestric',
];
const LEET: Readonly<Record<string, string>> = { a: '4@', e: '3', i: '1!', o: '0', s: '5$', t: '7' };
const PLAIN = new Map(Object.entries(LEET).flatMap(([letter, all]) => [...all].map((one) => [one, letter] as const)));
const LEET_CHARS = /[4@31!05$7]/g;

function rotated(text: string): string {
  return text.replace(/[a-z]/gi, (char) => {
    const code = char.charCodeAt(0);
    const base = code & 0x60;
    return String.fromCharCode(base + (((code - base - 1 + 13) % 26) + 1));
  });
}

/** Letters for digits in words that have both: `1gn0r3`; `2024` and `v3` stay. */
function unleeted(text: string): string {
  return text.replace(/[A-Za-z0-9@$!]+/g, (word) =>
    /[A-Za-z]/.test(word) ? word.replace(LEET_CHARS, (char) => PLAIN.get(char) ?? char) : word,
  );
}

/** Every way to write a stem with at least one digit for a letter. */
function leetOf(stem: string): string[] {
  let all = [''];
  for (const letter of stem) all = all.flatMap((begun) => [letter, ...(LEET[letter] ?? '')].map((one) => begun + one));
  return all.filter((one) => one !== stem);
}

const ROT13_STEMS = STEMS.map(rotated);
/** By these a message is known to need a look, and a text one in disguise. */
export const DISGUISED: readonly string[] = [...ROT13_STEMS, ...STEMS.flatMap(leetOf)];
const finder = new LiteralFinder(DISGUISED);

/** The text as it is meant, character for character; none in most texts. */
export function undisguised(text: string): readonly { readonly how: Disguise; readonly text: string }[] {
  let [rot13, leet] = [false, false];
  finder.eachIn(text, (literal) => {
    if (literal < ROT13_STEMS.length) rot13 = true;
    else leet = true;
  });
  return [
    ...(rot13 ? [{ how: 'rot13' as const, text: rotated(text) }] : []),
    ...(leet ? [{ how: 'leet' as const, text: unleeted(text) }] : []),
  ];
}
