// The book of allowances of a configuration, with what this day has spent already.

import type { AllowanceConfig, AllowancesConfig, GatewayConfig } from '@mcp-overlay/config';
import type { Principal } from '@mcp-overlay/overlay';
import { Allowances, type CallerLimits, type Passage } from './allowances.ts';
import { systemLimitClock } from './clock.ts';
import { openSpent, type SpentOptions } from './spent.ts';

export interface AllowancesSurroundings extends Pick<SpentOptions, 'env' | 'log'> {
  /** Another process has the share, and writes what this day spent. */
  othersWrite?(): boolean;
}

/** undefined: the configuration limits no caller, tool or backend. Rejects where the day's counts cannot be read. */
export async function openAllowances(
  { allowances, policy, share }: Pick<GatewayConfig, 'allowances' | 'policy' | 'share'>,
  options: AllowancesSurroundings,
): Promise<Allowances | undefined> {
  if (!allowances) return undefined;
  const clock = systemLimitClock();
  const spent = await openSpent({ ...options, clock, share: hasDaily(allowances) ? share.token : undefined });
  if (options.othersWrite?.()) spent.stopWriting();
  return new Allowances({ config: allowances, identities: policy?.identities ?? [], spent, clock });
}

/** What a caller may use as of now, whatever it was when its session began: budgets are the operator's, not the session's. */
export function limitsNow(now: () => Allowances | undefined, principal: Principal): CallerLimits {
  let of: Allowances | undefined;
  let limits: CallerLimits | undefined;
  const current = (): CallerLimits | undefined => {
    const allowances = now();
    if (allowances !== of) {
      of = allowances;
      limits = allowances?.of(principal);
    }
    return limits;
  };
  return {
    enter: () => current()?.enter() ?? FREE,
    spend: (backend, tool) => current()?.spend(backend, tool) ?? FREE,
  };
}

const FREE: Passage = { release: () => {} };

/** Those of another configuration; what this day has spent goes on, and where nothing changed all goes on. */
export async function nextAllowances(
  config: Pick<GatewayConfig, 'allowances' | 'policy' | 'share'>,
  before: { readonly config: typeof config; readonly allowances: Allowances | undefined },
  options: AllowancesSurroundings,
): Promise<Allowances | undefined> {
  const { allowances: wanted, policy } = config;
  const { allowances: known, config: old } = before;
  if (!wanted || !known || !old.allowances) return openAllowances(config, options);
  const meaning = ({ allowances, policy }: typeof config): string =>
    JSON.stringify([{ ...allowances, backends: [...(allowances?.backends ?? [])] }, policy?.identities]);
  if (meaning(config) === meaning(old)) return known;
  // A file that was not kept so far.
  if (hasDaily(wanted) && !hasDaily(old.allowances)) return openAllowances(config, options);
  return known.under(wanted, policy?.identities ?? []);
}

function hasDaily({ others, identities, backends, tools }: AllowancesConfig): boolean {
  const all: (AllowanceConfig | undefined)[] = [others, ...identities, ...backends.values(), ...tools];
  return all.some((one) => one?.daily !== undefined);
}
