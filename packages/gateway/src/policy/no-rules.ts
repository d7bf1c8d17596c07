// A gateway without rules: everything passes but what a token itself restricts.

import type { Principal } from '@mcp-overlay/overlay';
import type { Policy } from './policy.ts';
import { restrictionReaches, withinAll } from './restrictions.ts';

export function withoutRules(): Policy {
  const policy = 'none';
  // A token that was given roles names rules that are not there: it reaches nothing.
  const lets = ({ roles, restrictions = [] }: Principal): boolean =>
    roles === undefined && restrictions.every((one) => one.roles === undefined);
  return {
    digest: policy,
    ruled: false,
    enforced: true,
    shares: [],
    rolesOf: () => [],
    decide: (principal, request) => {
      const allow = lets(principal) && withinAll(principal.restrictions ?? [], request);
      return allow
        ? { allow, rule: 'no rules' }
        : { allow, rule: 'token', why: 'the access token does not reach so far' };
    },
    explain: () => [],
    reaches: (principal, backend) =>
      lets(principal) && (principal.restrictions ?? []).every((one) => restrictionReaches(one, backend)),
    mayAsk: () => true,
    through: (view) => {
      throw new TypeError(`no view ${view}`);
    },
  };
}
