// What is noticed of servers whose session no client sees as its own: those that serve modern requests at a legacy server.

import { describeFault, type Fault, type SteadyState } from '@mcp-overlay/relay';
import type { GatewayLog } from '../call/log.ts';
import type { HealthRecord } from './health.ts';

export function watching(id: string, health: HealthRecord, log: GatewayLog) {
  return {
    onState: ({ phase, reason, givenUp }: SteadyState): void => {
      if (phase === 'up') health.saw('up');
      if (phase !== 'waiting') return;
      health.count('restarts');
      if (health.saw('failing', reason, givenUp)) log.warn({ backend: id, reason }, 'backend failed');
    },
    onStray: (fault: Fault): void => {
      health.count('strayLines');
      // Lines that nobody can tell the kind of are shown by the child itself, at a bounded rate.
      if (fault.kind === 'unknown' && fault.code !== 'message_too_large') return;
      log.warn({ backend: id, fault: describeFault(fault) }, 'message skipped');
    },
  };
}
