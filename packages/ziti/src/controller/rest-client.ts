// HTTP to controllers: one keep-alive agent with our certificate, a deadline and a size cap for each answer. Knows TLS and
// sockets, nothing of Ziti's JSON. Redirects are answers like others.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, type AgentOptions, type RequestOptions, request } from 'node:https';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect } from 'node:tls';
import type { OpenSocket } from '../channel/underlay.ts';
import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { aborted, closedClient, timedOut, tooLarge, unreachable } from './unanswered.ts';

export interface RestRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly type: string; readonly text: string };
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface RestAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface RestClient {
  /** Any status is an answer; rejects with a ZitiError that names the controller when there is none. */
  send(request: RestRequest): Promise<RestAnswer>;
  /** Ends all connections; what is under way rejects with `controller_closed`, as does everything later. */
  close(): void;
}

export interface RestClientOptions {
  /** Key, certificate, CAs; a pinned certificate during enrollment. */
  readonly tls: Pick<ConnectionOptions, 'key' | 'cert' | 'ca' | 'allowPartialTrustChain' | 'checkServerIdentity'>;
  readonly timeoutMs?: number;
  readonly maxAnswerBytes?: number;
  /** The way through a proxy; without it connections are direct. */
  readonly openSocket?: OpenSocket | undefined;
}

/** The C SDK waits 15 s for a controller, Go 30 s. */
export const REQUEST_TIMEOUT_MS = 15_000;
const MAX_SOCKETS = 8;
/** Below the idle time of Go's HTTP servers, so that they rarely close a connection that we are about to use. */
const IDLE_MS = 30_000;

export function createRestClient(options: RestClientOptions): RestClient {
  const agent = new ControllerAgent(options.openSocket, {
    ...options.tls,
    keepAlive: true,
    maxSockets: MAX_SOCKETS,
    timeout: IDLE_MS,
    scheduling: 'lifo',
  });
  const limits = {
    timeoutMs: options.timeoutMs ?? REQUEST_TIMEOUT_MS,
    maxAnswerBytes: options.maxAnswerBytes ?? LIMITS.answerBytes,
  };
  let closed = false;
  return {
    async send(asked) {
      try {
        if (closed) throw new Error('closed');
        return await sendAgain(asked);
      } catch (error) {
        throw closed ? closedClient(error) : error;
      }
    },
    close() {
      closed = true;
      agent.destroy();
    },
  };

  async function sendAgain(asked: RestRequest): Promise<RestAnswer> {
    // 'stale': the controller closed an idle connection while our request was on its way, so nobody saw it. Each time
    // the pool has one connection less, and a new one cannot be stale.
    let answer = await exchange(agent, asked, limits);
    while (answer === 'stale') answer = await exchange(agent, asked, limits);
    return answer;
  }
}

class ControllerAgent extends Agent {
  readonly #openSocket: OpenSocket | undefined;

  constructor(openSocket: OpenSocket | undefined, options: AgentOptions) {
    super(options);
    this.#openSocket = openSocket;
  }

  override createConnection(
    options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    if (this.#openSocket === undefined) return super.createConnection(options, callback);
    const target = { host: String(options.host ?? options.hostname), port: Number(options.port ?? 443) };
    this.#openSocket(target).then(
      (socket) => callback?.(null, connect({ ...(options as ConnectionOptions), ...(socket ? { socket } : {}) })),
      (error: Error) => callback?.(error, undefined as never),
    );
    return undefined;
  }
}

type Limits = { readonly timeoutMs: number; readonly maxAnswerBytes: number };

function exchange(agent: Agent, asked: RestRequest, limits: Limits): Promise<RestAnswer | 'stale'> {
  const { method, url, body, signal } = asked;
  const { host } = new URL(url);
  const timeoutMs = asked.timeoutMs ?? limits.timeoutMs;
  return new Promise((resolve, reject) => {
    const settle = (outcome: RestAnswer | 'stale' | ZitiError): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      if (outcome instanceof ZitiError) {
        reject(outcome);
        call.destroy();
      } else resolve(outcome);
    };
    const onAbort = (): void => settle(aborted(signal?.reason));
    const headers = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': body.type, 'content-length': Buffer.byteLength(body.text) }),
      ...asked.headers,
    };
    const call = request(url, { method, headers, agent });
    const timer = setTimeout(() => settle(timedOut(host, timeoutMs)), timeoutMs);
    let answered = false;
    call.on('error', (error: NodeJS.ErrnoException) => {
      settle(call.reusedSocket && !answered ? 'stale' : unreachable(host, error));
    });
    call.on('response', (response) => {
      answered = true;
      readAnswer(response, limits.maxAnswerBytes, host).then(settle, settle);
    });
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort);
    call.end(body?.text);
  });
}

async function readAnswer(response: IncomingMessage, maxBytes: number, host: string): Promise<RestAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(host, maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof ZitiError ? error : unreachable(host, error as NodeJS.ErrnoException);
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}
