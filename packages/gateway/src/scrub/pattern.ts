// What a rule of scrubbing is: a pattern of a YAML file, made ready to run, or one of the checks that are code
// (./builtin.ts). A pattern looks only around its literals, so a text without them costs it nothing.

import type { PatternEntry, ScrubMode, ScrubSurface } from '@mcp-overlay/config';
import { checkOf, type ValueCheck } from './checks.ts';
import { SCRUB_LIMITS } from './limits.ts';
import { compileRegex, type LinearRegex } from './regex.ts';

export type Mode = ScrubMode;
export type Surface = ScrubSurface;
export type View = PatternEntry['view'];

/** Of a pattern, or of a check that is code. */
export type RuleInfo = Pick<PatternEntry, 'id' | 'description' | 'severity' | 'surfaces' | 'mode'>;

/** As it stands in a file, wherever that is. */
export type PatternSpec = Omit<PatternEntry, 'spot'>;

export class Pattern {
  readonly spec: PatternSpec;
  private compiled: LinearRegex | undefined;
  private exceptions: readonly LinearRegex[] | undefined;
  private readonly check: ValueCheck | undefined;

  constructor(spec: PatternSpec) {
    this.spec = spec;
    this.check = spec.check === undefined ? undefined : checkOf(spec.check);
  }

  /** Compiled when it is first needed: most patterns never are. Throws where RE2 does not take it. */
  get regex(): LinearRegex {
    this.compiled ??= compileRegex(this.spec.re2);
    return this.compiled;
  }

  /** Matches in a piece of text that is already seen as this pattern wants it; false: there are none. */
  eachMatch(piece: string, visit: (start: number, end: number) => void): boolean {
    const { group, entropy } = this.spec;
    return this.regex.each(piece, group, (start, end) => {
      if (entropy > 0 || this.check || this.spec.except.length > 0) {
        const value = piece.slice(start, end);
        if (entropy > 0 && entropyOf(value) < entropy) return;
        if (this.check && !this.check(value)) return;
        if (this.excepted(value)) return;
      }
      visit(start, end);
    });
  }

  private excepted(value: string): boolean {
    this.exceptions ??= this.spec.except.map(compileRegex);
    return this.exceptions.some((regex) => regex.test(value));
  }
}

/** What is wrong with it, for the operator; undefined: nothing. */
export function patternProblem(spec: PatternSpec): string | undefined {
  const { re2, except, literals, also, tests, check, reach } = spec;
  for (const source of [re2, ...except]) {
    if (Buffer.byteLength(source) > SCRUB_LIMITS.patternBytes) return `longer than ${SCRUB_LIMITS.patternBytes} bytes`;
    try {
      const { size } = compileRegex(source);
      if (size > SCRUB_LIMITS.programSize) return `compiles to ${size} steps, at most ${SCRUB_LIMITS.programSize}`;
    } catch (error) {
      return `not in RE2: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  if (check !== undefined && !checkOf(check)) return `check ${check} does not exist`;
  if (reach < 1 || reach > SCRUB_LIMITS.maxReachChars) return `reach must be 1 to ${SCRUB_LIMITS.maxReachChars}`;
  const wrong = [...literals, ...also].find((literal) => literal === '' || literal !== literal.toLowerCase());
  if (literals.length === 0) return 'needs literals: words of which one is in every match';
  if (wrong !== undefined) return `literal ${JSON.stringify(wrong)} must be lower case and not empty`;
  if (tests.hit.length === 0 || tests.miss.length === 0) return 'needs tests: hit and miss, at least one of each';
  return undefined;
}

/** Shannon bits a character. */
export function entropyOf(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
