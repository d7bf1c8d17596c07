// The host's door: every connection of a share becomes sessions here, whatever it speaks. First bytes tell link, bare
// NDJSON and HTTP apart (docs/WIRE.md); each session is handed on as a Transport with what is known of its origin.

import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Holder } from './held/holder.ts';
import { errorMessage } from './json-rpc.ts';
import { LIMITS, type Limits } from './limits.ts';
import { SYSTEM_CLOCK } from './link/clock.ts';
import { farewell, recognise } from './link/first-bytes.ts';
import { LinkHost } from './link/host.ts';
import type { LinkInfo } from './link/hosted-link.ts';
import { type Judgement, NOBODY_IN_PARTICULAR, type Peer } from './link/judgement.ts';
import type { Link } from './link/link.ts';
import type { PeerProof, Refusal } from './link/preamble.ts';
import type { Message } from './message.ts';
import { type CloseReason, DONE, type Transport } from './transport.ts';
import type { HttpSessions } from './transports/http/server.ts';
import { streamTransport } from './transports/stream.ts';

export interface AcceptedSession<P extends Peer = Peer> {
  readonly transport: Transport;
  readonly protocol: 'link' | 'ndjson' | 'http';
  /** Chosen at the agent's end, or by us: for peers that know no sessions, and for those of whom nothing is proven. */
  readonly session: string;
  readonly principal: P;
  /** Gateways it came through. */
  readonly via: readonly string[];
  /** Program and version of the peer, a claim. */
  readonly by: string | undefined;
  /** Its client had this session before, here or at a predecessor, and what was kept of it is not here. */
  readonly returning: boolean;
  /** The one that it has now: a session outlives its links. */
  readonly link: Link | undefined;
}

export interface AcceptorOptions<P extends Peer = Peer> {
  readonly by: string;
  readonly log: AcceptorLog;
  /** Who comes, and whether it may; proof null: none came, or what it speaks has no place for one. A bearer of an HTTP
   *  request is `{access: {bearer}}`. */
  judge(connection: Duplex, proof: PeerProof | null): Judgement<P> | Promise<Judgement<P>>;
  /** What to show who comes over a link. */
  prove?(connection: Duplex): PeerProof | null | Promise<PeerProof | null>;
  /** A session that already came through here is a cycle. */
  readonly instance?: string;
  onSession(session: AcceptedSession<P>): void;
  /** A session's link was taken up again, or another one took its place: by whom, newly judged. */
  onReturn?(session: AcceptedSession<P>, principal: P): void;
  /** Seconds for which outcomes of calls are kept by whoever runs the servers (docs/WIRE.md 3). */
  readonly once?: number | undefined;
  /** Which ledger they are in, where a share may have several hosts. */
  readonly ledger?: string | undefined;
  /** What is known of the servers of a session that is not here any more: `gone`, they lived in this process and as long as
   *  the session; `told`, whoever serves the session tells its client itself what is lost. Absent: nothing is known. */
  readonly lostServers?: 'gone' | 'told' | undefined;
  readonly limits?: Limits;
  /** Sessions of other shares of this host: `limits.sessions` is for all of them. */
  readonly elsewhere?: () => number;
  /** Why no new session is taken now; those that are here go on, and broken links may be taken up again. `returning`: it is
   *  one that its client had before, at a predecessor. */
  readonly turnAway?: (returning: boolean) => Refusal | undefined;
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

const EVENTS_TYPE = 'text/event-stream';
/** A chain of gateways longer than this is a mistake. */
const MAX_VIA = 8;
/** A full host wants to be asked again after this. */
const RETRY_MS = 1000;
const FULL: Refusal = { code: 'busy', reason: 'too many sessions are open here', retryMs: RETRY_MS };

export class Acceptor<P extends Peer = Peer> {
  private readonly options: AcceptorOptions<P>;
  private readonly limits: Limits;
  private readonly links: LinkHost<P>;
  private readonly held: Holder<P>;
  private readonly accepted = new WeakMap<Transport, AcceptedSession<P>>();
  private readonly bare = new Set<Transport>();
  /** Who is at the other end of each HTTP connection, and who sent a request that says so itself. */
  private readonly overHttp = new WeakMap<Duplex | IncomingMessage, Judgement<P>>();
  private http: Promise<HttpDoor> | undefined;
  private httpCount: () => number = () => 0;
  private closed = false;

  constructor(options: AcceptorOptions<P>) {
    this.options = options;
    this.limits = options.limits ?? LIMITS;
    const back = (session: Transport | undefined, principal: P): void => {
      const accepted = session && this.accepted.get(session);
      if (accepted) options.onReturn?.(accepted, principal);
    };
    this.held = new Holder({
      clock: SYSTEM_CLOCK,
      awayMs: this.limits.linkClosedWindowMs,
      onReturn: back,
      onSession: (session, { principal, session: name, via, by, returning }) => {
        const accepted: AcceptedSession<P> = {
          transport: session,
          protocol: 'link',
          session: principal.id === NOBODY_IN_PARTICULAR ? randomBytes(16).toString('hex') : name,
          principal,
          via,
          by,
          returning,
          get link() {
            return session.link;
          },
        };
        this.accepted.set(session, accepted);
        options.onSession(accepted);
      },
    });
    this.links = new LinkHost({
      by: options.by,
      once: options.once,
      ledger: options.ledger,
      limits: this.limits,
      log: options.log,
      judge: (connection, proof) => options.judge(connection, proof),
      proof: (connection) => options.prove?.(connection) ?? null,
      refuse: (info) => this.refuse(info),
      onReturn: (link, principal) => back(this.held.of(link), principal),
      before: (info) => this.held.doubt(info),
      awaits: (info) => this.held.awaits(info),
      onLink: (link, info) => {
        if (this.held.take(link, info)) return true;
        return options.lostServers === undefined ? undefined : options.lostServers === 'told';
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
      this.held.close(),
      this.links.close(reason),
      ...[...this.bare].map((transport) => transport.close(reason)),
      this.http?.then((http) => http.close()),
    ]);
  }

  private take(connection: Duplex, protocol: AcceptedSession<P>['protocol'], head: Buffer): void {
    if (this.closed) {
      connection.destroy();
    } else if (protocol === 'link') {
      this.links.accept(connection, head);
    } else if (protocol === 'http') {
      void this.takeHttp(connection, head);
    } else {
      void this.takeBare(connection, head);
    }
  }

  private async takeBare(connection: Duplex, head: Buffer): Promise<void> {
    const judged = await this.options.judge(connection, null);
    if (this.closed || connection.destroyed) {
      connection.destroy();
    } else if (!('principal' in judged)) {
      const refused = 'refused' in judged ? judged.refused : NOBODY;
      this.options.log.info({ code: refused.code, protocol: 'ndjson' }, 'caller refused');
      turnAway(connection, refusalOf(refused));
    } else {
      this.openBare(connection, head, judged.principal);
    }
  }

  private openBare(connection: Duplex, head: Buffer, principal: P): void {
    const refused = this.noRoom();
    if (refused) {
      turnAway(connection, errorMessage('null', 'busy', refused.reason, { retryAfterMs: refused.retryMs ?? RETRY_MS }));
      return;
    }
    if (head.length > 0) connection.unshift(head);
    const transport = streamTransport({ input: connection, output: connection, limits: this.limits });
    this.bare.add(transport);
    connection.once('close', () => this.bare.delete(transport));
    this.options.onSession(this.unlinked(transport, 'ndjson', principal));
  }

  private async takeHttp(connection: Duplex, head: Buffer): Promise<void> {
    this.http ??= this.openHttp();
    const [http, judged] = await Promise.all([this.http, this.options.judge(connection, null)]);
    if ('refused' in judged) {
      this.options.log.info({ code: judged.refused.code, protocol: 'http' }, 'caller refused');
    }
    this.overHttp.set(connection, judged);
    if (head.length > 0) connection.unshift(head);
    http.accept(connection);
    // It was paused while its first bytes were looked at, and an HTTP server does not resume what it is given.
    connection.resume();
  }

  /** Loaded with the first HTTP connection only: our own programs speak link. */
  private async openHttp(): Promise<HttpDoor> {
    const { createHttpConnections, createHttpSessions, refuse } = await import('./transports/http/index.ts');
    const { by, log, onSession } = this.options;
    const sessions = createHttpSessions({
      by,
      log,
      limits: this.limits,
      maxSessions: this.limits.sessions,
      elsewhere: () => (this.noRoom() ? Number.POSITIVE_INFINITY : this.open() - this.httpCount()),
      sharedBy: (request) => this.sharedBy(request),
      ownerOf: (request) => this.idOf(request),
      onSession: (transport, { request, by: claimed }) => {
        const judged = this.judgementOf(request);
        // Requests of who was refused never get this far.
        if (!judged || !('principal' in judged)) throw new TypeError('a session of nobody');
        onSession({ ...this.unlinked(transport, 'http', judged.principal), by: claimed });
      },
    });
    this.httpCount = () => sessions.count();
    const connections = createHttpConnections({
      headersMs: this.limits.handshakeMs,
      handle: (request, response) => {
        const serve = (judged: Judgement<P> | undefined, status: 401 | 403): void => {
          const refused = judged && 'refused' in judged ? judged.refused : NOBODY;
          if (judged && 'principal' in judged) this.serveHttp(sessions, request, response);
          else if (request.headers.accept === EVENTS_TYPE) refuseStream(response, refused, status);
          else void refuse(request, response, forbidden(refused, status));
        };
        if (request.headers.origin !== undefined) return refuseOrigin(response);
        const bearer = takeBearer(request);
        if (bearer === undefined) return serve(this.overHttp.get(request.socket), 403);
        void this.judgeBearer(request, bearer).then((judged) => serve(judged, 401));
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

  /** Who finds no session here, and gets none, shall find whoever takes new ones: by another connection. */
  private serveHttp(sessions: HttpSessions, request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    if (this.options.turnAway?.(false)) response.once('finish', () => response.statusCode >= 400 && socket.end());
    sessions.handle(request, response);
  }

  /** A request that brings a token is its token's, whoever the connection is. */
  private async judgeBearer(request: IncomingMessage, bearer: string): Promise<Judgement<P>> {
    const judged = await this.options.judge(request.socket, { access: { bearer } });
    if ('refused' in judged) this.options.log.info({ code: judged.refused.code, protocol: 'http' }, 'caller refused');
    this.overHttp.set(request, judged);
    return judged;
  }

  private judgementOf(request: IncomingMessage): Judgement<P> | undefined {
    return this.overHttp.get(request) ?? this.overHttp.get(request.socket);
  }

  private idOf(request: IncomingMessage): string {
    const judged = this.judgementOf(request);
    return judged && 'principal' in judged ? judged.principal.id : NOBODY_IN_PARTICULAR;
  }

  /** Modern requests have no session: those of one principal share one. Of somebody unproven it is only known that one
   *  connection is one caller; of a token of an issuer, that another one of the same person may give other rights. */
  private sharedBy(request: IncomingMessage): string | undefined {
    const id = this.idOf(request);
    if (id === NOBODY_IN_PARTICULAR) return undefined;
    const judged = this.overHttp.get(request);
    return judged && 'principal' in judged ? `${id}\n${judged.principal.stamp ?? ''}` : id;
  }

  private unlinked(transport: Transport, protocol: 'ndjson' | 'http', principal: P): AcceptedSession<P> {
    const session = randomBytes(16).toString('hex');
    return { transport, protocol, session, principal, via: [], by: undefined, returning: false, link: undefined };
  }

  private noRoom(): Refusal | undefined {
    return this.options.turnAway?.(false) ?? (this.full() ? FULL : undefined);
  }

  private full(): boolean {
    return this.open() >= this.limits.sessions;
  }

  private open(): number {
    return (
      this.links.count() + this.held.waiting + this.bare.size + this.httpCount() + (this.options.elsewhere?.() ?? 0)
    );
  }

  private refuse(info: LinkInfo<P>): Refusal | undefined {
    const { via, returning } = info;
    const { instance } = this.options;
    if (instance !== undefined && via.includes(instance)) {
      return { code: 'cycle', reason: 'this gateway is a backend of itself, through others' };
    }
    if (via.length >= MAX_VIA) return { code: 'cycle', reason: `more than ${MAX_VIA} gateways in a row` };
    const away = this.options.turnAway?.(returning);
    // Who comes back to a session that is here is no new one.
    if (away && !this.held.awaits(info)) return away;
    return this.full() && !this.held.makeRoom() ? FULL : undefined;
  }
}

/** A share is for programs: a browser that got here was tricked into it. */
function refuseOrigin(response: ServerResponse): void {
  response.writeHead(403, { 'content-type': 'text/plain', connection: 'close' }).end('a share is not for web pages\n');
}

/** One line, for peers that may not understand it. */
function turnAway(connection: Duplex, { bytes }: Message): void {
  farewell(connection, `${bytes.toString('utf8')}\n`, SYSTEM_CLOCK);
}

function refusalOf({ code, reason, retryMs }: Refusal): Message {
  return errorMessage('null', 'refused', reason, { code, ...(retryMs !== undefined && { retryAfterMs: retryMs }) });
}

const NOBODY = { code: 'peer_refused', reason: 'nobody knows who this is' };

/** For clients of the older transport: the Go original looks at no status, but it shows its user the name of a first event
 *  that is not the one it waits for (modelcontextprotocol/go-sdk, sse.go). */
function refuseStream(response: ServerResponse, refused: Refusal, status: 401 | 403): void {
  const event = `event: ${refused.reason.replace(/[\r\n]+/g, ' ')}\ndata: ${refusalOf(refused).bytes.toString('utf8')}\n\n`;
  response.writeHead(status, { ...headersOf(status), 'content-type': EVENTS_TYPE }).end(event);
}

function forbidden({ code, reason }: Refusal, status: 401 | 403) {
  return { status, name: 'refused', text: reason, headers: headersOf(status), data: { code } } as const;
}

/** RFC 6750 3.1: a token that is no good. */
function headersOf(status: 401 | 403) {
  return { connection: 'close', ...(status === 401 && { 'www-authenticate': 'Bearer error="invalid_token"' }) };
}

/** The token of a request, which goes no further than here: no session and no server behind ever sees it. */
function takeBearer(request: IncomingMessage): string | undefined {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
  delete request.headers.authorization;
  request.rawHeaders = [];
  return bearer;
}
