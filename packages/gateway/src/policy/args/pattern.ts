// A regular expression of RE2. What an allowance lets through must fit as a whole; a refusal takes a fit anywhere, over line
// ends, and in the composed form of the text.

import type { Pattern, Patterns } from '../re2.ts';
import { type Matcher, type MatcherOptions, ofText } from './matcher.ts';

export function compilePattern(patterns: Patterns, pattern: string, { effect }: MatcherOptions): Pattern {
  return patterns.compile(pattern, { dotAll: effect === 'deny' });
}

export function patternMatcher(pattern: Pattern, { effect }: MatcherOptions): Matcher {
  const expected = 'a text that fits the pattern';
  const fits = (text: string): boolean =>
    effect === 'allow' ? pattern.whole(text) : pattern.within(text) || pattern.within(text.normalize('NFC'));
  return ofText(expected, (text) => (fits(text) ? undefined : { expected }));
}
