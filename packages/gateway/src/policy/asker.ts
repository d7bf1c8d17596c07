// Whom an operator means, for questions about rules: somebody who came with the proof that the words name. Nobody has to come.

import type { PolicyConfig } from '@mcp-overlay/config';
import { isPrincipalId, OWNER, type Principal, UNPROVEN } from '@mcp-overlay/overlay';

export interface AskerOptions {
  /** A nickname, a principal id, `group:NAME`, `owner`, `network`, `unproven`. */
  readonly as: string;
  readonly groups?: readonly string[];
  /** Of its token, in place of the configured ones. */
  readonly roles?: readonly string[] | undefined;
}

/** undefined: nobody is called so. */
export function askerOf(options: AskerOptions, policy: PolicyConfig | undefined): Principal | undefined {
  const found = named(options.as, policy);
  if (!found) return undefined;
  const groups = [...found.groups, ...(options.groups ?? [])];
  return { ...found, groups, ...(options.roles && { roles: options.roles }) };
}

function named(as: string, policy: PolicyConfig | undefined): Principal | undefined {
  if (as === OWNER) return { id: OWNER, name: OWNER, proven: false, via: 'local', groups: [] };
  if (as === UNPROVEN) return { id: UNPROVEN, name: UNPROVEN, proven: false, via: 'ziti', groups: [] };
  if (as === 'network') return proven('ziti:somebody');
  if (as.startsWith('group:')) return proven('ziti:somebody', [as.slice('group:'.length)]);
  if (isPrincipalId(as)) return proven(as);
  const identity = policy?.identities.find(({ name }) => name === as);
  if (!identity) return undefined;
  const [first = ''] = identity.is;
  const id = identity.is.find(isPrincipalId);
  return id === undefined ? named(first, undefined) : proven(id);
}

function proven(id: string, groups: readonly string[] = []): Principal {
  return { id, name: id, proven: true, via: 'ziti', groups };
}
