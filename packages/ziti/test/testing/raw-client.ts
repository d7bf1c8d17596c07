// A client in a few lines, for tests of the router: frames by hand over a real connection, no cryptography, no comfort.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { createWebSocketStream, WebSocket } from 'ws';
import type { TestIdentity, TestNetwork, TestRouter } from '../../src/testing/index.ts';
import { Random } from '../../src/testing/random.ts';
import { encodeFrame, type Frame, FrameDecoder, makeFrame } from '../../src/testing/router/frame.ts';
import { H, type HeaderValue, T } from '../../src/testing/router/wire.ts';
import { ask, logIn } from './ask.ts';

export { H, T };

const PATIENCE_MS = 10_000;

export class RawClient implements AsyncDisposable {
  readonly socket: TLSSocket;
  readonly token: string;
  readonly frames: Frame[] = [];
  readonly #net: TestNetwork;
  readonly #identity: TestIdentity;
  readonly #random = new Random(7);
  readonly #decoder = new FrameDecoder();
  #sequence = 0;
  #connIds = 0;
  readonly #waiting = new Set<() => void>();

  constructor(net: TestNetwork, identity: TestIdentity, socket: TLSSocket, token: string) {
    this.#net = net;
    this.#identity = identity;
    this.socket = socket;
    this.token = token;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.#decoder.push(chunk);
      for (let frame = this.#decoder.next(); frame; frame = this.#decoder.next()) this.frames.push(frame);
      this.#wake();
    });
    socket.on('close', () => this.#wake());
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** Takes the next frame that fits, also from among those that came before; undefined when the socket is over. */
  async next(fits: (frame: Frame) => boolean = () => true, patienceMs = PATIENCE_MS): Promise<Frame | undefined> {
    const tooLate =
      patienceMs === Number.POSITIVE_INFINITY ? new AbortController().signal : AbortSignal.timeout(patienceMs);
    for (;;) {
      const at = this.frames.findIndex(fits);
      if (at !== -1) return this.frames.splice(at, 1)[0];
      if (this.socket.destroyed) return undefined;
      await new Promise<void>((resolve, reject) => {
        const look = (): void => {
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
        tooLate.onabort = () => reject(new Error('no such frame came'));
      });
    }
  }

  /** The next frame of this type; fails without one. */
  async take(type: number): Promise<Frame> {
    const frame = await this.next((one) => one.type === type);
    assert.ok(frame, `the channel ended before a frame of type ${type}`);
    return frame;
  }

  send(type: number, headers: Readonly<Record<number, HeaderValue>> = {}, body: Uint8Array | string = ''): number {
    this.#sequence += 1;
    this.socket.write(this.encode(type, this.#sequence, headers, body));
    return this.#sequence;
  }

  encode(
    type: number,
    sequence: number,
    headers: Readonly<Record<number, HeaderValue>>,
    body: Uint8Array | string,
  ): Buffer {
    const pairs = Object.entries(headers).map(([key, value]) => [Number(key), value] as const);
    return encodeFrame(makeFrame(type, sequence, new Map(pairs), body), this.#random);
  }

  async serviceSession(service: { readonly id: string }, type: 'Dial' | 'Bind'): Promise<string> {
    const body = { serviceId: service.id, type };
    const made = await ask(this.#net, 'POST', '/sessions', { as: this.#identity, session: this.token, body });
    assert.equal(made.status, 201, made.text);
    return made.body.data.token;
  }

  /** Resolves with the connection id once the terminator is there. */
  async bind(token: string, headers: Readonly<Record<number, HeaderValue>> = {}): Promise<number> {
    this.#connIds += 1;
    const connId = this.#connIds;
    const more = { [H.listenerId]: `listener ${Math.random()}`, [H.routerProvidedConnId]: true };
    this.send(T.bind, { [H.connId]: connId, [H.supportsBindSuccess]: true, ...more, ...headers }, token);
    await this.take(T.bindSuccess);
    return connId;
  }

  /** Sends a Connect; the connection id. */
  connect(token: string, headers: Readonly<Record<number, HeaderValue>> = {}): number {
    this.#connIds += 1;
    this.send(T.connect, { [H.connId]: this.#connIds, ...headers }, token);
    return this.#connIds;
  }

  /** Says yes to the next Dial; the id of the new connection. */
  async accept(): Promise<number> {
    const dial = await this.take(T.dial);
    const id = dial.headers.get(H.routerProvidedConnId) as Buffer;
    this.send(T.dialSuccess, { [H.replyFor]: dial.sequence, [H.connId]: dial.headers.get(H.connId) as Buffer }, id);
    return id.readUInt32LE();
  }

  /** Says yes to every Dial until the channel ends. */
  async acceptAll(onDial: () => void): Promise<void> {
    for (;;) {
      const dial = await this.next(({ type }) => type === T.dial, Number.POSITIVE_INFINITY);
      if (!dial) return;
      onDial();
      this.frames.unshift(dial);
      await this.accept();
    }
  }

  data(connId: number, body: Uint8Array | string): void {
    this.send(T.data, { [H.connId]: connId }, body);
  }

  async ended(): Promise<void> {
    if (this.socket.closed) return;
    const tooLate = AbortSignal.timeout(PATIENCE_MS);
    await new Promise<void>((resolve, reject) => {
      this.socket.once('close', () => resolve());
      tooLate.onabort = () => reject(new Error('the channel did not end'));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.ended();
  }
}

export interface Joining {
  readonly router?: TestRouter | undefined;
  readonly token?: string;
  readonly underlay?: 'tls' | 'wss';
  /** No Hello is said. */
  readonly silent?: boolean;
}

/** Logs in and opens a channel. */
export async function join(net: TestNetwork, identity: TestIdentity, joining: Joining = {}): Promise<RawClient> {
  const router = joining.router ?? (net.routers[0] as TestRouter);
  const token = joining.token ?? (await logIn(net, identity));
  const socket = await secure(net, identity, new URL(router.urls[joining.underlay ?? 'tls'] ?? ''));
  const client = new RawClient(net, identity, socket, token);
  if (joining.silent) return client;
  socket.write(client.encode(T.hello, -1, { [H.token]: token }, `client ${Math.random()}`));
  const answer = await client.take(T.result);
  assert.equal(answer.headers.get(H.success)?.[0], 1);
  return client;
}

async function secure(net: TestNetwork, identity: TestIdentity, url: URL): Promise<TLSSocket> {
  const below = url.protocol === 'wss:' ? await webSocket(net, url) : undefined;
  const own = { key: identity.keyPem, cert: identity.certPem, ca: net.caPem };
  const where = below ? { socket: below } : { host: url.hostname, port: Number(url.port) };
  const socket = connect({ ...own, ...where, servername: '', ALPNProtocols: ['ziti-edge'] });
  socket.on('error', () => {});
  below?.on('close', () => socket.destroy());
  await once(socket, 'secureConnect');
  socket.setNoDelay();
  return socket;
}

async function webSocket(net: TestNetwork, url: URL): Promise<Duplex> {
  const client = new WebSocket(`${url.href.replace(/\/$/, '')}/ws`, { ca: net.caPem });
  await once(client, 'open');
  const stream = createWebSocketStream(client);
  // A TLS socket above would wait for ever for its own half to end.
  client.on('close', () => stream.destroy());
  return stream;
}
