// A client is not read faster than its backends take; but one that takes nothing does not hold up the others: after a while
// its calls are refused (routing/dispatch.ts) and the client is read on.

import { type Transport, within } from '@mcp-overlay/relay';
import type { BackendSession } from '../backend/backend-session.ts';

/** How long a backend that does not read holds up its client's other messages: a busy one comes back by then. */
const FULL_MS = 5000;

export class SlowBackends {
  private readonly client: Transport;
  private readonly warn: (backend: string) => void;
  /** Backends whose queue is above its mark: the client is not read. */
  private readonly full = new Set<BackendSession>();

  constructor(client: Transport, warn: (backend: string) => void) {
    this.client = client;
    this.warn = warn;
  }

  async waitFor(backend: BackendSession): Promise<void> {
    if (this.full.has(backend) || backend.stuck) return;
    this.full.add(backend);
    this.client.pause();
    const drained = backend.drained();
    backend.stuck = !(await within(FULL_MS, drained));
    this.full.delete(backend);
    if (this.full.size === 0) this.client.resume();
    if (!backend.stuck) return;
    this.warn(backend.id);
    await drained;
    backend.stuck = false;
  }
}
