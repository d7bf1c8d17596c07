// A configuration's rules for a command that asks them, and the words of its questions.

import { UsageError } from '@mcp-overlay/cli';
import { type GatewayConfig, loadGatewayConfig } from '@mcp-overlay/config';
import type { Principal } from '@mcp-overlay/overlay';
import { type Asked, askedOf } from '../../policy/asked.ts';
import { type AskerOptions, askerOf } from '../../policy/asker.ts';
import { openPolicy } from '../../policy/open-policy.ts';
import type { Policy } from '../../policy/policy.ts';
import { naming } from '../../routing/names.ts';

export interface Offline {
  readonly config: GatewayConfig;
  /** Undefined where there is no such view with a share. */
  policy(view: string | undefined): Policy | undefined;
  who(options: AskerOptions): Principal | undefined;
  what(word: string): Asked | undefined;
}

export async function openOffline(path: string, cwd: string): Promise<Offline> {
  const { config } = await loadGatewayConfig(path, { env: process.env, cwd });
  if (!config.policy)
    throw new UsageError(`${path} has no rules`, 'rules are written under roles (docs/GOVERNANCE.md)');
  const policy = await openPolicy(config);
  const enabled = config.backends.filter(({ disabled }) => !disabled);
  const { prefixOf } = naming(enabled, config.aggregator.separator);
  return {
    config,
    policy: (view) => {
      if (view === undefined) return policy;
      return config.policy?.views.some(({ name }) => name === view) ? policy.through(view) : undefined;
    },
    who: (options) => askerOf(options, config.policy),
    what: (word) => askedOf(word, { backends: enabled }, prefixOf),
  };
}
