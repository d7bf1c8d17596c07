// Whose budget a call is, and which entry of `limits.identities` says how large it is. One budget for each identity, whatever
// it comes with: a token that was narrowed counts as the one it was made from, and ids of one nickname are one.

import type { AllowanceConfig, AllowancesConfig, IdentityAllowance, IdentityConfig } from '@mcp-overlay/config';
import { idsOf, OWNER, type Principal } from '@mcp-overlay/overlay';

export interface CallerBudget {
  /** As the configuration names the entry. */
  readonly entry: string;
  readonly allowance: AllowanceConfig;
}

/** What limits callers is not for the owner. */
export function isOwner({ id, owner }: Principal): boolean {
  return id === OWNER || owner === true;
}

export function whoOf({ id }: Principal, identities: readonly IdentityConfig[]): string {
  const root = idsOf(id).at(-1) ?? id;
  return identities.find(({ is, name }) => name !== root && is.includes(root))?.name ?? root;
}

/** The nearest entry: its own, a group's, that of the network, that of all others; the owner has but its own. */
export function budgetOf(principal: Principal, config: AllowancesConfig): CallerBudget | undefined {
  const root = idsOf(principal.id).at(-1) ?? principal.id;
  const named = (subject: string): IdentityAllowance | undefined =>
    config.identities.find(({ is }) => is.includes(subject));
  const own = named(root);
  if (own) return budget(own);
  if (isOwner(principal)) {
    const owners = named(OWNER);
    return owners && budget(owners);
  }
  const { groups, proven } = principal;
  const group = config.identities.find(({ is }) => groups.some((name) => is.includes(`group:${name}`)));
  const found = group ?? (proven ? named('network') : undefined);
  if (found) return budget(found);
  return config.others && { entry: 'default', allowance: config.others };
}

function budget(entry: IdentityAllowance): CallerBudget {
  return { entry: entry.name, allowance: entry };
}
