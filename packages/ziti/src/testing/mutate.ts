// FOR TESTS ONLY: mutations of valid inputs, for so long (ZITI_FUZZ_MS, default 300) or so many (ZITI_FUZZ_INPUTS): a parser
// either gives a value or throws one of the errors it promises, in time that does not explode. ZITI_FUZZ_SEED repeats a run.

import assert from 'node:assert/strict';

const BUDGET_MS = Number(process.env.ZITI_FUZZ_MS ?? 300);
/** One input takes far below a millisecond; this allows for a busy machine and a collection of garbage. */
const SLOW_MS = 1000;

export interface Tally {
  readonly seed: number;
  ms: number;
  accepted: number;
  refused: number;
}

/** `parse` must throw only what `isExpected` accepts. */
export function mutate(
  seeds: readonly Uint8Array[],
  parse: (input: Buffer) => unknown,
  isExpected: (error: unknown) => boolean,
): Tally {
  const seed = Number(process.env.ZITI_FUZZ_SEED ?? Date.now() % 2 ** 32);
  const inputs = Number(process.env.ZITI_FUZZ_INPUTS ?? Number.POSITIVE_INFINITY);
  const tally: Tally = { seed, ms: 0, accepted: 0, refused: 0 };
  const random = generator(seed);
  const began = performance.now();
  const isOver = (): boolean =>
    inputs < Number.POSITIVE_INFINITY ? tally.accepted + tally.refused >= inputs : tally.ms >= BUDGET_MS;
  for (let begin = began; !isOver(); begin = performance.now()) {
    tally.ms = begin - began;
    const input = mutation(seeds, random);
    try {
      parse(input);
      tally.accepted += 1;
    } catch (error) {
      if (!isExpected(error)) {
        throw new Error(`ZITI_FUZZ_SEED=${seed}, input ${input.toString('base64').slice(0, 4000)}`, { cause: error });
      }
      tally.refused += 1;
    }
    if (performance.now() - begin < SLOW_MS) continue;
    // A machine that was busy elsewhere is not so a second time.
    assert.ok(
      timeOf(parse, input) < SLOW_MS,
      `slow (ZITI_FUZZ_SEED=${seed}): ${input.toString('base64').slice(0, 4000)}`,
    );
  }
  return tally;
}

function timeOf(parse: (input: Buffer) => unknown, input: Buffer): number {
  const begin = performance.now();
  try {
    parse(input);
  } catch {
    // Only its time is asked for.
  }
  return performance.now() - begin;
}

function mutation(seeds: readonly Uint8Array[], random: (below: number) => number): Buffer {
  let bytes = Buffer.from(seeds[random(seeds.length)] ?? []);
  for (let times = 1 + random(4); times > 0; times -= 1) {
    const at = random(bytes.length + 1);
    const other = Buffer.from(seeds[random(seeds.length)] ?? []);
    switch (random(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      case 1:
        if (at < bytes.length) bytes[at] = [0, 1, 0x7f, 0x80, 0x82, 0x84, 0xff, 0x30, 0xa0][random(9)] ?? 0;
        break;
      case 2:
        bytes = bytes.subarray(0, at);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + random(16)))]);
        break;
      case 4:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          other.subarray(random(other.length + 1)).subarray(0, 64),
          bytes.subarray(at),
        ]);
        break;
      case 5:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.alloc(random(300), bytes[at] ?? 0x30),
          bytes.subarray(at),
        ]);
        break;
      default:
        bytes = Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]);
    }
  }
  return bytes;
}

/** xorshift32 */
function generator(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
