// The contract of argument matchers: one small file for each kind. A matcher looks at one value and says nothing where it
// fits. Values are as the backend will get them; numbers that a double cannot carry fit nothing (T36).

import { RawJson } from '@mcp-overlay/relay';

/** Who calls, as far as arguments may depend on it. */
export interface Caller {
  readonly id: string;
  /** As `identities` calls it; undefined: nobody vouches for a name. */
  readonly name: string | undefined;
}

export interface Misfit {
  /** For the operator: what it should be. Never a value of the call. */
  readonly expected: string;
  /** It could not be judged: of the wrong type, or written in a way that can be read in several. A refusal takes it as fitting. */
  readonly broken?: true;
  /** Names of members that lead to it, from the argument on. */
  readonly at?: readonly string[];
}

export type Matcher = (value: unknown, caller: Caller) => Misfit | undefined;

export interface MatcherOptions {
  /** An allowance judges the whole value narrowly; a refusal anything that could be read as what it names. */
  readonly effect: 'allow' | 'deny';
}

/** Wraps a matcher of texts. */
export function ofText(expected: string, judge: (text: string, caller: Caller) => Misfit | undefined): Matcher {
  return (value, caller) => (typeof value === 'string' ? judge(value, caller) : wrongType(expected));
}

export function wrongType(expected: string): Misfit {
  return { expected, broken: true };
}

/** Whether a number in it would reach the backend otherwise than it was judged. */
export function holdsRaw(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (value instanceof RawJson) return true;
  return Object.values(value).some(holdsRaw);
}
