// Troubles of backends: one that fails, one that is left alone for a while, one of which a list cannot be shown.

import type { BackendConfig } from '@mcp-overlay/config';
import type { BackendHealth } from '../backend/health.ts';
import type { Found } from './trouble.ts';

export interface BackendSeen {
  readonly config: Pick<BackendConfig, 'id' | 'transport'>;
  readonly health: BackendHealth;
}

/** `file`: the configuration. */
export function backendTroubles(backends: readonly BackendSeen[], file: string): Found[] {
  return backends.flatMap(({ config, health }) => [...failing(config, health, file), ...incomplete(config, health)]);
}

function failing({ id, transport }: BackendSeen['config'], health: BackendHealth, file: string): Found[] {
  const { state, reason = 'it does not answer', since, circuit } = health;
  if (state !== 'failing') return [];
  return [
    {
      about: `backend ${id}`,
      failed: reason,
      since,
      doing:
        circuit === 'closed'
          ? `it is ${again(transport)} with growing pauses; calls to it wait, the other backends work`
          : 'it failed too often and is left alone for a while; calls to it are refused at once, the other backends work',
      remedy: remedyFor(transport, file),
    },
  ];
}

function again({ type }: BackendSeen['config']['transport']): string {
  return type === 'stdio' ? 'started again' : 'dialled again';
}

function remedyFor(transport: BackendSeen['config']['transport'], file: string): string {
  switch (transport.type) {
    case 'stdio':
      return `mend its command or what it needs; mcp-gateway check ${file} tries it`;
    case 'share':
      return `start the bridge or gateway that hosts share ${transport.token}`;
    default:
      return 'see whether its server runs and lets this gateway in';
  }
}

function incomplete({ id }: BackendSeen['config'], { incomplete, since }: BackendHealth): Found[] {
  return Object.entries(incomplete).map(([list, why]) => ({
    about: `${list} of backend ${id}`,
    failed: why,
    since,
    doing: 'what came before stays hidden rather than shown in part',
    remedy: 'mend the server; the list is read again when it says that it changed',
  }));
}
