// Who has which roles. Proofs are matched, claims never: an unproven caller is `unproven`, whatever it calls itself. Roles that
// a token carries take the place of the configured ones.

import type { IdentityConfig } from '@mcp-overlay/config';
import { idsOf, OWNER, type Principal, UNPROVEN } from '@mcp-overlay/overlay';

export interface Membership {
  /** Configured ones, in the order of the file. */
  readonly roles: readonly string[];
  /** The nickname that the operator gave it. */
  readonly name: string | undefined;
}

export interface RoleBook {
  of(principal: Principal): Membership;
}

/** `handRole`: given by hand, with `peers allow --role`. */
export function roleBook(
  identities: readonly IdentityConfig[],
  known: readonly string[],
  handRole: (id: string) => string | undefined,
): RoleBook {
  const bySubject = new Map<string, IdentityConfig[]>();
  for (const identity of identities) {
    for (const subject of identity.is) bySubject.set(subject, [...(bySubject.get(subject) ?? []), identity]);
  }
  const membership = (principal: Principal, hands: readonly string[]): Membership => {
    const found = new Set(subjectsOf(principal).flatMap((subject) => bySubject.get(subject) ?? []));
    const name = [...found].find(({ is, name }) => !is.includes(name) && is.includes(principal.id))?.name;
    const wanted = new Set(principal.roles ?? [...[...found].flatMap(({ roles }) => roles), ...hands]);
    return { roles: known.filter((role) => wanted.has(role)), name };
  };
  // A principal is one object as long as its session lives; only roles given by hand change meanwhile.
  const remembered = new WeakMap<Principal, { readonly hands: string; readonly member: Membership }>();
  return {
    of: (principal) => {
      const hands = idsOf(principal.id).flatMap((id) => handRole(id) ?? []);
      const key = hands.join(' ');
      const before = remembered.get(principal);
      if (before?.hands === key) return before.member;
      const member = membership(principal, hands);
      remembered.set(principal, { hands: key, member });
      return member;
    },
  };
}

function subjectsOf({ id, proven, owner, groups }: Principal): readonly string[] {
  if (!proven) return id === OWNER || id === UNPROVEN ? [id] : [];
  return [...idsOf(id), ...(owner === true ? [OWNER] : []), 'network', ...groups.map((group) => `group:${group}`)];
}
