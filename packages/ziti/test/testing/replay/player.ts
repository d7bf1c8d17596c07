// Plays the clients of a recording against a router, one step after the other, and compares what comes back.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { Random } from '../../../src/testing/random.ts';
import { encodeFrame, type Frame, FrameDecoder, makeFrame } from '../../../src/testing/router/frame.ts';
import type { RecordedFrame, Recording } from './recording.ts';
import type { Stage } from './stage.ts';

/** Random in every run: the channel's id and the circuit's. */
const CHANNEL_ID = 0;
const CIRCUIT_ID = 1026;
/** Bodies of these are tokens of clients. */
const WITH_TOKEN = new Set([60783, 60787, 60790, 60791, 60794, 60795, 60803]);
const HELLO = 0;
const LOGIN = 1002;
/** No frame comes that late. */
const PATIENCE_MS = 10_000;

export class Player {
  readonly #stage: Stage;
  readonly #clients = new Map<string, Client>();
  /** Recorded circuit → circuit of this run. */
  readonly #circuits = new Map<string, string>();
  readonly #random: Random;

  constructor(stage: Stage, recording: Recording) {
    this.#stage = stage;
    this.#random = new Random(recording.name.length);
  }

  /** Sends a recorded frame, its headers in any order: at the next `flush`, in one write with others of its channel. */
  async send(frame: RecordedFrame): Promise<void> {
    const client = this.#clients.get(frame.channel) ?? (await this.#connect(frame.channel));
    const headers = new Map(frame.headers);
    const login = headers.get(LOGIN);
    if (frame.type === HELLO && login) headers.set(LOGIN, Buffer.from(this.#stage.token(login.toString())));
    const body = WITH_TOKEN.has(frame.type) ? this.#stage.token(frame.body.toString()) : frame.body;
    client.waiting.push(encodeFrame(makeFrame(frame.type, frame.sequence, headers, body), this.#random));
  }

  flush(): void {
    for (const { socket, waiting } of this.#clients.values()) {
      if (waiting.length > 0) socket.write(Buffer.concat(waiting.splice(0)));
    }
  }

  /** Waits for the next frame of this channel and compares what is determined. */
  async expect(expected: RecordedFrame): Promise<void> {
    this.flush();
    const got = await this.#client(expected.channel).next();
    const wanted = new Map([...expected.headers].sort(([a], [b]) => a - b));
    const headers = new Map([...got.headers].sort(([a], [b]) => a - b));
    const circuit = wanted.get(CIRCUIT_ID)?.toString();
    if (circuit !== undefined) {
      const own = headers.get(CIRCUIT_ID)?.toString() ?? 'none';
      assert.equal(this.#circuits.get(circuit) ?? own, own, 'one circuit, one id');
      this.#circuits.set(circuit, own);
    }
    for (const random of [CIRCUIT_ID, CHANNEL_ID]) if (wanted.delete(random)) headers.delete(random);
    assert.deepEqual(
      { type: got.type, sequence: got.sequence, headers: shown(headers), body: this.#ownBody(got) },
      { type: expected.type, sequence: expected.sequence, headers: shown(wanted), body: this.#recordedBody(expected) },
    );
  }

  /** The client ends. */
  end(channel: string): void {
    this.flush();
    this.#clients.get(channel)?.socket.destroy();
    this.#clients.delete(channel);
  }

  /** The router ends it. */
  async ended(channel: string): Promise<void> {
    this.flush();
    const { socket } = this.#client(channel);
    if (!socket.closed) await once(socket, 'close', { signal: AbortSignal.timeout(PATIENCE_MS) });
    this.#clients.delete(channel);
  }

  /** Frames that nobody asked about. */
  rest(): string[] {
    return [...this.#clients].flatMap(([name, client]) => client.rest().map(({ type }) => `${name}: ${type}`));
  }

  close(): void {
    for (const { socket } of this.#clients.values()) socket.destroy();
  }

  #client(channel: string): Client {
    const client = this.#clients.get(channel);
    assert.ok(client, `channel ${channel} is not open`);
    return client;
  }

  async #connect(channel: string): Promise<Client> {
    const port = Number(new URL(this.#stage.router.urls.tls ?? '').port);
    const options = { ...this.#stage.credentials(channel), host: '127.0.0.1', port, ALPNProtocols: ['ziti-edge'] };
    const socket = connect(options).setNoDelay();
    await once(socket, 'secureConnect');
    assert.equal(socket.alpnProtocol, 'ziti-edge');
    const client = new Client(socket);
    this.#clients.set(channel, client);
    return client;
  }

  /** Tokens, circuits and terminators of the recording by those of this run. */
  #recordedBody({ type, body }: RecordedFrame): string {
    if (WITH_TOKEN.has(type)) return this.#stage.token(body.toString());
    if (!isText(body)) return body.toString('hex');
    let text = body.toString();
    for (const [recorded, own] of this.#circuits) text = text.replaceAll(recorded, own);
    return withoutRandomIds(text);
  }

  #ownBody({ body }: Frame): string {
    return isText(body) ? withoutRandomIds(body.toString()) : body.toString('hex');
  }
}

class Client {
  readonly socket: TLSSocket;
  readonly waiting: Buffer[] = [];
  readonly #frames: Frame[] = [];
  #wake: () => void = () => {};

  constructor(socket: TLSSocket) {
    this.socket = socket;
    const decoder = new FrameDecoder();
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk);
      for (let frame = decoder.next(); frame; frame = decoder.next()) this.#frames.push(frame);
      this.#wake();
    });
  }

  async next(): Promise<Frame> {
    const until = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const frame = this.#frames.shift();
      if (frame) return frame;
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        until.onabort = () => reject(new Error('no frame came'));
      });
    }
  }

  rest(): readonly Frame[] {
    return this.#frames;
  }
}

function shown(headers: ReadonlyMap<number, Buffer>): Record<string, string> {
  return Object.fromEntries([...headers].map(([key, value]) => [key, value.toString('hex')]));
}

function isText(body: Buffer): boolean {
  return body.length > 0 && /^[\x20-\x7e]+$/.test(body.toString('latin1'));
}

/** A refused circuit names itself, and the terminator that refused. */
function withoutRandomIds(text: string): string {
  return text
    .replace(/([cs])\/[\w.-]{9,10}\]/g, '$1/…]')
    .replace(/terminator address [\w.-]{21,22}/, 'terminator address …');
}
