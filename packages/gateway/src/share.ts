// The gateway's share: listens on the overlay, lets sessions in, counts them, and ends them.

import { createHash } from 'node:crypto';
import type { Listener, Overlay } from '@mcp-overlay/overlay';
import { type AcceptedSession, Acceptor, within } from '@mcp-overlay/relay';
import { ClientSession } from './session/session.ts';
import type { SessionSettings } from './session/settings.ts';

/** How long open calls may still take when the gateway is told to end. */
const DRAIN_MS = 1500;

export interface ShareOptions {
  readonly overlay: Overlay;
  /** undefined: an ephemeral share with a random token. */
  readonly token: string | undefined;
  readonly settings: SessionSettings;
  readonly by: string;
  onLost(error: Error): void;
}

export interface Share {
  readonly token: string;
  sessions(): readonly { readonly session: ClientSession; readonly accepted: AcceptedSession }[];
  /** No new sessions or requests, a little time for open ones, then every session ends as `away`. */
  close(): Promise<void>;
}

export async function openShare(options: ShareOptions): Promise<Share> {
  const { overlay, settings, by } = options;
  const sessions = new Map<ClientSession, AcceptedSession>();
  let count = 0;
  const acceptor = new Acceptor({
    by,
    log: settings.log,
    limits: settings.limits,
    principalOf: () => 'owner',
    instance: settings.instance,
    onSession: (accepted) => {
      count += 1;
      const session = new ClientSession(
        accepted.transport,
        {
          number: count,
          handOn: handOn(accepted),
          via: [...accepted.via, settings.instance],
          principal: accepted.principal,
          by: accepted.by,
        },
        settings,
      );
      sessions.set(session, accepted);
      settings.log.info({ session: count, by: accepted.by, principal: accepted.principal }, 'session opened');
      void session.closed.then(() => {
        sessions.delete(session);
        settings.log.info({ session: session.info.number, calls: session.calls }, 'session closed');
      });
    },
  });
  const listenOptions = {
    onConnection: acceptor.accept,
    onLost: options.onLost,
  };
  const listener: Listener =
    options.token === undefined
      ? await overlay.listenEphemeral(listenOptions)
      : await overlay.listen(options.token, listenOptions);
  return {
    token: listener.share,
    sessions: () => [...sessions].map(([session, accepted]) => ({ session, accepted })),
    close: async () => {
      await listener.close();
      await within(DRAIN_MS, Promise.all([...sessions.keys()].map((session) => session.drain())));
      const reason = { code: 'away', reason: 'the gateway is ending' };
      await Promise.all([...sessions.keys()].map((session) => session.close(reason)));
      await acceptor.close(reason);
    },
  };
}

/** Each hop passes a hash, so that nobody can name another's session at the next one. */
function handOn(accepted: AcceptedSession): string {
  return createHash('sha256').update(`${accepted.principal}\n${accepted.session}`).digest('hex').slice(0, 32);
}
