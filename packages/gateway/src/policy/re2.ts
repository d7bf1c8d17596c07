// The door to re2js: patterns in linear time, and a refusal at load of what is not in RE2 (look-around, back-references).

import type { RE2JS } from 're2js';

/** A pattern with more than this was not written by a person; the compiled program is many times as large. */
export const MAX_PATTERN_CHARS = 1024;

export interface Pattern {
  /** The whole text. */
  whole(text: string): boolean;
  /** Anywhere in it. */
  within(text: string): boolean;
}

export interface Patterns {
  /** Throws a SyntaxError that says what is wrong. `dotAll`: a dot is a line's end too. */
  compile(pattern: string, options?: { readonly dotAll?: boolean }): Pattern;
}

export async function loadPatterns(): Promise<Patterns> {
  const { RE2JS } = await import('re2js');
  return {
    compile: (pattern, { dotAll = false } = {}) => {
      if (pattern.length > MAX_PATTERN_CHARS) throw new SyntaxError(`more than ${MAX_PATTERN_CHARS} characters`);
      let compiled: RE2JS;
      try {
        compiled = RE2JS.compile(pattern, dotAll ? RE2JS.DOTALL : 0);
      } catch (error) {
        throw new SyntaxError(error instanceof Error ? error.message : String(error));
      }
      return {
        whole: (text) => compiled.testExact(text),
        within: (text) => compiled.test(text),
      };
    },
  };
}
