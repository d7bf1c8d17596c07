// All rules in force and what finds their literals: made once from the pattern files, used by every text. Only rules that
// somebody could hear of are in it, so a rule that is off costs nothing.

import { BUILTIN_RULES } from './builtin.ts';
import { DISGUISED } from './disguise.ts';
import { type QuietWords, quietWords } from './glance.ts';
import { LiteralFinder } from './literals.ts';
import { type Mode, Pattern, type PatternSpec, type RuleInfo } from './pattern.ts';
import { foldLiteral, isAscii } from './shadow.ts';

/** Which patterns a literal belongs to, and to which of their two lists. */
export interface LiteralUse {
  readonly pattern: number;
  readonly list: 'literals' | 'also';
}

export interface Finder {
  readonly finder: LiteralFinder;
  /** By literal. */
  readonly uses: readonly (readonly LiteralUse[])[];
}

export class Rulebook {
  readonly patterns: readonly Pattern[];
  readonly rules: ReadonlyMap<string, RuleInfo>;
  /** Literals of ASCII characters: every text is searched for them. */
  readonly ascii: Finder;
  /** All others: only texts that are not ASCII. */
  readonly wide: Finder;
  /** What raw bytes are searched for, before anything is parsed; by literal, the patterns it stands for. */
  readonly bytes: Finder;
  /** Of those, by literal: 1 where it counts only as a word, as ./scan.ts has it. */
  readonly byteWords: Uint8Array;
  private quietMade: QuietWords | undefined;
  /** Of those: the ones that need a look at the texts whatever pattern they belong to. */
  readonly always: ReadonlySet<number>;

  constructor(specs: readonly PatternSpec[], isOff: (rule: RuleInfo) => boolean) {
    const kept = specs.filter((spec) => !isOff(spec));
    this.patterns = kept.map((spec) => new Pattern(spec));
    this.rules = new Map([...BUILTIN_RULES, ...kept].map((rule) => [rule.id, rule]));
    this.ascii = finderOf(kept, (literal) => (isAscii(literal) ? literal : undefined));
    this.wide = finderOf(kept, (literal) => (isAscii(literal) ? undefined : literal));
    this.bytes = finderOf(kept, inBytes, TELLING_LITERALS);
    const anywhere = new Set([...TELLING_LITERALS, ...kept.flatMap(literalsAnywhere)]);
    const words = this.bytes.finder.literals.map((literal) => (anywhere.has(literal) ? 0 : 1));
    this.byteWords = Uint8Array.from(words);
    this.always = new Set(TELLING_LITERALS.map((literal) => this.bytes.finder.literals.indexOf(literal)));
  }

  /** Words of the protocol that no pattern finds where they stand alone. */
  get quiet(): QuietWords {
    this.quietMade ??= quietWords(PROTOCOL.filter((word) => !this.isFound(word)));
    return this.quietMade;
  }

  private isFound(word: string): boolean {
    const around = new Set<number>();
    for (const { finder, uses } of [this.ascii, this.bytes]) {
      finder.eachIn(word, (literal) => {
        for (const { pattern } of uses[literal] ?? []) around.add(pattern);
      });
    }
    return [...around].some((pattern) => this.patterns[pattern]?.regex.test(word) === true);
  }

  modeOf(rule: string): Mode {
    return this.rules.get(rule)?.mode ?? 'flag';
  }
}

/** What stands in quotes in every answer. */
const PROTOCOL = [
  'jsonrpc',
  'id',
  'result',
  'content',
  'type',
  'text',
  'isError',
  'structuredContent',
  '_meta',
  'error',
  'code',
  'message',
  'resultType',
  'complete',
  'method',
  'params',
];

/** Where a link may stand (./links.ts), as bytes of JSON. */
const LINK_LITERALS = ['](', ']:', 'src', 'href', 'action', 'poster', 'background', 'url(', '%', '&#', '&amp', '&lt'];
const TELLING_LITERALS = [...LINK_LITERALS, ...DISGUISED];

function finderOf(
  specs: readonly PatternSpec[],
  shown: (literal: string) => string | undefined,
  others: readonly string[] = [],
): Finder {
  const uses = new Map<string, LiteralUse[]>();
  specs.forEach((spec, pattern) => {
    for (const list of ['literals', 'also'] as const) {
      for (const literal of spec[list]) {
        const text = shown(longestWord(spec.view === 'raw' ? literal : foldLiteral(literal)));
        if (text === undefined) continue;
        const known = uses.get(text) ?? [];
        if (!known.some((use) => use.pattern === pattern && use.list === list)) known.push({ pattern, list });
        uses.set(text, known);
      }
    }
  });
  for (const literal of others) if (!uses.has(literal)) uses.set(literal, []);
  return { finder: new LiteralFinder([...uses.keys()]), uses: [...uses.values()] };
}

/** Blanks in a text may be anything that is folded to one. */
function longestWord(literal: string): string {
  const [longest = literal] = literal.split(/\s+/).sort((a, b) => b.length - a.length);
  return longest;
}

/** What bytes are searched for of a pattern, where it does not have to be a word: of raw patterns, and parts of words. */
function literalsAnywhere({ literals, also, view }: PatternSpec): string[] {
  return [...literals, ...also].flatMap((literal) => {
    const whole = longestWord(view === 'raw' ? literal : foldLiteral(literal));
    const part = inBytes(whole);
    return part === undefined || (view !== 'raw' && part === whole) ? [] : [part];
  });
}

/** The longest part of a literal that JSON writes as it is. What is not ASCII is looked for in the text itself. */
function inBytes(literal: string): string | undefined {
  if (!isAscii(literal)) return undefined;
  const [longest = ''] = literal.split(/["\\\x00-\x1f\x7f]/).sort((a, b) => b.length - a.length);
  return longest === '' ? undefined : longest;
}
