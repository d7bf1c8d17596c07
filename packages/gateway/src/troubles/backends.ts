// Troubles of backends: one that fails, one that is left alone for a while, one of which a list cannot be shown.

import type { BackendConfig } from '@mcp-overlay/config';
import type { ServersState } from '../backend/children.ts';
import type { BackendHealth } from '../backend/health.ts';
import type { Found } from './trouble.ts';

export interface BackendSeen {
  readonly config: Pick<BackendConfig, 'id' | 'transport'>;
  readonly health: BackendHealth;
  /** Of its own processes, where it has some. */
  readonly servers?: Pick<ServersState, 'circuit' | 'failures' | 'retrySeconds' | 'stderr'> | undefined;
}

/** `file`: the configuration. */
export function backendTroubles(backends: readonly BackendSeen[], file: string): Found[] {
  return backends.flatMap((seen) => [...failing(seen, file), ...incomplete(seen)]);
}

function failing(seen: BackendSeen, file: string): Found[] {
  const { config, health, servers } = seen;
  const { state, reason = 'it does not answer', since } = health;
  const circuit = servers === undefined || servers.circuit === 'closed' ? health.circuit : servers.circuit;
  if (state !== 'failing' && circuit === 'closed') return [];
  const said = servers?.stderr ?? [];
  return [
    {
      about: `backend ${config.id}`,
      failed: reason,
      since,
      ...(said.length > 0 && { said }),
      doing: `${doing(seen, circuit)}; the other backends work`,
      remedy: remedyFor(config.transport, file),
    },
  ];
}

function doing({ config, servers }: BackendSeen, circuit: ServersState['circuit']): string {
  const often = servers === undefined ? 'too often' : `${servers.failures} times`;
  switch (circuit) {
    case 'open': {
      const time = servers?.retrySeconds === undefined ? 'after a while' : `in ${servers.retrySeconds} s`;
      return `it failed ${often}: one start is tried ${time}, calls to it are refused at once until then`;
    }
    case 'half-open':
      return `it failed ${often}, was left alone, and is tried once now`;
    default: {
      const tried = config.transport.type === 'stdio' ? 'started' : 'dialled';
      return `it is ${tried} again with growing pauses, calls to it wait`;
    }
  }
}

function remedyFor(transport: BackendConfig['transport'], file: string): string {
  switch (transport.type) {
    case 'stdio':
      return `mend its command or what it needs; mcp-gateway check ${file} tries it`;
    case 'share':
      return `start the bridge or gateway that hosts share ${transport.token}`;
    default:
      return 'see whether its server runs and lets this gateway in';
  }
}

function incomplete({ config, health: { incomplete, since } }: BackendSeen): Found[] {
  return Object.entries(incomplete).map(([list, why]) => ({
    about: `${list} of backend ${config.id}`,
    failed: why,
    since,
    doing: 'the list is not shown in part; what was listed before stays',
    remedy: 'mend the server; its list is read again when it says that it changed',
  }));
}
