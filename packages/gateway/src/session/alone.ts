// A session with a backend that no client asked for: the probe at start, and `mcp-gateway check`. It has no capabilities,
// so a server that asks something gets a refusal.

import { randomBytes } from 'node:crypto';
import { LATEST_LEGACY_VERSION } from '@mcp-overlay/relay';
import { BackendSession, refusal } from '../backend/backend-session.ts';
import type { Caller } from '../backend/credentials.ts';
import type { SessionSettings } from './settings.ts';

/** Nobody: it has no credential of its own, and takes no one else's. */
export const ALONE: Caller = { id: 'nobody', proven: false, groups: [] };

/** Resolves `settled` of the result when the backend has answered, or failed once; from then on it is tried again. */
export function openAlone(
  { backend, health }: SessionSettings['backends'][number],
  settings: SessionSettings,
  onJoined: (session: BackendSession) => void,
): BackendSession {
  const session = new BackendSession({
    backend,
    health,
    origin: {
      session: randomBytes(16).toString('hex'),
      via: [settings.instance],
      era: 'legacy',
      principal: ALONE.id,
      caller: ALONE,
      alone: true,
    },
    connectTimeoutMs: backend.config.connectTimeoutMs ?? settings.connectTimeoutMs,
    log: settings.log,
    events: {
      request: (from, message) => from.respond(refusal(message.id ?? 'null', 'there is no client')),
      notification: () => {},
      back: () => {},
      full: () => {},
      joined: (from) => {
        from.notify('notifications/initialized');
        onJoined(from);
      },
    },
  });
  void session.greet('initialize', {
    protocolVersion: LATEST_LEGACY_VERSION,
    capabilities: {},
    clientInfo: { name: 'mcp-gateway', version: settings.own.version },
  });
  return session;
}
