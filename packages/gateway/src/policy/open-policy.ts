// The rules of a configuration; what compiles them is loaded only where there are some.

import type { GatewayConfig } from '@mcp-overlay/config';
import type { PolicyOptions } from './load-policy.ts';
import { withoutRules } from './no-rules.ts';
import type { Policy } from './policy.ts';

/** Throws a ConfigError where they cannot be compiled. */
export async function openPolicy(config: Pick<GatewayConfig, 'policy'>, options: PolicyOptions = {}): Promise<Policy> {
  if (!config.policy) return withoutRules();
  const { loadPolicy } = await import('./load-policy.ts');
  return loadPolicy(config, options);
}
