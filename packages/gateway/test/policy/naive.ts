// The rules once more, written from docs/GOVERNANCE.md in the most obvious way, to compare the real ones with: no compiling,
// no remembering, every rule tried on every request. What they say of arguments: ./naive-args.ts.

import type { Principal } from '@mcp-overlay/overlay';
import type { PolicyRequest } from '../../src/policy/policy.ts';
import { type Caller, fitOf } from './naive-args.ts';
import { covers, type NaiveEffect, type NaivePolicy, type NaiveSelection, ofTasks } from './naive-policy.ts';

export function naive(policy: NaivePolicy, who: Principal, request: PolicyRequest): 'allow' | 'deny' | 'shadow' {
  const subjects = who.proven ? [who.id, 'network', ...who.groups.map((one) => `group:${one}`)] : [who.id];
  const found = Object.entries(policy.identities).filter(([, { is }]) =>
    is.some((one) => subjects.includes(one) || (one === 'owner' && who.owner)),
  );
  const name = found.find(([nickname, { is }]) => !is.includes(nickname) && is.includes(who.id))?.[0];
  const restrictions = who.restrictions ?? [];
  // What a token leaves of the roles: with all of them, and after each restriction.
  const steps = [who.roles ?? found.flatMap(([, { roles }]) => roles)];
  for (const { roles } of restrictions)
    steps.push((steps.at(-1) ?? []).filter((role) => roles?.includes(role) ?? true));
  const said = steps.map((roles) => judged(policy, roles, { who, name }, request));
  const within = restrictions.every(
    (one) => covers(one as NaiveSelection, request, true) || ofTasks(one as NaiveSelection, request),
  );
  if (!within) return 'deny';
  if (said.every(({ strictly }) => strictly)) return 'allow';
  return said.every(({ leniently }) => leniently) || !policy.enforce ? 'shadow' : 'deny';
}

/** With every rule in force, and without those that are only recorded. */
function judged(policy: NaivePolicy, roles: readonly string[], caller: Caller, request: PolicyRequest) {
  let [refused, allowed, strictlyRefused, strictlyAllowed] = [false, false, false, false];
  for (const [role, rules] of Object.entries(policy.roles)) {
    const views = Object.values(policy.views).filter((view) => view.roles?.includes(role));
    for (const { allow, deny, enforce = true } of roles.includes(role) ? rules : []) {
      const it = (allow ?? deny) as NaiveEffect;
      const shows = (one: NaiveSelection): boolean =>
        covers(one, request, one !== it || deny !== undefined) || (allow !== undefined && ofTasks(one, request));
      if (!shows(it) || (allow && views.length > 0 && !views.some(({ show }) => show.some(shows)))) continue;
      const fits = fitOf(it, caller, request, deny !== undefined);
      if (fits === 'error' || (deny && fits)) [strictlyRefused, refused] = [true, refused || enforce];
      if (allow && fits === true) strictlyAllowed = true;
      if (allow && (fits === true || !enforce)) allowed = true;
    }
  }
  return { strictly: strictlyAllowed && !strictlyRefused, leniently: allowed && !refused };
}
