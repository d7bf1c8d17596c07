// Where a match can begin at all: the first characters that a compiled pattern takes, where they can be listed. Looking for a
// match everywhere costs a start of the machine at every character; most characters begin none.

/** Instructions of re2js, as its Inst has them (after rsc.io/regexp/regexp2.html). */
const OP = { alt: 1, altMatch: 2, capture: 3, emptyWidth: 4, nop: 7, rune: 8, rune1: 9 } as const;
const WORD_BOUNDARY = 16;
const FOLD_CASE = 1;

interface Instruction {
  readonly op: number;
  readonly out: number;
  readonly arg: number;
  readonly runes: ArrayLike<number>;
}

export interface Program {
  readonly start: number;
  readonly inst: readonly Instruction[];
  readonly numLb: number;
}

/** Characters that are looked at. */
const DEPTH = 3;
/** More ways to begin say too little. */
const MOST = 600;
const WIDE = 40;

export interface Starts {
  /** The next place from `from` on where a match may begin; -1: there is none. */
  next(text: string, from: number): number;
}

/** undefined: a match may begin anywhere. */
export function startsOf({ inst, start, numLb }: Program): Starts | undefined {
  if (numLb > 0) return undefined;
  const [anywhere, words] = [new Set<string>(), new Set<string>()];
  const ways = waysFrom(inst, start);
  if (ways === undefined) return undefined;
  for (const { pc, boundary } of ways) if (!collect(inst, pc, '', boundary ? words : anywhere)) return undefined;
  // Behind the border of a word such a match begins with a letter of it; and which of the two it is has to show.
  if ([...words].some((word) => !isWordUnit(word.charCodeAt(0)))) return undefined;
  if ([...words].some((word) => [...anywhere].some((one) => one.startsWith(word) || word.startsWith(one))))
    return undefined;
  const byFirst = new Map<number, { readonly prefix: string; readonly boundary: boolean }[]>();
  for (const [all, boundary] of [
    [anywhere, false],
    [words, true],
  ] as const) {
    for (const prefix of all) {
      const code = prefix.charCodeAt(0);
      byFirst.set(code, [...(byFirst.get(code) ?? []), { prefix, boundary }]);
    }
  }
  return {
    next: (text, from) => {
      for (let at = from; at < text.length; at += 1) {
        const some = byFirst.get(text.charCodeAt(at));
        if (some === undefined) continue;
        const inside = at > 0 && isWordUnit(text.charCodeAt(at - 1));
        for (const { prefix, boundary } of some) if (!(boundary && inside) && text.startsWith(prefix, at)) return at;
      }
      return -1;
    },
  };
}

interface Way {
  readonly pc: number;
  /** It begins where a word does. */
  readonly boundary: boolean;
}

/** What the program begins with, up to the first character; undefined: with something that depends on what stands before. */
function waysFrom(inst: readonly Instruction[], start: number): Way[] | undefined {
  const found: Way[] = [];
  const waiting: Way[] = [{ pc: start, boundary: false }];
  const seen = new Set<string>();
  for (let way = waiting.pop(); way; way = waiting.pop()) {
    const { pc, boundary } = way;
    const one = inst[pc];
    if (one === undefined) return undefined;
    if (seen.has(`${pc} ${boundary}`)) continue;
    seen.add(`${pc} ${boundary}`);
    if (one.op === OP.alt || one.op === OP.altMatch) waiting.push({ pc: one.arg, boundary }, { pc: one.out, boundary });
    else if (one.op === OP.capture || one.op === OP.nop) waiting.push({ pc: one.out, boundary });
    else if (one.op !== OP.emptyWidth) found.push(way);
    else if (one.arg === WORD_BOUNDARY) waiting.push({ pc: one.out, boundary: true });
    else return undefined;
  }
  return found;
}

/** Adds what may stand behind `before`; false: too much, or nothing that can be listed. */
function collect(inst: readonly Instruction[], from: number, before: string, prefixes: Set<string>): boolean {
  const next = new Map<string, Set<number>>();
  const seen = new Set<number>();
  const waiting = [from];
  let open = false;
  for (let pc = waiting.pop(); pc !== undefined; pc = waiting.pop()) {
    if (seen.has(pc)) continue;
    seen.add(pc);
    const one = inst[pc];
    if (one === undefined) return false;
    if (one.op === OP.alt || one.op === OP.altMatch) waiting.push(one.arg, one.out);
    else if (one.op === OP.capture || one.op === OP.nop || one.op === OP.emptyWidth) waiting.push(one.out);
    else {
      const chars = one.op === OP.rune || one.op === OP.rune1 ? charsOf(one) : undefined;
      if (chars === undefined) open = true;
      else for (const char of chars) next.set(char, (next.get(char) ?? new Set()).add(one.out));
    }
  }
  if (open) {
    // Anything may stand here: what stands before it has to do.
    prefixes.add(before);
    return before !== '';
  }
  for (const [char, outs] of next) {
    for (const out of outs) {
      if (before.length + char.length >= DEPTH) prefixes.add(before + char);
      else if (!collect(inst, out, before + char, prefixes)) return false;
      if (prefixes.size > MOST) return false;
    }
  }
  return true;
}

/** undefined: too many, or some that fold to what is not listed here. */
function charsOf({ runes, arg, op }: Instruction): string[] | undefined {
  // Two letters beyond ASCII fold to `k` and `s`.
  if (op === OP.rune && (arg & FOLD_CASE) !== 0) return undefined;
  if (runes.length === 1) return [String.fromCodePoint(runes[0] as number)];
  const found: string[] = [];
  for (let at = 0; at + 1 < runes.length; at += 2) {
    for (let rune = runes[at] as number; rune <= (runes[at + 1] as number); rune += 1) {
      if (found.length >= WIDE) return undefined;
      found.push(String.fromCodePoint(rune));
    }
  }
  return found;
}

function isWordUnit(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0x30 && code <= 0x39) || code === 0x5f
  );
}
