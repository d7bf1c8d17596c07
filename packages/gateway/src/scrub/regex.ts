// The door to re2js: patterns that run in time linear to the text, whatever the two are. What RE2 does not have
// (look-around, back-references) does not compile, and so cannot be configured.
// A pattern that counts (`[^.]{0,40}`) needs a state of its machine for every count at once, and makes new ones with every
// text. So a text is first shown to the same pattern with its counts left out: it lets through whatever the pattern does and
// little else, and its machine is small. Only where that says yes, the pattern itself is run, and says where.

import { type Matcher, RE2JS } from 're2js';
import { type Program, type Starts, startsOf } from './starts.ts';

export interface LinearRegex {
  /** Instructions it compiled to. */
  readonly size: number;
  /**
   * Every match, from left to right; of `group`, where it took part, else of the whole. false: there are none, and that was
   * cheap to say.
   */
  each(text: string, group: number, visit: (start: number, end: number) => void): boolean;
  test(text: string): boolean;
}

/** What one pattern may remember of the texts it saw. The package's own bound is 8 MiB, which hundreds of patterns and a
 *  text that is made for it would fill; what does not fit is found out again. */
const REMEMBERED_BYTES = 256 * 1024;

/** Throws an Error that says what RE2 does not take. */
export function compileRegex(source: string): LinearRegex {
  const compiled = RE2JS.compile(source);
  const counts = withoutCounts(source);
  const first = counts === source ? compiled : compileOr(counts, compiled);
  let bounded = false;
  let starts: { readonly of: Starts | undefined } | undefined;
  const mayMatch = (text: string): boolean => {
    if (!bounded) bound(first);
    bounded = true;
    return first.test(text);
  };
  return {
    size: compiled.programSize(),
    test: (text) => mayMatch(text) && (first === compiled || compiled.matcher(text).find()),
    each: (text, group, visit) => {
      // Saying no is several times cheaper than saying where.
      if (!mayMatch(text)) return false;
      starts ??= { of: startsOf(compiled.re2().prog as Program) };
      if (starts.of) eachFrom(compiled, starts.of, text, group, visit);
      else eachAnywhere(compiled, text, group, visit);
      return true;
    },
  };
}

type Visit = (start: number, end: number) => void;

function eachAnywhere(compiled: RE2JS, text: string, group: number, visit: Visit, from = 0): void {
  const matcher = compiled.matcher(text);
  for (let found = matcher.find(from); found; found = matcher.find()) tell(matcher, group, 0, visit);
}

/** A text in which so many places begin a match and none goes on is made for it, and looked at in one go. */
const MISSES = 64;

/** The same matches: the first place that has one is the leftmost. */
function eachFrom(compiled: RE2JS, starts: Starts, text: string, group: number, visit: Visit): void {
  let missed = 0;
  for (let at = starts.next(text, 0); at >= 0; ) {
    if (missed > MISSES) {
      eachAnywhere(compiled, text, group, visit, at);
      return;
    }
    const matcher = compiled.matcher(text.slice(at));
    const matched = matcher.lookingAt();
    if (matched) tell(matcher, group, at, visit);
    else missed += 1;
    at = starts.next(text, at + (matched ? Math.max(1, matcher.end()) : 1));
  }
}

function tell(matcher: Matcher, group: number, at: number, visit: Visit): void {
  const inner = group > 0 ? matcher.start(group) : -1;
  if (inner >= 0) visit(at + inner, at + matcher.end(group));
  else if (matcher.end() > matcher.start()) visit(at + matcher.start(), at + matcher.end());
}

/** Before its first text: the machine is made when it is asked for. */
function bound(compiled: RE2JS): void {
  const { dfa } = compiled.re2();
  dfa.stateBudget = Math.min(dfa.stateBudget, REMEMBERED_BYTES);
  dfa.memBudget = dfa.stateBudget;
}

/** Escapes, a class with what is in it, or a count. */
const COUNT = /\\[pPx]\{[^}]*\}|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\[\s\S]|[^\]\\])*\]|\{(\d+)(?:(,)(\d*))?\}/gs;
/** Small ones cost little, and say more. */
const SMALL = 3;

/** A pattern that matches wherever this one does: `{0,40}` becomes `*`, `{2,9}` becomes `+`. */
export function withoutCounts(source: string): string {
  if (source.includes('\\Q')) return source;
  return source.replace(COUNT, (found, from?: string, comma?: string, to?: string) => {
    if (from === undefined) return found;
    const most =
      comma === undefined ? Number(from) : to === '' || to === undefined ? Number.POSITIVE_INFINITY : Number(to);
    if (most <= SMALL) return found;
    return Number(from) === 0 ? '*' : '+';
  });
}

function compileOr(source: string, other: RE2JS): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch {
    return other;
  }
}
