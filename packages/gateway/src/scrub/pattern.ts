// What a rule of scrubbing is: a pattern of a YAML file, made ready to run, or one of the checks that are code
// (./builtin.ts). A pattern looks only around its literals, so a text without them costs it nothing.

import { checkOf, type ValueCheck } from './checks.ts';
import { SCRUB_LIMITS } from './limits.ts';
import { compileRegex, type LinearRegex } from './regex.ts';

export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const MODES = ['off', 'flag', 'redact', 'block', 'wrap'] as const;
export type Mode = (typeof MODES)[number];

/** Where a text stands. What a client sends is `arguments`, all else comes from a server. */
export const SURFACES = [
  'text',
  'structured',
  'resource',
  'link',
  'error',
  'prompt',
  'description',
  'instructions',
  'name',
  'log',
  'elicitation',
  'sampling',
  'arguments',
] as const;
export type Surface = (typeof SURFACES)[number];

/** How a pattern sees a text. `words`: folded (./shadow.ts), blanks and emphasis one space; `text`: folded, only blanks;
 *  `raw`: as it is, for what depends on case. */
export const VIEWS = ['words', 'text', 'raw'] as const;
export type View = (typeof VIEWS)[number];

export interface RuleInfo {
  readonly id: string;
  readonly description: string;
  readonly severity: Severity;
  /** Absent: everything that comes from servers, and arguments where they are looked at. */
  readonly surfaces?: readonly Surface[];
  /** What happens where nothing else is configured. */
  readonly mode: Mode;
}

/** As it stands in a file. */
export interface PatternSpec extends RuleInfo {
  readonly view: View;
  readonly re2: string;
  /** One of these must occur (lower case), at the beginning of a word if it begins with an ASCII letter, as a word of its
   *  own if it has no more than three of them; `raw`: anywhere … */
  readonly literals: readonly string[];
  /** … and one of these, where there are some. */
  readonly also: readonly string[];
  readonly reach: number;
  /** What of a match counts; 0: all. */
  readonly group: number;
  /** Shannon bits a character that it must have. */
  readonly entropy: number;
  readonly check?: string;
  /** RE2: a match in which one of these is found is none. */
  readonly except: readonly string[];
  readonly tests: { readonly hit: readonly string[]; readonly miss: readonly string[] };
}

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
