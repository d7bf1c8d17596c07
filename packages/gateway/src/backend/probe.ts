// Once at start each backend is tried without a client, so that the operator learns at once which one fails and why, and
// a first `npx` has downloaded before anybody waits for it. A failing one is tried again until it answers.

import type { SessionSettings } from '../session/session.ts';
import { BackendSession, refusal } from './backend-session.ts';

/** Servers that start at the same time: each costs a third of a second of a core. */
const AT_ONCE = 4;

export interface Probes {
  close(): Promise<void>;
}

export function openProbes(settings: SessionSettings): Probes {
  const open = new Set<BackendSession>();
  const waiting = [...settings.backends];
  let closed = false;
  const probe = async ({ backend, health }: (typeof waiting)[number]): Promise<void> => {
    health.saw('starting');
    const session = new BackendSession({
      backend,
      health,
      origin: { session: '0'.repeat(32), via: [] },
      connectTimeoutMs: backend.config.connectTimeoutMs ?? settings.connectTimeoutMs,
      log: settings.log,
      events: {
        request: (from, message) => from.respond(refusal(message.id ?? 'null', 'there is no client')),
        notification: () => {},
        joined: (from) => {
          from.notify('notifications/initialized');
          open.delete(from);
          void from.close();
        },
      },
    });
    open.add(session);
    void session.initialize({
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'mcp-gateway', version: settings.own.version },
    });
    await session.settled;
  };
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next && !closed; next = waiting.shift()) await probe(next);
  };
  for (let worker = 0; worker < AT_ONCE; worker += 1) void work();
  return {
    close: async () => {
      closed = true;
      await Promise.all([...open].map((session) => session.close()));
    },
  };
}
