// Both ends for tests of the HTTP transports: a door on loopback with scripted owners behind it, a recorder in front of
// a client transport, and plain requests.

import http, { type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isFault, readMessage } from '../../../src/json-rpc.ts';
import { LIMITS } from '../../../src/limits.ts';
import type { Fault, Message } from '../../../src/message.ts';
import type { CloseReason, Transport } from '../../../src/transport.ts';
import {
  createHttpSessions,
  type HttpSessionInfo,
  type HttpSessionsOptions,
} from '../../../src/transports/http/server.ts';

export function line(value: unknown): Message {
  const message = readMessage(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), LIMITS);
  if (isFault(message)) throw new Error(`no message: ${message.code}`);
  return message;
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
export function parsed(message: Message): any {
  return JSON.parse(message.bytes.toString('utf8'));
}

/** All a transport delivered, and waiting for more of it. */
export class Recorder {
  readonly transport: Transport;
  readonly messages: Message[] = [];
  readonly faults: Fault[] = [];
  closed: CloseReason | undefined;
  #waiting: (() => void)[] = [];

  constructor(transport: Transport) {
    this.transport = transport;
    transport.start({
      message: (message) => {
        this.messages.push(message);
        this.#wake();
      },
      fault: (fault) => {
        this.faults.push(fault);
        this.#wake();
      },
      closed: (reason) => {
        if (this.closed !== undefined) throw new Error('closed twice');
        this.closed = reason;
        this.#wake();
      },
    });
  }

  send(value: unknown): boolean {
    return this.transport.send(line(value));
  }

  async until<T>(find: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined && found !== false) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  answer(id: string | number): Promise<ReturnType<typeof parsed>> {
    const text = JSON.stringify(id);
    return this.until(() => this.messages.find((m) => m.kind === 'response' && m.id === text)).then(parsed);
  }

  notice(method: string): Promise<ReturnType<typeof parsed>> {
    return this.until(() => this.messages.find((m) => m.method === method)).then(parsed);
  }

  end(): Promise<CloseReason> {
    return this.until(() => this.closed);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** An MCP server in this process, on the owner's side of a session. */
export class Owner extends Recorder {
  readonly info: HttpSessionInfo;
  /** Calls of `hold`, answered by the test. */
  readonly held: Message[] = [];
  #asked = 0;
  readonly #answers = new Map<string, (answer: ReturnType<typeof parsed>) => void>();

  constructor(transport: Transport, info: HttpSessionInfo) {
    super({
      ...boundTo(transport),
      start: (handlers) =>
        transport.start({
          ...handlers,
          message: (message) => {
            handlers.message(message);
            void this.#serve(message);
          },
        }),
    });
    this.info = info;
  }

  result(id: string | undefined, result: unknown): void {
    this.send(`{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`);
  }

  ask(method: string, params: unknown): Promise<ReturnType<typeof parsed>> {
    const id = `ask-${++this.#asked}`;
    this.send({ jsonrpc: '2.0', id, method, params });
    return new Promise((resolve) => this.#answers.set(JSON.stringify(id), resolve));
  }

  notify(method: string, params: unknown = {}): void {
    this.send({ jsonrpc: '2.0', method, params });
  }

  async #serve(message: Message): Promise<void> {
    const { id, method } = message;
    if (message.kind === 'response') return this.#answers.get(id ?? '')?.(parsed(message));
    if (message.kind !== 'request') return;
    const { params } = parsed(message);
    if (method === 'initialize') {
      const capabilities = { tools: { listChanged: true }, logging: {}, resources: { subscribe: true } };
      const serverInfo = { name: 'scripted', version: '1' };
      this.result(id, { protocolVersion: params.protocolVersion, capabilities, serverInfo });
    } else if (method === 'tools/list') {
      const names = ['echo', 'progress', 'sample', 'elicit', 'log', 'hold', 'big'];
      this.result(id, { tools: names.map((name) => ({ name, inputSchema: { type: 'object' } })) });
    } else if (method === 'tools/call') {
      await this.#call(id, params);
    } else if (method === 'ping' || method === 'logging/setLevel') {
      this.result(id, {});
    } else {
      this.send(`{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"unknown"}}`);
    }
  }

  async #call(id: string | undefined, params: ReturnType<typeof parsed>): Promise<void> {
    const text = (value: unknown): void => this.result(id, { content: [{ type: 'text', text: String(value) }] });
    const args = params.arguments ?? {};
    switch (params.name) {
      case 'progress': {
        const { progressToken } = params._meta;
        for (const progress of [1, 2, 3]) this.notify('notifications/progress', { progressToken, progress, total: 3 });
        // The SDK forgets a call's progress handler with its answer, also if both come in one piece.
        if (args.ping !== false) await this.ask('ping', {});
        return text('done');
      }
      case 'sample': {
        const messages = [{ role: 'user', content: { type: 'text', text: 'hi' } }];
        const answer = await this.ask('sampling/createMessage', { messages, maxTokens: 5 });
        return text(answer.result.content.text);
      }
      case 'elicit': {
        const requestedSchema = { type: 'object', properties: { name: { type: 'string' } } };
        const answer = await this.ask('elicitation/create', { message: 'who?', requestedSchema });
        return text(answer.result.content.name);
      }
      case 'log':
        this.notify('notifications/message', { level: 'info', data: 'a line' });
        return text('logged');
      case 'hold':
        this.held.push(line(`{"jsonrpc":"2.0","id":${id},"method":"held"}`));
        return;
      case 'big':
        return text('x'.repeat(args.bytes));
      default:
        return text(args.text);
    }
  }
}

function boundTo(transport: Transport): Transport {
  return {
    start: (handlers) => transport.start(handlers),
    send: (message) => transport.send(message),
    drained: () => transport.drained(),
    pause: () => transport.pause(),
    resume: () => transport.resume(),
    close: (reason) => transport.close(reason),
  };
}

export interface Door extends AsyncDisposable {
  readonly url: URL;
  readonly server: http.Server;
  readonly owners: Owner[];
  count(): number;
  close(): Promise<void>;
  owner(at?: number): Promise<Owner>;
}

export async function door(options: Partial<HttpSessionsOptions> = {}): Promise<Door> {
  const owners: Owner[] = [];
  const waiting: (() => void)[] = [];
  const sessions = createHttpSessions({
    onSession(transport, info) {
      owners.push(new Owner(transport, info));
      for (const resolve of waiting.splice(0)) resolve();
    },
    ...options,
  });
  const server = http.createServer((request, response) => sessions.handle(request, response));
  const url = await listening(server);
  const close = async (): Promise<void> => {
    await sessions.close();
    server.close();
    server.closeAllConnections();
  };
  return {
    url: new URL('/mcp', url),
    server,
    owners,
    count: () => sessions.count(),
    close: () => sessions.close(),
    async owner(at = 0) {
      for (;;) {
        const owner = owners[at];
        if (owner !== undefined) return owner;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
    [Symbol.asyncDispose]: close,
  };
}

export async function listening(server: http.Server): Promise<URL> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  readonly json: any;
}

export interface PlainRequest {
  readonly method?: string;
  readonly headers?: Record<string, string | undefined>;
  readonly body?: unknown;
}

export const POST_HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

export function initializeRequest(version = '2025-11-25', id: string | number = 0): object {
  const params = { protocolVersion: version, capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  return { jsonrpc: '2.0', id, method: 'initialize', params };
}

/** One exchange, read to its end. */
export async function exchange(url: URL, request: PlainRequest = {}): Promise<Reply> {
  const { response } = await open(url, request);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks).toString('utf8');
  const isJson = response.headers['content-type']?.startsWith('application/json') === true && body !== '';
  const json = isJson ? JSON.parse(body) : undefined;
  return { status: response.statusCode ?? 0, headers: response.headers, body, json };
}

export function open(
  url: URL,
  { method = 'POST', headers = method === 'POST' ? POST_HEADERS : {}, body }: PlainRequest,
): Promise<{ request: http.ClientRequest; response: http.IncomingMessage }> {
  return new Promise((resolve, reject) => {
    const set = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)) as Record<
      string,
      string
    >;
    const request = http.request(url, { method, headers: set, agent: false });
    request.on('response', (response) => resolve({ request, response }));
    request.on('error', reject);
    request.end(body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
  });
}

/** The session id of a fresh Streamable HTTP session, initialized. */
export async function newSession(url: URL, version = '2025-11-25'): Promise<Record<string, string>> {
  const reply = await exchange(url, { body: initializeRequest(version) });
  const session = { 'mcp-session-id': String(reply.headers['mcp-session-id']) };
  const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
  await exchange(url, { headers: { ...POST_HEADERS, ...session }, body: initialized });
  return session;
}

export interface SseEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data: string;
}

/** Events of a body, told apart by a reader of the test's own. */
export function eventsOf(body: string): SseEvent[] {
  const events: SseEvent[] = [];
  for (const block of body.split('\n\n').slice(0, -1)) {
    const fields = block.split('\n').map((text) => /^([^:]*):? ?(.*)$/.exec(text) ?? []);
    const of = (name: string): string | undefined => fields.find(([, key]) => key === name)?.[2];
    const data = of('data');
    if (data === undefined) continue;
    const id = of('id');
    const event = of('event');
    events.push({ data, ...(id === undefined ? {} : { id }), ...(event === undefined ? {} : { event }) });
  }
  return events;
}

export function messagesOf(body: string): ReturnType<typeof parsed>[] {
  return eventsOf(body)
    .filter(({ data, event = 'message' }) => data !== '' && event === 'message')
    .map(({ data }) => JSON.parse(data));
}
