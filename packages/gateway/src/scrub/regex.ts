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

/** Throws an Error that says what RE2 does not take. */
export function compileRegex(source: string): LinearRegex {
  const compiled = RE2JS.compile(source);
  return {
    size: compiled.programSize(),
    test: (text) => compiled.test(text),
    each: (text, group, visit) => {
      // Saying no is several times cheaper than saying where.
      if (!compiled.test(text)) return false;
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
