// The other end of a channel for these tests: real TLS (and WebSocket) on the loopback, a Hello that is answered, and frames at
// the test's command. What a whole router does is in the test network; this one does what it is told, also what no router does.

import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer, TLSSocket, type TlsOptions } from 'node:tls';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { Headers } from '../../src/channel/headers.ts';
import { encodeMessage, type Message } from '../../src/channel/message.ts';
import { MessageReader } from '../../src/channel/message-reader.ts';
import type { ChannelIdentity } from '../../src/channel/underlay.ts';
import { createTestPki } from '../../src/testing/pki/pki.ts';

const RECORD_BYTES = 16_406;
const pki = createTestPki();
const server = pki.issue({
  commonName: 'router',
  use: 'server',
  dns: ['localhost', 'router.test'],
  ip: ['127.0.0.1', '::1'],
});
const client = pki.issue({ commonName: 'client', use: 'client' });

export const CA_PEM = pki.rootPem + pki.intermediatePem;
export const IDENTITY: ChannelIdentity = { keyPem: client.keyPem ?? '', certPem: client.chainPem, caPem: CA_PEM };
export const SERVER: TlsOptions = { key: server.keyPem ?? '', cert: server.chainPem };
export const issue = pki.issue;

export type Behaviour = 'welcome' | 'silent' | ((end: RouterEnd, hello: Message) => void);

export interface FakeRouterOptions {
  readonly underlay?: 'tls' | 'wss';
  readonly tls?: TlsOptions;
  /** Of the outer connection, on wss. */
  readonly outerTls?: TlsOptions;
  /** What happens when a Hello arrives. Default: it is answered. */
  readonly hello?: Behaviour;
  /** Instead of reading frames. */
  readonly raw?: (socket: TLSSocket) => void;
  /** Answers latency probes. Default true. */
  readonly answersProbes?: boolean;
  readonly host?: string;
}

/** One accepted connection. */
export class RouterEnd {
  readonly socket: TLSSocket;
  /** Sends a WebSocket message of so many bytes, on wss. */
  oversized: (bytes: number) => void = () => {};
  readonly received: Message[] = [];
  readonly #reader = new MessageReader('client');
  readonly #waiting: { type: number; resolve: (message: Message) => void }[] = [];
  #sequence = 0;

  constructor(socket: TLSSocket, options: FakeRouterOptions) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.#reader.push(chunk);
      for (let message = this.#reader.next(); message; message = this.#reader.next()) this.#take(message, options);
    });
  }

  /** The next message of this type, also one that came already and nobody took. */
  message(type: number): Promise<Message> {
    const at = this.received.findIndex((message) => message.type === type);
    const [found] = at === -1 ? [] : this.received.splice(at, 1);
    return found ? Promise.resolve(found) : new Promise((resolve) => this.#waiting.push({ type, resolve }));
  }

  frame(type: number, headers: Headers = new Headers(), body: string | Uint8Array = ''): Buffer {
    this.#sequence += 1;
    return encodeMessage(type, this.#sequence, headers, Buffer.from(body));
  }

  send(type: number, headers?: Headers, body?: string | Uint8Array): void {
    this.socket.write(this.frame(type, headers, body));
  }

  welcome(): void {
    const headers = new Headers().setI32(1, -1).setBool(2, true).setString(0, 'abcd').setString(8, 'fake');
    this.socket.write(encodeMessage(2, -1, headers.setString(4, 'v1.6.0|fake'), Buffer.alloc(0)));
  }

  #take(message: Message, { hello = 'welcome', answersProbes = true }: FakeRouterOptions): void {
    if (message.type === 0) {
      if (hello === 'welcome') this.welcome();
      else if (hello !== 'silent') hello(this, message);
    } else if (message.type === 3 && answersProbes) {
      const headers = new Headers().setI32(1, message.sequence).setBool(2, true);
      this.send(2, headers.setBytes(128, message.headers.bytes(128) ?? new Uint8Array(0)));
      return;
    }
    const at = this.#waiting.findIndex(({ type }) => type === message.type);
    const [waiting] = at === -1 ? [] : this.#waiting.splice(at, 1);
    if (waiting) waiting.resolve(message);
    else this.received.push(message);
  }
}

export interface FakeRouter extends AsyncDisposable {
  /** `tls:127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  /** Connections so far. */
  readonly ends: RouterEnd[];
  /** The next connection that nobody took. */
  end(): Promise<RouterEnd>;
  /** TCP reset of every connection. */
  reset(): void;
}

export async function startFakeRouter(options: FakeRouterOptions = {}): Promise<FakeRouter> {
  const { underlay = 'tls', host = '127.0.0.1' } = options;
  const ends: RouterEnd[] = [];
  const untaken: RouterEnd[] = [];
  const waiting: ((end: RouterEnd) => void)[] = [];
  const accept = (socket: TLSSocket, sendMessage?: (bytes: number) => void): void => {
    if (options.raw) {
      socket.on('error', () => {});
      options.raw(socket);
      return;
    }
    const end = new RouterEnd(socket, options);
    if (sendMessage) end.oversized = sendMessage;
    ends.push(end);
    const next = waiting.shift();
    if (next) next(end);
    else untaken.push(end);
  };
  // Router ports ask for a certificate of any kind; who has it is looked at later.
  const inner: TlsOptions = { ...SERVER, requestCert: true, rejectUnauthorized: false, ...options.tls };
  const listener =
    underlay === 'tls' ? tlsListener(inner, accept) : wssListener(inner, options.outerTls ?? SERVER, accept);
  const sockets = new Set<Socket>();
  listener.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  listener.listen(0, host);
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  return {
    url: `${underlay}:${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    ends,
    end: () => {
      const end = untaken.shift();
      return end ? Promise.resolve(end) : new Promise((resolve) => waiting.push(resolve));
    },
    reset: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

function tlsListener(tls: TlsOptions, accept: (socket: TLSSocket) => void): Server {
  const listener = createServer({ ALPNProtocols: ['ziti-edge'], ...tls }, accept);
  listener.on('tlsClientError', () => {});
  return listener;
}

/** As openziti/transport wss/listener.go: no client certificate outside, TLS again inside the messages. */
function wssListener(
  tls: TlsOptions,
  outerTls: TlsOptions,
  accept: (socket: TLSSocket, sendMessage: (bytes: number) => void) => void,
): Server {
  const listener = createHttpsServer(outerTls);
  listener.on('tlsClientError', () => {});
  const upgrades = new WebSocketServer({ server: listener, path: '/ws', perMessageDeflate: true });
  upgrades.on('connection', (webSocket) => {
    webSocket.on('error', () => {});
    const sendWhole = webSocket.send.bind(webSocket);
    const oversized = (bytes: number): void => sendWhole(Buffer.alloc(bytes));
    const stream = createWebSocketStream(asGoSends(webSocket));
    stream.on('error', () => {});
    const inner = new TLSSocket(stream, { ...tls, isServer: true });
    inner.on('error', () => {});
    webSocket.on('close', () => inner.destroy());
    inner.once('secure', () => {
      if (tls.rejectUnauthorized && !inner.authorized) inner.destroy();
      else accept(inner, oversized);
    });
  });
  listener.on('close', () => upgrades.close());
  return listener;
}

/** Go sends a message for each TLS record; Node would put all that waits into one. */
function asGoSends(webSocket: WebSocket): WebSocket {
  const send = webSocket.send.bind(webSocket);
  const inRecords = (data: Buffer, done?: (error?: Error) => void): void => {
    let at = 0;
    for (; at + RECORD_BYTES < data.length; at += RECORD_BYTES) send(data.subarray(at, at + RECORD_BYTES));
    send(data.subarray(at), done);
  };
  Object.assign(webSocket, { send: inRecords });
  return webSocket;
}
