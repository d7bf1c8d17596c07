// One connection to a peer as a Duplex. Writing: pieces of at most 16 KiB → sealed → one Data frame each, as long as the channel
// has room. Reading: frames → opened → the Readable's buffer, watched by the channel's read gate. FIN ends one direction,
// StateClosed both. What came before an end is read before it; a connection whose end is a loss ends with an error.
// Invariant: what was sealed is sent at once, in order; the state of the streams is given back when the connection is over.

import { Duplex } from 'node:stream';
import type { Message } from '../channel/message.ts';
import { ZitiError } from '../errors.ts';
import type { EdgeChannel, Receiver } from './edge-channel.ts';
import { CONN_TYPES, EDGE_HEADERS, EDGE_TYPES, FLAGS } from './ids.ts';
import { type Caller, flagsOf, onConnection } from './messages.ts';
import { splitMultipart } from './multipart.ts';
import { OutPieces } from './out-pieces.ts';
import type { Reader } from './read-gate.ts';
import { closeText, isPlainClose } from './refusals.ts';
import type { Sealing } from './sealing.ts';

const HIGH_WATER_MARK = 64 * 1024;
/** Then it is the turn of others who wait for the same channel. */
const PIECES_PER_TURN = 4;
/** Shorter bodies are copied out of the buffer they came in, which may be eight times as large. */
const COPY_BELOW_BYTES = 4096;

/** What a peer that closes without having ended its half means. Go and C programs end so: `end`. Where both ends are known to
 * end their halves it is an abort: `error`. */
export type CloseMeans = 'end' | 'error';

export interface ConnectionOptions {
  readonly channel: EdgeChannel;
  readonly id: number;
  readonly service: string;
  /** Undefined: the service is not encrypted. */
  readonly sealing: Sealing | undefined;
  /** On the hosting side. */
  readonly caller: Caller | undefined;
  readonly circuitId: string | undefined;
  readonly closeMeans: CloseMeans;
  readonly lingerMs: number;
}

export class ZitiConnection extends Duplex {
  readonly service: string;
  /** Who calls and what it sent along. Undefined on the dialling side. */
  readonly caller: Caller | undefined;
  readonly circuitId: string | undefined;
  readonly #options: ConnectionOptions;
  readonly #receiver: Receiver;
  readonly #reader: Reader;
  readonly #out = new OutPieces();
  #onWritten: ((error?: Error | null) => void) | undefined;
  #cancelDrain: (() => void) | undefined;
  /** Held in the Readable's buffer as the gate knows it. */
  #unread = 0;
  /** The peer said that it sends no more. */
  #finished = false;
  /** The id is no longer ours: the peer closed, or the channel is lost. */
  #gone: ZitiError | undefined;
  /** What ends the connection once everything that came was read. */
  #doom: ZitiError | undefined;
  #linger: NodeJS.Timeout | undefined;
  #reason = '';
  #secured: { resolve(): void; reject(error: Error): void } | undefined;
  readonly #whenSecured: Promise<void>;

  constructor(options: ConnectionOptions) {
    super({ allowHalfOpen: true, readableHighWaterMark: HIGH_WATER_MARK, writableHighWaterMark: HIGH_WATER_MARK });
    this.#options = options;
    this.service = options.service;
    this.caller = options.caller;
    this.circuitId = options.circuitId;
    const connection = this;
    this.#receiver = {
      connType: CONN_TYPES.dial,
      onMessage: (message) => this.#onMessage(message),
      onLost: (error) => this.#onGone(error, false),
    };
    this.#reader = {
      get unreadBytes() {
        return connection.#unread;
      },
      tooSlow: () => this.#tooSlow(),
    };
    this.#whenSecured = options.sealing
      ? new Promise((resolve, reject) => {
          this.#secured = { resolve, reject };
        })
      : Promise.resolve();
    this.#whenSecured.catch(() => {});
    // The owner hears of an error by its own listener or by 'close'; without one it must not end the process.
    this.on('error', () => {});
    this.once('end', () => this.#onEnd());
  }

  /** 32 bytes that both ends compute alike and no other connection has; null on a service without encryption. */
  get binding(): Uint8Array | null {
    return this.#options.sealing?.binding ?? null;
  }

  /** Who calls: a claim, for display. */
  get remoteIdentity(): string | undefined {
    return this.caller?.claimed;
  }

  /** What the dialer sent along; routers have seen it. */
  get appData(): Uint8Array | undefined {
    return this.caller?.appData;
  }

  /** On its channel. */
  get id(): number {
    return this.#options.id;
  }

  /** Set for the channel once the connection may receive. */
  get receiver(): Receiver {
    return this.#receiver;
  }

  /** Sends what the peer needs to read us. Called once, when the peer knows the id. */
  begin(): void {
    const { sealing } = this.#options;
    if (!sealing) return;
    try {
      this.#sendData(sealing.header);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  /** Resolves when the peer's stream has begun and `binding` is there; rejects if the connection ends before. */
  secured(): Promise<void> {
    return this.#whenSecured;
  }

  /** Ends both directions at once without an error on this side. The network does not carry `reason` to the peer; routers may
   * log it. Idempotent. */
  close(reason = ''): void {
    this.#reason = reason;
    this.destroy();
  }

  override read(size?: number): Buffer | null {
    const chunk = super.read(size) as Buffer | null;
    if (this.#unread > 0) this.#account();
    if (this.#doom && this.readableLength === 0) this.destroy(this.#doom);
    return chunk;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#out.add(chunk);
    this.#onWritten = done;
    this.#flush();
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    for (const { chunk } of chunks) this.#out.add(chunk);
    this.#onWritten = done;
    this.#flush();
  }

  override _final(done: (error?: Error | null) => void): void {
    const { channel, id } = this.#options;
    try {
      if (!this.#gone) channel.channel.send(EDGE_TYPES.data, onConnection(id).setU32(EDGE_HEADERS.flags, FLAGS.fin));
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { channel, id, sealing } = this.#options;
    clearTimeout(this.#linger);
    this.#cancelDrain?.();
    if (!this.#gone) {
      channel.remove(id);
      channel.sendClosed(id, this.#reason);
    }
    channel.gate.left(this.#reader, this.#unread);
    this.#unread = 0;
    sealing?.dispose();
    const written = this.#onWritten;
    this.#onWritten = undefined;
    done(error);
    // To make an error costs more than all the rest: only when somebody hears of it.
    if (!written && !this.#secured) return;
    const here = `the connection to service ${this.service} was closed here`;
    const why = error ?? new ZitiError('connection_closed', here);
    this.#secured?.reject(why);
    written?.(why);
  }

  #flush(): void {
    const { channel, sealing } = this.#options;
    this.#cancelDrain = undefined;
    if (this.#gone) {
      this.#failWrite(this.#gone);
      return;
    }
    try {
      for (let pieces = 0; !this.#out.empty; pieces += 1) {
        if (pieces === PIECES_PER_TURN || !channel.channel.writable) {
          this.#cancelDrain = channel.channel.onDrain(() => this.#flush());
          return;
        }
        const piece = this.#out.take();
        // Whoever wrote it may use its buffer again; sealing makes a copy anyway.
        this.#sendData(sealing ? sealing.seal(piece) : Buffer.from(piece));
      }
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    const written = this.#onWritten;
    this.#onWritten = undefined;
    written?.();
  }

  #sendData(body: Uint8Array): void {
    const { channel, id } = this.#options;
    channel.channel.send(EDGE_TYPES.data, onConnection(id), body);
  }

  #onMessage(message: Message): void {
    if (message.type === EDGE_TYPES.data) this.#onData(message);
    else if (message.type === EDGE_TYPES.stateClosed) this.#onClosed(closeText(message));
  }

  #onData(message: Message): void {
    if (this.#finished || this.destroyed) return;
    const flags = flagsOf(message);
    try {
      if (message.body.length > 0) this.#take(message.body, (flags & FLAGS.multipartMessage) !== 0);
    } catch (error) {
      this.destroy(error as Error);
      return;
    }
    if ((flags & FLAGS.fin) === 0 || this.destroyed) return;
    this.#finished = true;
    this.push(null);
  }

  #take(body: Uint8Array, multipart: boolean): void {
    const { sealing } = this.#options;
    const plain = sealing ? sealing.open(body) : ownBytes(body);
    if (!plain) {
      this.#secured?.resolve();
      this.#secured = undefined;
      return;
    }
    if (plain.length === 0) return;
    for (const part of multipart ? splitMultipart(plain) : [plain]) {
      if (!this.destroyed) this.push(part);
    }
    this.#account();
  }

  #account(): void {
    const delta = this.readableLength - this.#unread;
    if (delta === 0 || this.destroyed) return;
    this.#unread += delta;
    this.#options.channel.gate.changed(this.#reader, delta);
  }

  #tooSlow(): void {
    this.destroy(
      new ZitiError(
        'reader_too_slow',
        `the connection to service ${this.service} was given up: ${this.#unread} bytes waited for a reader that did not come, ` +
          'and held up all others on the same channel',
        { hint: 'read what arrives, or let the other end send less at a time' },
      ),
    );
  }

  #onClosed(text: string): void {
    if (isPlainClose(text)) {
      this.#onGone(closedByPeer(this.service), this.#options.closeMeans === 'end');
      return;
    }
    this.#onGone(
      new ZitiError('connection_lost', `the network ended the connection to service ${this.service}: ${text}`),
      false,
    );
  }

  /** `ended`: nothing is missing from what was received. */
  #onGone(error: ZitiError, ended: boolean): void {
    if (this.#gone) return;
    const { channel, id, sealing } = this.#options;
    channel.remove(id);
    this.#gone = error;
    // Nothing can be sealed or opened any more.
    sealing?.dispose();
    const complete = ended || (this.#finished && this.writableEnded);
    if (this.#secured) {
      this.destroy(error);
    } else if (complete) {
      if (!this.#finished) this.push(null);
      this.#finished = true;
      if (this.readableEnded) this.#onEnd();
    } else {
      this.#doom = error;
      if (this.readableLength === 0) this.destroy(error);
    }
    if (this.#onWritten && !this.destroyed) this.#failWrite(error);
  }

  /** Everything was read. Nobody is left to write to if the peer is gone. */
  #onEnd(): void {
    if (!this.#gone || this.destroyed || this.writableFinished) return;
    const unsent = this.#onWritten !== undefined || this.writableLength > 0;
    this.destroy(unsent ? this.#gone : undefined);
  }

  /** A write to a peer that is gone. What it sent before is left to be read for a moment: destroying would drop it. */
  #failWrite(error: ZitiError): void {
    if (this.readableLength === 0) {
      this.destroy(error);
      return;
    }
    this.#linger ??= setTimeout(() => this.destroy(error), this.#options.lingerMs);
  }
}

function closedByPeer(service: string): ZitiError {
  return new ZitiError('connection_closed', `the other end of the connection to service ${service} has closed it`);
}

function ownBytes(body: Uint8Array): Buffer {
  if (body.length < COPY_BELOW_BYTES) return Buffer.from(body);
  return Buffer.from(body.buffer, body.byteOffset, body.length);
}
