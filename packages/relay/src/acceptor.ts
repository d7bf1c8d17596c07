// The host's door: every connection of a share becomes sessions here, whatever it speaks. First bytes tell link, bare
// NDJSON and HTTP apart (docs/WIRE.md); each session is handed on as a Transport with what is known of its origin.

import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { LIMITS, type Limits } from './limits.ts';
import { recognise } from './link/first-bytes.ts';
import { LinkHost } from './link/host.ts';
import type { Link } from './link/link.ts';
import { type CloseReason, DONE, type Transport } from './transport.ts';
import { streamTransport } from './transports/stream.ts';

export interface AcceptedSession {
  readonly transport: Transport;
  readonly protocol: 'link' | 'ndjson' | 'http';
  /** Chosen at the agent's end, or by us for peers that know no sessions. */
  readonly session: string;
  readonly principal: string;
  /** Gateways it came through. */
  readonly via: readonly string[];
  /** Program and version of the peer, a claim. */
  readonly by: string | undefined;
  readonly link: Link | undefined;
}

export interface AcceptorOptions {
  readonly by: string;
  readonly log: AcceptorLog;
  principalOf(connection: Duplex): string;
  /** A session that already came through here is a cycle. */
  readonly instance?: string;
  onSession(session: AcceptedSession): void;
  readonly limits?: Limits;
}

export interface AcceptorLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
}

interface HttpDoor {
  accept(connection: Duplex): void;
  close(): Promise<void>;
}

/** A chain of gateways longer than this is a mistake. */
const MAX_VIA = 8;

export class Acceptor {
  private readonly options: AcceptorOptions;
  private readonly limits: Limits;
  private readonly links: LinkHost;
  private readonly bare = new Set<Transport>();
  private http: Promise<HttpDoor> | undefined;
  private httpCount: () => number = () => 0;
  private closed = false;

  constructor(options: AcceptorOptions) {
    this.options = options;
    this.limits = options.limits ?? LIMITS;
    this.links = new LinkHost({
      by: options.by,
      limits: this.limits,
      log: options.log,
      principalOf: (connection) => options.principalOf(connection),
      refuse: ({ via }) => this.refuse(via),
      onLink: (link, { principal, via }) => {
        options.onSession({
          transport: link,
          protocol: 'link',
          session: link.session,
          principal,
          via,
          by: link.by,
          link,
        });
      },
    });
  }

  readonly accept = (connection: Duplex): void => {
    connection.on('error', () => connection.destroy());
    recognise(connection, { timeoutMs: this.limits.handshakeMs }).then(
      ({ protocol, head }) => this.take(connection, protocol, head),
      (error: unknown) => this.options.log.debug({ error: String(error) }, 'connection refused'),
    );
  };

  /** Ends every session with this reason. */
  async close(reason: CloseReason = DONE): Promise<void> {
    this.closed = true;
    await Promise.all([
      this.links.close(reason),
      ...[...this.bare].map((transport) => transport.close(reason)),
      this.http?.then((http) => http.close()),
    ]);
  }

  private take(connection: Duplex, protocol: AcceptedSession['protocol'], head: Buffer): void {
    if (this.closed) {
      connection.destroy();
    } else if (protocol === 'link') {
      this.links.accept(connection, head);
    } else if (protocol === 'http') {
      void this.takeHttp(connection, head);
    } else if (this.full()) {
      connection.end(
        '{"jsonrpc":"2.0","id":null,"error":{"code":-31000,"message":"too many sessions are open here"}}\n',
      );
    } else {
      if (head.length > 0) connection.unshift(head);
      const transport = streamTransport({ input: connection, output: connection, limits: this.limits });
      this.bare.add(transport);
      connection.once('close', () => this.bare.delete(transport));
      this.options.onSession(this.unlinked(transport, 'ndjson', this.options.principalOf(connection)));
    }
  }

  private async takeHttp(connection: Duplex, head: Buffer): Promise<void> {
    this.http ??= this.openHttp();
    const http = await this.http;
    if (head.length > 0) connection.unshift(head);
    http.accept(connection);
    // It was paused while its first bytes were looked at, and an HTTP server does not resume what it is given.
    connection.resume();
  }

  /** Loaded with the first HTTP connection only: our own programs speak link. */
  private async openHttp(): Promise<HttpDoor> {
    const { createHttpConnections, createHttpSessions } = await import('./transports/http/index.ts');
    const { by, log, onSession } = this.options;
    const sessions = createHttpSessions({
      by,
      log,
      limits: this.limits,
      maxSessions: this.limits.sessions,
      principalOf: (connection) => this.options.principalOf(connection),
      onSession: (transport, { connection, by: claimed }) => {
        const session = this.unlinked(transport, 'http', this.options.principalOf(connection));
        onSession({ ...session, by: claimed });
      },
    });
    this.httpCount = () => sessions.count();
    const connections = createHttpConnections({
      headersMs: this.limits.handshakeMs,
      handle: (request, response) => {
        if (request.headers.origin === undefined) sessions.handle(request, response);
        else refuseOrigin(response);
      },
    });
    return {
      accept: connections.accept,
      close: async () => {
        await sessions.close();
        connections.close();
      },
    };
  }

  private unlinked(transport: Transport, protocol: 'ndjson' | 'http', principal: string): AcceptedSession {
    const session = randomBytes(16).toString('hex');
    return { transport, protocol, session, principal, via: [], by: undefined, link: undefined };
  }

  private full(): boolean {
    return this.links.count() + this.bare.size + this.httpCount() >= this.limits.sessions;
  }

  private refuse(via: readonly string[]): { code: string; reason: string; retryMs?: number } | undefined {
    const { instance } = this.options;
    if (instance !== undefined && via.includes(instance)) {
      return { code: 'cycle', reason: 'this gateway is a backend of itself, through others' };
    }
    if (via.length >= MAX_VIA) return { code: 'cycle', reason: `more than ${MAX_VIA} gateways in a row` };
    if (this.full()) return { code: 'busy', reason: 'too many sessions are open here', retryMs: 1000 };
    return undefined;
  }
}

/** A share is for programs: a browser that got here was tricked into it. */
function refuseOrigin(response: ServerResponse): void {
  response.writeHead(403, { 'content-type': 'text/plain', connection: 'close' }).end('a share is not for web pages\n');
}
