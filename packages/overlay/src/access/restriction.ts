// What a token may be used for: how a restriction is read from a stranger's block, and whether a request passes all that
// its caller carries. Invariant: one more restriction never lets more through, and what is not understood lets nothing.

import { OverlayError } from '../errors.ts';
import { ACCESS_LIMITS } from '../limits.ts';
import type { Principal, Restriction } from '../proof/principal.ts';
import { globMatches, globRefusal } from './glob.ts';

/** What a request is for: a tool, prompt or resource (by its URI) of a backend; a task that a tool began; any other method. */
export type RestrictedKind = 'tool' | 'prompt' | 'resource' | 'task' | 'method';

const PATTERNS = ['backends', 'tools', 'prompts', 'resources'] as const;
const MEMBERS: ReadonlySet<string> = new Set([...PATTERNS, 'roles']);
/** As `roles:` of the configuration names them. */
const ROLE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** Whether nothing that this caller's token says stands against it. Roles are for whoever knows them: they are not looked at. */
export function restrictionsAllow(
  { restrictions = [] }: Pick<Principal, 'restrictions'>,
  backend: string,
  kind: RestrictedKind,
  name: string,
): boolean {
  return restrictions.every((restriction) => allows(restriction, backend, kind, name));
}

function allows(restriction: Restriction, backend: string, kind: RestrictedKind, name: string): boolean {
  const { backends, tools, prompts, resources } = restriction;
  if (backends && !matched(backends, backend)) return false;
  // Whoever says which tools, says nothing of prompts: then there are none.
  if (!tools && !prompts && !resources) return true;
  switch (kind) {
    case 'tool':
      return tools !== undefined && matched(tools, name);
    case 'prompt':
      return prompts !== undefined && matched(prompts, name);
    case 'resource':
      return resources !== undefined && matched(resources, name);
    case 'task':
      // It was begun by a call that passed; where no tool may be called nobody has one.
      return tools !== undefined && tools.length > 0;
    default:
      return false;
  }
}

/** Of these roles those that no restriction takes away. */
export function rolesWithin(
  roles: readonly string[],
  { restrictions = [] }: Pick<Principal, 'restrictions'>,
): readonly string[] {
  return roles.filter((role) => restrictions.every((one) => one.roles === undefined || one.roles.includes(role)));
}

/** Throws `access_restriction_unknown`, `access_malformed`, `access_too_large`. */
export function readRestriction(value: unknown): Restriction {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('a restriction is no object');
  for (const [member, list] of Object.entries(value)) {
    if (!MEMBERS.has(member)) throw unknownRestriction(member);
    checkList(member, list);
  }
  return value;
}

function checkList(member: string, list: unknown): asserts list is readonly string[] {
  if (!Array.isArray(list)) throw malformed(`${member} is no list`);
  const { listEntries, patternChars } = ACCESS_LIMITS;
  if (list.length > listEntries)
    throw tooLarge(`${member} has ${list.length} entries, at most ${listEntries} are read`);
  for (const entry of list) {
    if (typeof entry !== 'string') throw malformed(`${member} holds something that is no text`);
    if (entry.length > patternChars) throw tooLarge(`an entry of ${member} has more than ${patternChars} characters`);
    const refused = member === 'roles' ? roleRefusal(entry) : globRefusal(entry);
    if (refused !== undefined) throw malformed(`${member}: ${refused}`);
  }
}

export function roleRefusal(role: string): string | undefined {
  return ROLE.test(role) ? undefined : 'a role is 1 to 64 letters, digits, ., _ or -';
}

function matched(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => globMatches(pattern, text));
}

/** `member`: a stranger's word, shown only where it is one. */
export function unknownRestriction(member: string): OverlayError {
  const shown = /^[A-Za-z0-9_]{1,40}$/.test(member) ? ` (${member})` : '';
  return new OverlayError(
    'access_restriction_unknown',
    `the access token restricts what this version does not know${shown}`,
    {
      hint: 'what cannot be kept is not granted: update this program',
    },
  );
}

export function malformed(why: string): OverlayError {
  return new OverlayError('access_malformed', `the access token cannot be read: ${why}`, {
    hint: 'take it whole, as it was printed: one line that begins with mcpa1_',
  });
}

export function tooLarge(why: string): OverlayError {
  return new OverlayError('access_too_large', `the access token is too large: ${why}`);
}
