// One HTTP request of ours to one server: connections (a network's, or what `connect` dials on an overlay), redirects
// within the origin, and failures in words a person can act on.
// Invariant: configured headers go to the configured origin and nowhere else. No path or query is ever told in an error.

import http, { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { discard } from './body.ts';
import { ConnectTimeout, failureOf, HttpFailure } from './dial-failure.ts';
import { HEADER_BYTES, type HttpLog } from './wire.ts';

const MAX_REDIRECTS = 5;
/** Redirects that keep method and body; 303 would turn a message into a GET. */
const REDIRECTS = new Set([301, 302, 307, 308]);
/** Idle connections are dropped before common servers (5 s) drop them: a POST that meets a closing one is lost. */
const IDLE_MS = 4000;

export interface DialerOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Reads them anew. */
  readonly renew?: (() => Promise<Readonly<Record<string, string>>>) | undefined;
  readonly log?: HttpLog;
  /** Dials a connection of its own for each HTTP connection. undefined: the machine's network. */
  readonly connect: ((signal: AbortSignal) => Promise<Duplex>) | undefined;
  readonly tls: { readonly ca?: string | Buffer; readonly insecureSkipVerify?: boolean };
  readonly connectTimeoutMs: number;
  readonly maxConnections: number;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: OutgoingHttpHeaders;
  readonly body?: Buffer;
  /** Another path of the same origin than the configured one. */
  readonly url?: URL;
  readonly signal: AbortSignal;
  /** May be sent again when a kept connection turns out to be closed by the server. */
  readonly repeatable: boolean;
  /** The body has been handed to the connection, or never will be. */
  readonly onSent?: () => void;
}

/** The head of it, and the address it came from. */
export interface Answer {
  readonly response: IncomingMessage;
  readonly url: URL;
}

export class Dialer {
  readonly url: URL;
  readonly #options: DialerOptions;
  readonly #agent: http.Agent;
  #headers: Readonly<Record<string, string>>;
  #renewing: Promise<void> | undefined;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#headers = options.headers;
    this.url = options.url;
    this.#agent = agentOf(options);
  }

  /** Resolves with the head of the answer, redirects followed, and the address it came from. A login that is refused is
   *  read anew, once: 401 says that nothing was done, so with another one the request is sent again; after 403 only what
   *  may be sent twice. */
  async request(request: HttpRequest): Promise<Answer> {
    const used = this.#headers;
    const answer = await this.#followed(request);
    const status = answer.response.statusCode;
    if ((status !== 401 && status !== 403) || this.#options.renew === undefined) return answer;
    if (this.#headers === used) await this.#renew(this.#options.renew);
    if (this.#headers === used || request.signal.aborted) return answer;
    if (status === 403 && !request.repeatable) return answer;
    this.#drop(answer.response);
    return this.#followed(request);
  }

  async #renew(read: () => Promise<Readonly<Record<string, string>>>): Promise<void> {
    this.#renewing ??= read()
      .then(
        (headers) => {
          if (!sameHeaders(headers, this.#headers)) this.#headers = headers;
        },
        (error: unknown) => {
          const reason = error instanceof Error ? error.message : String(error);
          this.#options.log?.warn({ host: this.url.host, reason }, 'the login could not be read anew');
        },
      )
      .finally(() => {
        this.#renewing = undefined;
      });
    await this.#renewing;
  }

  async #followed(request: HttpRequest): Promise<Answer> {
    let url = request.url ?? this.url;
    for (let redirects = 0; ; redirects += 1) {
      const response = await this.#once(request, url, request.repeatable);
      const { location } = response.headers;
      if (location === undefined || !REDIRECTS.has(response.statusCode ?? 0)) return { response, url };
      this.#drop(response);
      url = this.#follow(url, location, redirects);
    }
  }

  #drop(response: IncomingMessage): void {
    void discard(response, { bytes: 64 * 1024, ms: 1000 }).then((whole) => whole || response.destroy());
  }

  close(): void {
    this.#agent.destroy();
  }

  #follow(from: URL, location: string, redirects: number): URL {
    const host = this.url.host;
    const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
    if (to === undefined) {
      throw new HttpFailure(`${host} redirects to something that is no address`, { mayHaveArrived: false });
    }
    if (to.origin !== this.url.origin) {
      throw new HttpFailure(`${host} redirects to ${to.origin}, which is not followed`, {
        mayHaveArrived: false,
        hint: `if that is right, configure the address at ${to.origin} itself`,
      });
    }
    if (redirects >= MAX_REDIRECTS) {
      throw new HttpFailure(`${host} redirects more than ${MAX_REDIRECTS} times`, { mayHaveArrived: false });
    }
    return to;
  }

  #once(request: HttpRequest, url: URL, again: boolean): Promise<IncomingMessage> {
    const { method, body, signal } = request;
    const headers: OutgoingHttpHeaders = {
      'user-agent': 'mcp-overlay',
      ...this.#headers,
      'accept-encoding': 'identity',
      ...request.headers,
    };
    if (body !== undefined) headers['content-length'] = body.length;
    return new Promise((resolve, reject) => {
      const make = url.protocol === 'https:' ? https.request : http.request;
      const out: ClientRequest = make({
        method,
        headers,
        agent: this.#agent,
        host: unbracketed(url.hostname),
        port: url.port === '' ? undefined : Number(url.port),
        path: url.pathname + url.search,
        maxHeaderSize: HEADER_BYTES,
        signal,
      });
      let connected = false;
      out.on('socket', (socket) => {
        if (!(socket as { connecting?: boolean }).connecting) connected = true;
        else socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => (connected = true));
      });
      out.on('finish', () => request.onSent?.());
      out.on('response', (response) => {
        response.on('error', () => {});
        resolve(response);
      });
      out.on('error', (error) => {
        const stale = out.reusedSocket && CUT.has((error as { code?: string }).code ?? '');
        if (stale && again && !signal.aborted) return resolve(this.#once(request, url, false));
        request.onSent?.();
        reject(failureOf(error, url, connected));
      });
      out.end(body);
    });
  }
}

function sameHeaders(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

type Done = (error: Error | null, stream?: Duplex) => void;

function agentOf(options: DialerOptions): http.Agent {
  const { connect, tls, connectTimeoutMs } = options;
  const common = {
    keepAlive: true,
    maxSockets: options.maxConnections,
    maxFreeSockets: 4,
    scheduling: 'lifo' as const,
  };
  if (connect !== undefined) return overlayAgent(new http.Agent(common), connect, connectTimeoutMs);
  if (options.url.protocol !== 'https:')
    return limited(new http.Agent({ ...common, timeout: IDLE_MS }), connectTimeoutMs);
  const { ca, insecureSkipVerify = false } = tls;
  const agent = new https.Agent({
    ...common,
    timeout: IDLE_MS,
    rejectUnauthorized: !insecureSkipVerify,
    ...(ca === undefined ? {} : { ca }),
  });
  return limited(agent, connectTimeoutMs);
}

/** A connection (TLS included) that is not there in time is given up. */
function limited<A extends http.Agent>(agent: A, timeoutMs: number): A {
  const dial = agent.createConnection.bind(agent) as (options: object, done?: Done) => Duplex;
  const secure = agent instanceof https.Agent;
  return Object.assign(agent, {
    createConnection(options: object, done?: Done): Duplex {
      const socket = dial(options, done);
      const timer = setTimeout(() => socket.destroy(new ConnectTimeout(timeoutMs)), timeoutMs);
      const stop = (): void => clearTimeout(timer);
      socket.once(secure ? 'secureConnect' : 'connect', stop).once('close', stop);
      return socket;
    },
  });
}

function overlayAgent(
  agent: http.Agent,
  connect: (signal: AbortSignal) => Promise<Duplex>,
  timeoutMs: number,
): http.Agent {
  return Object.assign(agent, {
    createConnection(_options: object, done: Done): undefined {
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(new ConnectTimeout(timeoutMs)), timeoutMs);
      connect(abort.signal)
        .then(
          (stream) => done(null, likeSocket(stream)),
          (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
        )
        .finally(() => clearTimeout(timer));
      return undefined;
    },
  });
}

/** Node's agent keeps connections with methods of TCP sockets. A Duplex of an overlay has none, and needs none. */
function likeSocket(stream: Duplex): Duplex {
  for (const name of ['ref', 'unref', 'setKeepAlive', 'setNoDelay', 'setTimeout']) {
    if (!(name in stream)) Object.assign(stream, { [name]: () => stream });
  }
  return stream;
}

const CUT = new Set(['ECONNRESET', 'EPIPE']);

/** `[::1]` in an address is `::1` for a socket. */
function unbracketed(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}
