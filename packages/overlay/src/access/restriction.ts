// What a token may be used for, as a stranger's block says it: read here, kept by whoever judges requests. Invariant: what
// is not understood is refused, for it may forbid something.

import { OverlayError } from '../errors.ts';
import { ACCESS_LIMITS } from '../limits.ts';
import type { Restriction } from '../proof/principal.ts';

const PATTERNS = ['backends', 'tools', 'prompts', 'resources'] as const;
const MEMBERS: ReadonlySet<string> = new Set([...PATTERNS, 'roles']);
/** As `roles:` of the configuration names them. */
const ROLE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

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

/** Patterns are those of the configuration without sets: `*` any characters, `?` one, `\\` takes the next as it is. */
function globRefusal(pattern: string): string | undefined {
  if (pattern === '') return 'an empty pattern matches nothing';
  const plain = pattern.replace(/\\./gsu, '');
  if (plain.includes('\\')) return 'nothing follows the last \\';
  return /[[\]]/.test(plain) ? 'a pattern of a token has no sets; \\[ is the character' : undefined;
}

export function roleRefusal(role: string): string | undefined {
  return ROLE.test(role) ? undefined : 'a role is 1 to 64 letters, digits, ., _ or -';
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
