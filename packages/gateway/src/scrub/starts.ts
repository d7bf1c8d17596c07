// Where a match can begin at all: the first letters that a compiled pattern takes, for patterns that begin with a word. Looking
// for a match everywhere costs a start of the machine at every character; most characters begin no such word.

/** Instructions of re2js, as its Inst has them (after rsc.io/regexp/regexp2.html). */
const OP = { alt: 1, altMatch: 2, capture: 3, emptyWidth: 4, nop: 7, rune: 8, rune1: 9 } as const;
const WORD_BOUNDARY = 16;
const FOLD_CASE = 1;

interface Instruction {
  readonly op: number;
  readonly out: number;
  readonly arg: number;
  readonly runes: ArrayLike<number>;
  matchRune(rune: number): boolean;
}

export interface Program {
  readonly start: number;
  readonly inst: readonly Instruction[];
  readonly numLb: number;
}

/** Letters that are looked at of a word. */
const DEPTH = 3;
/** More ways to begin say too little. */
const MOST = 600;
const WIDE = 40;

export interface Starts {
  /** The next place from `from` on where a match may begin; -1: there is none. */
  next(text: string, from: number): number;
}

/** undefined: a match may begin anywhere. */
export function startsOf(program: Program): Starts | undefined {
  const { inst, numLb } = program;
  if (numLb > 0) return undefined;
  const first = skip(inst, program.start);
  const boundary = inst[first];
  if (boundary?.op !== OP.emptyWidth || boundary.arg !== WORD_BOUNDARY) return undefined;
  const prefixes = new Set<string>();
  if (!collect(inst, boundary.out, '', prefixes)) return undefined;
  const byFirst: (readonly string[] | undefined)[] = new Array(128);
  for (const prefix of prefixes) {
    if (!/^[a-z0-9_]/i.test(prefix)) return undefined;
    const code = prefix.charCodeAt(0);
    byFirst[code] = [...(byFirst[code] ?? []), prefix];
  }
  return {
    next: (text, from) => {
      for (let at = from; at < text.length; at += 1) {
        const some = byFirst[text.charCodeAt(at)];
        if (some === undefined || (at > 0 && isWordUnit(text.charCodeAt(at - 1)))) continue;
        for (const prefix of some) if (text.startsWith(prefix, at)) return at;
      }
      return -1;
    },
  };
}

/** Past what takes no character and says nothing. */
function skip(inst: readonly Instruction[], from: number): number {
  let pc = from;
  while (inst[pc]?.op === OP.capture || inst[pc]?.op === OP.nop) pc = inst[pc]?.out ?? 0;
  return pc;
}

/** Adds what may stand behind `before`; false: too much, or nothing that can be listed. */
function collect(inst: readonly Instruction[], from: number, before: string, prefixes: Set<string>): boolean {
  const next = new Map<string, Set<number>>();
  const seen = new Set<number>();
  const waiting = [from];
  let ends = false;
  for (let pc = waiting.pop(); pc !== undefined; pc = waiting.pop()) {
    if (seen.has(pc)) continue;
    seen.add(pc);
    const one = inst[pc];
    if (one === undefined) return false;
    if (one.op === OP.alt || one.op === OP.altMatch) waiting.push(one.arg, one.out);
    else if (one.op === OP.capture || one.op === OP.nop || one.op === OP.emptyWidth) waiting.push(one.out);
    else if (one.op === OP.rune || one.op === OP.rune1) {
      const chars = asciiOf(one);
      if (chars === undefined) ends = true;
      else for (const char of chars) next.set(char, (next.get(char) ?? new Set()).add(one.out));
    } else ends = true;
  }
  if (ends) {
    // Anything may stand here: what stands before it has to do.
    prefixes.add(before);
    return before !== '';
  }
  for (const [char, outs] of next) {
    for (const out of outs) {
      if (before.length + 1 === DEPTH) prefixes.add(before + char);
      else if (!collect(inst, out, before + char, prefixes)) return false;
      if (prefixes.size > MOST) return false;
    }
  }
  return true;
}

/** undefined: too many, or some that are not ASCII. */
function asciiOf(one: Instruction): string[] | undefined {
  const { runes, arg, op } = one;
  // Two letters beyond ASCII fold to `k` and `s`.
  if (op === OP.rune && (arg & FOLD_CASE) !== 0) return undefined;
  for (let at = 0; at < runes.length; at += 1) if ((runes[at] as number) > 0x7f) return undefined;
  const found: string[] = [];
  for (let code = 0; code < 0x80; code += 1) {
    if (op === OP.rune1 ? runes[0] === code : one.matchRune(code)) found.push(String.fromCharCode(code));
  }
  return found.length <= WIDE ? found : undefined;
}

function isWordUnit(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0x30 && code <= 0x39) || code === 0x5f
  );
}
