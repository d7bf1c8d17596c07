// One of the values that the rule lists: the same type and the same value, nothing is converted.

import type { Scalar } from '@mcp-overlay/config';
import { type Matcher, type MatcherOptions, wrongType } from './matcher.ts';

export function enumMatcher(values: readonly Scalar[], { effect }: MatcherOptions): Matcher {
  const known = new Set<unknown>(values);
  const composed = new Set(values.map((value) => (typeof value === 'string' ? value.normalize('NFC') : value)));
  const expected = 'one of the listed values';
  return (value) => {
    if (typeof value === 'object' && value !== null) return wrongType(expected);
    if (known.has(value)) return undefined;
    // Written otherwise it is the same word to a reader: enough to refuse, not to allow.
    if (effect === 'deny' && typeof value === 'string' && composed.has(value.normalize('NFC'))) return undefined;
    return { expected };
  };
}
