// The caller itself: its id, or the name that the operator gave it. A name that somebody claims is never taken.

import type { Caller, Matcher } from './matcher.ts';
import { ofText } from './matcher.ts';

export function constFromMatcher(from: 'identity.id' | 'identity.name'): Matcher {
  const expected = from === 'identity.id' ? "the caller's id" : "the caller's name in identities";
  const wanted = ({ id, name }: Caller): string | undefined => (from === 'identity.id' ? id : name);
  return ofText(expected, (text, caller) => (text === wanted(caller) ? undefined : { expected }));
}
