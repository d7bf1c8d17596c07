// Rules from a piece of YAML, and people to try them with.

import { parseGatewayConfig } from '@mcp-overlay/config';
import type { Principal } from '@mcp-overlay/overlay';
import type { TargetKind } from '../../src/call/call.ts';
import type { JsonObject } from '../../src/call/json.ts';
import { loadPolicy, type PolicyOptions } from '../../src/policy/load-policy.ts';
import type { Policy } from '../../src/policy/policy.ts';

const BACKENDS = ['fs', 'db', 'github'];

/** A whole file around these lines, with three backends. */
export function fileOf(lines: string): string {
  const backends = BACKENDS.map((id) => `  - { id: ${id}, transport: { type: stdio, command: x } }`).join('\n');
  return `backends:\n${backends}\n${lines}`;
}

export async function policyOf(lines: string, options: PolicyOptions = {}): Promise<Policy> {
  const { config } = parseGatewayConfig(fileOf(lines), { file: 'g.yml', env: {}, cwd: '/' });
  return loadPolicy(config, options);
}

/** Somebody with a proof. */
export function person(name: string, more: Partial<Principal> = {}): Principal {
  return { id: `ziti:${name}`, name, proven: true, via: 'ziti', groups: [], ...more };
}

export const OWNER: Principal = { id: 'owner', name: 'owner', proven: false, via: 'local', groups: [] };
export const UNPROVEN: Principal = { id: 'unproven', name: 'alice', proven: false, via: 'ziti', groups: [] };

export function call(backend: string, name: string, args: JsonObject = {}, kind: TargetKind = 'tool') {
  return { backend, kind, name, args };
}
