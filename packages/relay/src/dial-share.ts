// The dialler's way to a session at a share: a link, or SSE over HTTP where the host is the Go original. The link mends
// itself; what it reports goes to the session above (relay/steady).

import type { Duplex } from 'node:stream';
import { RelayError } from './errors.ts';
import { LIMITS, type Limits } from './limits.ts';
import { type DialLinkOptions, dialLink } from './link/dialer.ts';
import type { HostCheck } from './link/judgement.ts';
import type { SourceEvents } from './steady/options.ts';
import type { Transport } from './transport.ts';

export interface DialShareOptions {
  /** For messages: `share build-box`. */
  readonly name: string;
  connect(signal: AbortSignal): Promise<Duplex>;
  readonly session: string;
  readonly via: readonly string[];
  readonly by: string;
  readonly events: SourceEvents;
  readonly signal: AbortSignal;
  readonly log: DialShareLog;
  /** Absent: nothing is proven, and any host is taken. */
  readonly check?: HostCheck | undefined;
  readonly limits?: Limits;
  readonly backoff?: DialLinkOptions['backoff'];
  /** A sign of a host, as the overlay gives it. */
  readonly onSign?: DialLinkOptions['onSign'] | undefined;
}

export interface DialShareLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
}

export async function dialShare(options: DialShareOptions): Promise<Transport> {
  const { name, connect, session, via, by, events, signal, log, check, limits = LIMITS, backoff, onSign } = options;
  // An event that was, never comes again.
  signal.throwIfAborted();
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const link = dialLink({
    connect,
    session,
    by,
    via,
    limits,
    log,
    ...(check && { check }),
    ...(backoff && { backoff }),
    ...(onSign && { onSign }),
    onState: ({ phase, reason, error }) => {
      // Until it was up once, whoever asked for the share decides whether to go on.
      if (phase === 'connecting' && error !== undefined) fail(error);
      if (phase === 'down') events.suspended(`${name} cannot be reached: ${reason}`, error);
      if (phase === 'up') events.resumed();
    },
    onAgreed: (terms) => events.agreed?.(terms),
    onRenewed: () => events.renewed(link.notRun),
  });
  const onAbort = (): void => void link.close();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([link.ready, failed]);
    return link;
  } catch (error) {
    await link.close();
    if (!(error instanceof RelayError && error.code === 'peer_speaks_http')) throw error;
    await check?.plain();
    const { httpTransport } = await import('./transports/http/client.ts');
    return httpTransport({
      url: 'http://mcp-backend/sse',
      protocol: 'sse',
      headers: {},
      fetchVia: { connect },
      allowInsecure: true,
      limits,
      log,
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
