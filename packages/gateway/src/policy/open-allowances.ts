// The book of allowances of a configuration, with what this day has spent already.

import type { AllowanceConfig, AllowancesConfig, GatewayConfig } from '@mcp-overlay/config';
import { Allowances } from './allowances.ts';
import { systemLimitClock } from './clock.ts';
import { openSpent, type SpentOptions } from './spent.ts';

/** undefined: the configuration limits no caller, tool or backend. Rejects where the day's counts cannot be read. */
export async function openAllowances(
  { allowances, policy, share }: Pick<GatewayConfig, 'allowances' | 'policy' | 'share'>,
  options: Pick<SpentOptions, 'env' | 'log'>,
): Promise<Allowances | undefined> {
  if (!allowances) return undefined;
  const clock = systemLimitClock();
  const spent = await openSpent({ ...options, clock, share: hasDaily(allowances) ? share.token : undefined });
  return new Allowances({ config: allowances, identities: policy?.identities ?? [], spent, clock });
}

function hasDaily({ others, identities, backends, tools }: AllowancesConfig): boolean {
  const all: (AllowanceConfig | undefined)[] = [others, ...identities, ...backends.values(), ...tools];
  return all.some((one) => one?.daily !== undefined);
}
