// The door to re2js: patterns that run in time linear to the text, whatever the two are. What RE2 does not have
// (look-around, back-references) does not compile, and so cannot be configured.

import { RE2JS } from 're2js';

export interface LinearRegex {
  /** Instructions it compiled to. */
  readonly size: number;
  /** Every match, from left to right; of `group`, where it took part, else of the whole. false: none. */
  each(text: string, group: number, visit: (start: number, end: number) => void): boolean;
  test(text: string): boolean;
}

/** What one pattern may remember of the texts it saw. The package's own bound is 8 MiB, which hundreds of patterns and a
 *  text that is made for it would fill; what does not fit is found out again. */
const REMEMBERED_BYTES = 256 * 1024;

/** Throws an Error that says what RE2 does not take. */
export function compileRegex(source: string): LinearRegex {
  const compiled = RE2JS.compile(source);
  let bounded = false;
  const test = (text: string): boolean => {
    if (!bounded) bound(compiled);
    bounded = true;
    return compiled.test(text);
  };
  return {
    size: compiled.programSize(),
    test,
    each: (text, group, visit) => {
      // Saying no is several times cheaper than saying where.
      if (!test(text)) return false;
      const matcher = compiled.matcher(text);
      while (matcher.find()) {
        const inner = group > 0 ? matcher.start(group) : -1;
        if (inner >= 0) visit(inner, matcher.end(group));
        else if (matcher.end() > matcher.start()) visit(matcher.start(), matcher.end());
      }
      return true;
    },
  };
}

/** Before its first text: the machine is made when it is asked for. */
function bound(compiled: RE2JS): void {
  const { dfa } = compiled.re2();
  dfa.stateBudget = Math.min(dfa.stateBudget, REMEMBERED_BYTES);
  dfa.memBudget = dfa.stateBudget;
}
