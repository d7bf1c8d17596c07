// The HTTP door: a plain node:http request handler that turns requests into sessions, each a Transport for its owner.
// A request is told by its method, path and headers (`handle`), checked in the order of the status table below, its body
// read and judged, and handed to its session (./streamable-session, ./sse-session, ./stateless).
// Who may come in (Host, Origin, secrets) is decided before this file; it trusts its caller on that.
//
// A request that carries a modern envelope, or names a modern revision, has no session: ./modern-session.
//
// 405 method · 404 path, session ended or unknown · 400 session id missing, version · 406 Accept · 415 Content-Type
// 413 body · 400 JSON (-32700), batch or no JSON-RPC (-32600) · 503 too many · 202 notification or response
// modern: 400 envelope (-32602), headers (-32020), version (-32022)

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { BATCH_VERSION, splitBatch } from '../../batches.ts';
import { claimsModern, MODERN_VERSIONS, paramsOf, refuseEnvelope } from '../../eras/envelope.ts';
import { RPC_ERRORS } from '../../errors.ts';
import { isFault, readMessage } from '../../json-rpc.ts';
import { LIMITS, type Limits } from '../../limits.ts';
import type { Message } from '../../message.ts';
import { DONE, type Transport } from '../../transport.ts';
import { BodyBudget, readBody } from './body.ts';
import { compactJson } from './compact.ts';
import { mismatch } from './modern-headers.ts';
import { ModernSession } from './modern-session.ts';
import {
  again,
  bodyRefusal,
  brokenEnvelope,
  busy,
  faultRefusal,
  header,
  headerMismatch,
  idOf,
  inUse,
  missing,
  notAcceptable,
  unknownSession,
  wrongKind,
  wrongPost,
  wrongType,
  wrongVersion,
} from './refusals.ts';
import { empty, type Refusal, refuse } from './reply.ts';
import { SseSession } from './sse-session.ts';
import { StatelessSession } from './stateless.ts';
import { StreamableSession } from './streamable-session.ts';
import {
  accepts,
  BODY_IDLE_MS,
  EVENTS_TYPE,
  type HttpLog,
  LAST_EVENT_HEADER,
  SESSION_HEADER,
  SILENT,
  VERSION_HEADER,
} from './wire.ts';

/** Half-read bodies of all requests together, in messages of the largest size. */
const BODIES_AT_ONCE = 8;
/** When room is short, a session that has had no connection for this long makes way. */
const YIELD_AFTER_MS = 60_000;

export interface HttpSessionInfo {
  /** What the client says it is (User-Agent): a claim. */
  readonly by?: string;
  readonly kind: 'streamable' | 'sse' | 'stateless' | 'modern';
  /** Its first request: for whoever knows who sent it. */
  readonly request: IncomingMessage;
}

export interface HttpSessionsOptions {
  onSession(transport: Transport, info: HttpSessionInfo): void;
  readonly limits?: Limits;
  readonly log?: HttpLog;
  /** Answers a POST with JSON when nothing has to be sent before the answer. */
  readonly jsonResponse?: boolean;
  readonly stateless?: boolean;
  /** The older transport as well. Default true. */
  readonly sse?: boolean;
  /** Last segments of the two paths, e.g. `mcp` and `sse`: anything else is 404. Without it every path is taken and the
   *  method decides, as with the Go original (a GET without a session opens one of the older transport). */
  readonly paths?: { readonly streamable: string; readonly sse: string };
  readonly idleMs?: number;
  readonly maxSessions?: number;
  /** Sessions beside these that count to it. Infinity: none is taken now, and none is ended to make room. */
  readonly elsewhere?: () => number;
  readonly keepAliveMs?: number;
  /** Modern requests with the same name here share a session: the era has none that could tell them apart. undefined: only
   *  those of one connection do. Default: all. */
  readonly sharedBy?: (request: IncomingMessage) => string | undefined;
  /** Whose a request is: a session goes on only with requests of whoever began it. Default: one owner of all. */
  readonly ownerOf?: (request: IncomingMessage) => string;
  /** Program and version, for the session that `stateless` opens by itself. */
  readonly by?: string;
}

export interface HttpSessions {
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Ends every session and every stream. Idempotent. */
  close(): Promise<void>;
  count(): number;
}

export function createHttpSessions(options: HttpSessionsOptions): HttpSessions {
  const door = new HttpDoor(options);
  return {
    handle: (request, response) => door.handle(request, response),
    close: () => door.close(),
    count: () => door.count(),
  };
}

class HttpDoor {
  readonly #options: HttpSessionsOptions;
  readonly #limits: Limits;
  readonly #log: HttpLog;
  readonly #maxSessions: number;
  readonly #idleMs: number;
  readonly #budget: BodyBudget;
  readonly #streamable = new Map<string, StreamableSession>();
  readonly #sse = new Map<string, SseSession>();
  /** By whom they are shared. */
  readonly #modern = new Map<string | Duplex, ModernSession>();
  readonly #owners = new WeakMap<Transport, string | undefined>();
  readonly #ending = new Set<Promise<void>>();
  #stateless: StatelessSession | undefined;
  #tick: NodeJS.Timeout;
  #closed = false;

  constructor(options: HttpSessionsOptions) {
    this.#options = options;
    this.#limits = options.limits ?? LIMITS;
    this.#log = options.log ?? SILENT;
    this.#maxSessions = options.maxSessions ?? this.#limits.sessions;
    this.#idleMs = options.idleMs ?? 900_000;
    this.#budget = new BodyBudget(BODIES_AT_ONCE * this.#limits.messageBytes);
    this.#tick = setInterval(() => this.#keepAlive(), options.keepAliveMs ?? 15_000);
    this.#tick.unref();
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => {});
    request.on('error', () => {});
    this.#serve(request, response).catch((error: unknown) => {
      this.#log.warn({ error: String(error) }, 'http request failed');
      response.destroy();
    });
  }

  count(): number {
    return this.#streamable.size + this.#sse.size + this.#modern.size + (this.#stateless === undefined ? 0 : 1);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#tick);
    const sessions = [...this.#streamable.values(), ...this.#sse.values(), ...this.#modern.values()];
    for (const session of sessions) this.#end(session.end(DONE));
    if (this.#stateless !== undefined) this.#end(this.#stateless.end(DONE));
    await Promise.all(this.#ending);
  }

  // --- which session ----------------------------------------------------------------------------------------------

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const no = (refusal: Refusal): Promise<void> => refuse(request, response, refusal);
    if (this.#closed) return no(busy('this server is going away'));
    const url = targetOf(request);
    const kind = this.#kindOf(url.pathname);
    if (kind === undefined) return no({ status: 404, name: 'invalid_request', text: 'nothing is served at this path' });
    const session = header(request, SESSION_HEADER);
    const sse = url.searchParams.get('sessionid') ?? url.searchParams.get('sessionId');
    if (request.method === 'POST') {
      if (sse !== null && kind !== 'streamable') return this.#postSse(request, response, sse);
      if (kind === 'sse') return no(missing('sessionid'));
      if (MODERN_VERSIONS.includes(header(request, VERSION_HEADER) ?? '')) return this.#postModern(request, response);
      if (this.#options.stateless === true) return this.#postStateless(request, response);
      return this.#postStreamable(request, response, session);
    }
    const isSseGet = kind === 'sse' || (kind === 'any' && session === undefined);
    if (request.method === 'GET' && isSseGet && this.#options.sse !== false && !this.#onlyPosts(kind)) {
      return this.#openSse(request, response, url);
    }
    const known = kind === 'sse' || this.#onlyPosts(kind) ? ['POST'] : ['GET', 'POST', 'DELETE'];
    if (!known.includes(request.method ?? '') || request.method === 'POST') {
      const allow = kind === 'sse' && this.#options.sse !== false ? 'GET, POST' : known.join(', ');
      const text = `this method is not served here; use ${allow}`;
      return no({ status: 405, name: 'invalid_request', text, headers: { allow } });
    }
    return this.#getOrDelete(request, response, session);
  }

  #onlyPosts(kind: 'any' | 'streamable' | 'sse'): boolean {
    return this.#options.stateless === true && kind !== 'sse';
  }

  #kindOf(path: string): 'any' | 'streamable' | 'sse' | undefined {
    const { paths } = this.#options;
    if (paths === undefined) return 'any';
    const last = path.slice(path.lastIndexOf('/') + 1);
    if (last === paths.streamable) return 'streamable';
    return last === paths.sse && this.#options.sse !== false ? 'sse' : undefined;
  }

  // --- Streamable HTTP --------------------------------------------------------------------------------------------

  async #postStreamable(request: IncomingMessage, response: ServerResponse, id: string | undefined): Promise<void> {
    const no = (refusal: Refusal): Promise<void> => refuse(request, response, refusal);
    const session = id === undefined ? undefined : this.#owned(this.#streamable.get(id), request);
    if (id !== undefined && session === undefined) return no(unknownSession());
    const wrong = wrongPost(request) ?? (session === undefined ? undefined : wrongVersion(request));
    if (wrong !== undefined) return no(wrong);
    await session?.ready();
    const messages = await this.#readSome(request, session?.batches === true);
    if ('status' in messages) return no(messages);
    if (response.destroyed) return;
    const [message] = messages;
    if (messages.length > 1) return this.#postBatch(messages, request, response, session);
    if (message.kind === 'request' && claimsModern(message)) return this.#takeModern(message, request, response);
    if (message.method === 'initialize' && message.kind === 'request') {
      if (session !== undefined) return no(again(message));
      return this.#initialize(message, request, response);
    }
    // A client of a newer revision asks without a session, and goes back to an older one by what it is told here.
    if (session === undefined) return no({ ...(wrongVersion(request) ?? missing(SESSION_HEADER)), ...idOf(message) });
    // It may have ended while the body came.
    if (this.#streamable.get(session.id) !== session) return no({ ...unknownSession(), ...idOf(message) });
    if (message.kind !== 'request') {
      session.accept(message);
      return empty(response, 202);
    }
    if (session.has(message.id ?? 'null')) return no(inUse(message));
    if (session.full) return no({ ...busy('too many requests of this session are open'), ...idOf(message) });
    session.request(messages, response, header(request, VERSION_HEADER));
  }

  async #postBatch(
    messages: readonly Message[],
    request: IncomingMessage,
    response: ServerResponse,
    session: StreamableSession | undefined,
  ): Promise<void> {
    const no = (refusal: Refusal): Promise<void> => refuse(request, response, refusal);
    if (session === undefined || this.#streamable.get(session.id) !== session) return no(unknownSession());
    const requests = messages.filter(({ kind }) => kind === 'request');
    const greeting = requests.find(({ method }) => method === 'initialize');
    if (greeting !== undefined) return no(again(greeting));
    const ids = requests.map(({ id = 'null' }) => id);
    const twice = requests.find(({ id = 'null' }, at) => session.has(id) || ids.indexOf(id) < at);
    if (twice !== undefined) return no(inUse(twice));
    if (session.full) return no(busy('too many requests of this session are open'));
    if (requests.length > 0) return session.request(messages, response, header(request, VERSION_HEADER));
    for (const message of messages) session.accept(message);
    empty(response, 202);
  }

  #initialize(message: Message, request: IncomingMessage, response: ServerResponse): void | Promise<void> {
    if (!this.#hasRoom())
      return refuse(request, response, { ...busy('too many sessions are open here'), ...idOf(message) });
    const session = new StreamableSession({
      limits: this.#limits,
      log: this.#log,
      jsonResponse: this.#options.jsonResponse === true,
      onClosed: (closed) => this.#streamable.delete(closed.id),
    });
    this.#streamable.set(session.id, session);
    session.request([message], response, undefined);
    this.#announce(session, 'streamable', request);
  }

  async #getOrDelete(request: IncomingMessage, response: ServerResponse, id: string | undefined): Promise<void> {
    const no = (refusal: Refusal): Promise<void> => refuse(request, response, refusal);
    if (id === undefined) return no(missing(SESSION_HEADER));
    const session = this.#owned(this.#streamable.get(id), request);
    if (session === undefined) return no(unknownSession());
    const wrong = wrongVersion(request);
    if (wrong !== undefined) return no(wrong);
    if (request.method === 'DELETE') {
      this.#end(session.end(DONE));
      return empty(response, 200);
    }
    if (!accepts(header(request, 'accept') ?? '', EVENTS_TYPE)) return no(notAcceptable(EVENTS_TYPE));
    if (!session.listen(response, header(request, LAST_EVENT_HEADER), header(request, VERSION_HEADER))) {
      const text = 'the stream of this Last-Event-ID is not kept any more';
      return no({ status: 400, name: 'invalid_request', text });
    }
  }

  async #postStateless(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const no = (refusal: Refusal): Promise<void> => refuse(request, response, refusal);
    const wrong = wrongPost(request);
    if (wrong !== undefined) return no(wrong);
    await this.#stateless?.ready();
    // Without a header it is that revision (specification 2025-06-18, "Protocol Version Header").
    const batches = (header(request, VERSION_HEADER) ?? BATCH_VERSION) === BATCH_VERSION;
    const messages = await this.#readSome(request, batches);
    if ('status' in messages) return no(messages);
    const [message] = messages;
    if (message.kind === 'request' && claimsModern(message)) return this.#takeModern(message, request, response);
    if (message.method !== 'initialize') {
      const version = wrongVersion(request);
      if (version !== undefined) return no({ ...version, ...idOf(message) });
    }
    // What a client tells without asking concerns a session it does not have.
    const requests = messages.filter(({ kind }) => kind === 'request');
    if (requests.length === 0) return empty(response, 202);
    const session = this.#stateless ?? this.#openStateless(request);
    if (session.full) return no({ ...busy('too many requests are open here'), ...idOf(message) });
    session.request(requests, response);
  }

  #openStateless(request: IncomingMessage): StatelessSession {
    const session = new StatelessSession({
      limits: this.#limits,
      jsonResponse: this.#options.jsonResponse === true,
      by: this.#options.by ?? 'mcp-overlay',
      onClosed: (closed) => {
        if (this.#stateless === closed) this.#stateless = undefined;
      },
    });
    this.#stateless = session;
    this.#announce(session, 'stateless', request);
    return session;
  }

  // --- the modern era ---------------------------------------------------------------------------------------------

  async #postModern(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const no = (refusal: Refusal): Promise<void> => refuse(request, response, refusal);
    const wrong = wrongPost(request);
    if (wrong !== undefined) return no(wrong);
    await this.#modern.get(this.#sharedBy(request))?.ready();
    const message = await this.#read(request);
    if ('status' in message) return no(message);
    if (!response.destroyed) await this.#takeModern(message, request, response);
  }

  async #takeModern(message: Message, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const no = (refusal: Refusal): Promise<void> => refuse(request, response, { ...refusal, ...idOf(message) });
    if (message.kind === 'response') return no(wrongKind());
    const { method = '' } = message;
    // What takes a request back is the end of its stream; nothing else of a client is known that is no request.
    if (message.kind === 'notification') return empty(response, 202);
    const params = paramsOf(message);
    const envelope = refuseEnvelope(params);
    if (envelope !== undefined && envelope.code === RPC_ERRORS.invalid_params) return no(brokenEnvelope(envelope));
    const standard = mismatch(request.headers, method, params, []);
    if (standard !== undefined) return no(headerMismatch(standard));
    if (envelope !== undefined) return no(brokenEnvelope(envelope));
    const session = this.#modernSession(request);
    if (session === undefined) return no(busy('too many sessions are open here'));
    const wrong = await session.mismatch(request.headers, method, params);
    if (wrong !== undefined) return no(headerMismatch(wrong));
    if (response.destroyed) return;
    if (session.full) return no(busy('too many requests are open here'));
    session.request(message, response);
  }

  #sharedBy(request: IncomingMessage): string | Duplex {
    const { sharedBy } = this.#options;
    return sharedBy === undefined ? '' : (sharedBy(request) ?? request.socket);
  }

  #modernSession(request: IncomingMessage): ModernSession | undefined {
    const by = this.#sharedBy(request);
    const known = this.#modern.get(by);
    if (known !== undefined) return known;
    if (!this.#hasRoom()) return undefined;
    const session = new ModernSession({
      limits: this.#limits,
      log: this.#log,
      onClosed: (closed) => {
        if (this.#modern.get(by) === closed) this.#modern.delete(by);
      },
    });
    this.#modern.set(by, session);
    if (typeof by !== 'string') {
      by.once('close', () => this.#end(session.end({ code: 'done', reason: 'the connection ended' })));
    }
    this.#announce(session, 'modern', request);
    return session;
  }

  // --- HTTP with SSE ----------------------------------------------------------------------------------------------

  async #openSse(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const no = (refusal: Refusal): Promise<void> => refuse(request, response, refusal);
    const accept = header(request, 'accept');
    if (accept !== undefined && !accepts(accept, EVENTS_TYPE)) return no(notAcceptable(EVENTS_TYPE));
    if (!this.#hasRoom()) return no(busy('too many sessions are open here'));
    const session = new SseSession({ limits: this.#limits, onClosed: (closed) => this.#sse.delete(closed.id) });
    this.#sse.set(session.id, session);
    url.searchParams.set('sessionid', session.id);
    session.open(response, url.pathname + url.search);
    this.#announce(session, 'sse', request);
  }

  async #postSse(request: IncomingMessage, response: ServerResponse, id: string): Promise<void> {
    const no = (refusal: Refusal): Promise<void> => refuse(request, response, refusal);
    const session = this.#owned(this.#sse.get(id), request);
    if (session === undefined) return no(unknownSession());
    // Clients of that revision send no Accept with a POST.
    // A newer client that came by the older transport goes on in its own revision: to this session both are messages.
    const modern = MODERN_VERSIONS.includes(header(request, VERSION_HEADER) ?? '');
    const wrong = wrongType(request) ?? (modern ? undefined : wrongVersion(request));
    if (wrong !== undefined) return no(wrong);
    await session.ready();
    const message = await this.#read(request);
    if ('status' in message) return no(message);
    if (this.#sse.get(id) !== session) return no(unknownSession());
    empty(response, 202);
    session.accept(message);
  }

  /** Another's session is answered like one that is not there. */
  #owned<T extends Transport>(session: T | undefined, request: IncomingMessage): T | undefined {
    if (session === undefined || this.#owners.get(session) === this.#options.ownerOf?.(request)) return session;
    this.#log.warn({}, 'a session was asked for by another than its owner');
    return undefined;
  }

  // --- shared -----------------------------------------------------------------------------------------------------

  async #read(request: IncomingMessage): Promise<Message | Refusal> {
    const messages = await this.#readSome(request, false);
    return 'status' in messages ? messages : messages[0];
  }

  /** Several only where the client's revision has batches. */
  async #readSome(request: IncomingMessage, batches: boolean): Promise<readonly [Message, ...Message[]] | Refusal> {
    const maxBytes = this.#limits.messageBytes;
    const body = await readBody(request, { maxBytes, idleMs: BODY_IDLE_MS, budget: this.#budget });
    if (typeof body === 'string') return bodyRefusal(body, maxBytes);
    const message = readMessage(compactJson(body), this.#limits);
    if (!isFault(message)) return [message];
    const parts = batches && message.code === 'batch' ? splitBatch(body, this.#limits) : message;
    const fault = 'code' in parts ? parts : parts.find(isFault);
    return fault === undefined ? (parts as [Message, ...Message[]]) : faultRefusal(fault);
  }

  #announce(transport: Transport, kind: HttpSessionInfo['kind'], request: IncomingMessage): void {
    const by = header(request, 'user-agent')
      ?.replace(/[^\x20-\x7e]/g, '?')
      .slice(0, 100);
    this.#owners.set(transport, this.#options.ownerOf?.(request));
    this.#options.onSession(transport, { kind, request, ...(by === undefined ? {} : { by }) });
  }

  /** Makes room by ending the session that has been without a connection for longest, if it has been for a while. */
  #hasRoom(): boolean {
    const elsewhere = this.#options.elsewhere?.() ?? 0;
    if (this.count() + elsewhere < this.#maxSessions) return true;
    if (elsewhere === Number.POSITIVE_INFINITY) return false;
    let longest: StreamableSession | undefined;
    for (const session of this.#streamable.values()) {
      if ((session.idleSince ?? Number.POSITIVE_INFINITY) < (longest?.idleSince ?? Number.POSITIVE_INFINITY))
        longest = session;
    }
    if (longest?.idleSince === undefined || performance.now() - longest.idleSince < YIELD_AFTER_MS) return false;
    this.#end(longest.end({ code: 'done', reason: 'it had no connection for a while and room was short' }));
    return true;
  }

  #keepAlive(): void {
    const tooOld = performance.now() - this.#idleMs;
    for (const session of [...this.#streamable.values(), ...this.#modern.values()]) {
      if ((session.idleSince ?? Number.POSITIVE_INFINITY) < tooOld) {
        this.#end(session.end({ code: 'done', reason: 'no request and no stream for too long' }));
      } else {
        session.keepAlive();
      }
    }
    for (const session of this.#sse.values()) session.keepAlive();
    this.#stateless?.keepAlive();
  }

  #end(ending: Promise<void>): void {
    this.#ending.add(ending);
    void ending.finally(() => this.#ending.delete(ending));
  }
}

/** The path as the client knows it: what a mount in front cut off is in `originalUrl`, where it has that habit. */
function targetOf(request: IncomingMessage & { originalUrl?: unknown }): URL {
  const target = typeof request.originalUrl === 'string' ? request.originalUrl : (request.url ?? '/');
  try {
    // `//host/path` must not become another host's address in an endpoint event.
    return new URL(target.replace(/^\/+/, '/'), 'http://localhost');
  } catch {
    return new URL('http://localhost/');
  }
}
