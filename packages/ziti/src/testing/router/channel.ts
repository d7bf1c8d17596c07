// One client's connection to a router: frames in and out, replies by sequence, reading that stops while a receiver has no room.
// What the frames mean is told by the handlers of ./router.ts.

import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { fingerprint } from '../pki/jwt.ts';
import type { Random } from '../random.ts';
import type { ApiSession } from '../state/records.ts';
import type { ObservedFrame, TestChannel } from '../types.ts';
import type { Bind } from './bind.ts';
import type { End } from './circuit.ts';
import { FaultSwitches } from './faults.ts';
import { encodeFrame, type Frame, FrameDecoder, makeFrame } from './frame.ts';
import { Outbox } from './outbox.ts';
import { H, type HeaderValue } from './wire.ts';

export interface ChannelOwner {
  /** Router id. */
  readonly id: string;
  readonly random: Random;
  readonly faults: FaultSwitches;
  observe(frame: ObservedFrame): void;
  received(channel: RouterChannel, frame: Frame): void;
  closed(channel: RouterChannel): void;
}

export interface SendOptions {
  /** Frames of one lane stay in order when others are reordered. Default: the connection id. */
  readonly lane?: number;
  /** The Hello answer has -1; all else counts from 1. */
  readonly sequence?: number;
}

/** What has no connection id. */
const CHANNEL_LANE = -1;
/** The first connection id that a router gives is one more (ziti router/xgress_edge/hosted.go, nextDialConnId). */
const ROUTER_IDS_ABOVE = 2 ** 31 - 1;

export class RouterChannel implements TestChannel {
  readonly id: string;
  readonly underlay: 'tls' | 'wss';
  readonly faults = new FaultSwitches(() => this.refresh());
  /** SHA-1 of the client's leaf certificate; undefined when it showed none. */
  readonly fingerprint: string | undefined;
  /** The Hello was answered. */
  greeted = false;
  /** Set when the token was good. */
  apiSession: ApiSession | undefined;
  /** What the client logged in with, or its newest one (UpdateToken). */
  accessToken = '';
  readonly ends = new Map<number, End>();
  readonly binds = new Map<number, Bind>();
  readonly #owner: ChannelOwner;
  readonly #tls: TLSSocket;
  readonly #socket: { destroy(): unknown; resetAndDestroy?(): unknown };
  readonly #outbox: Outbox;
  readonly #decoder = new FrameDecoder();
  readonly #replies = new Map<number, (frame: Frame | undefined) => void>();
  #sequence = 0;
  #lastConnId = ROUTER_IDS_ABOVE;
  #blocks = 0;
  readonly #closers: (() => void)[] = [];
  #over = false;

  /** `socket`: what is below TLS. */
  constructor(
    id: string,
    underlay: 'tls' | 'wss',
    tls: TLSSocket,
    socket: Duplex & { resetAndDestroy?(): unknown },
    owner: ChannelOwner,
  ) {
    this.id = id;
    this.underlay = underlay;
    this.#tls = tls;
    this.#socket = socket;
    this.#owner = owner;
    const raw = tls.getPeerCertificate().raw as Buffer | undefined;
    this.fingerprint = raw && fingerprint(raw);
    this.#outbox = new Outbox(tls, () => this.#suffered(), owner.random);
    tls.on('error', () => {});
    tls.on('data', (chunk: Buffer) => {
      this.#decoder.push(chunk);
      this.#read();
    });
    tls.on('end', () => this.cut());
    tls.on('close', () => this.#end());
  }

  get routerId(): string {
    return this.#owner.id;
  }

  get open(): boolean {
    return !this.#over;
  }

  get identity(): string | undefined {
    return this.apiSession?.identity.name;
  }

  get queuedBytes(): number {
    return this.#outbox.bytes;
  }

  get full(): boolean {
    return this.#outbox.full;
  }

  nextConnId(): number {
    this.#lastConnId += 1;
    return this.#lastConnId;
  }

  send(
    type: number,
    headers: Readonly<Record<number, HeaderValue>> | ReadonlyMap<number, HeaderValue>,
    body: Uint8Array | string = '',
    options: SendOptions = {},
  ): number {
    if (options.sequence === undefined) this.#sequence += 1;
    const sequence = options.sequence ?? this.#sequence;
    const pairs =
      headers instanceof Map ? headers : new Map(Object.entries(headers).map(([key, value]) => [Number(key), value]));
    const frame = makeFrame(type, sequence, pairs, body);
    const observed: ObservedFrame = { ...frame, channel: this, direction: 'to-client' };
    this.#owner.observe(observed);
    if (this.#suffered().drops(observed)) return sequence;
    const lane = options.lane ?? frame.headers.get(H.connId)?.readUInt32LE() ?? CHANNEL_LANE;
    this.#outbox.push(encodeFrame(frame, this.#owner.random), lane);
    return sequence;
  }

  /** Calls back once, at the very moment the answer to `sequence` is read; undefined: the time is up or the channel over. */
  onReply(sequence: number, withinMs: number, callback: (frame: Frame | undefined) => void): void {
    const settle = (frame: Frame | undefined): void => {
      clearTimeout(timer);
      this.#replies.delete(sequence);
      callback(frame);
    };
    const timer = setTimeout(() => settle(undefined), withinMs);
    this.#replies.set(sequence, settle);
    if (this.#over) settle(undefined);
  }

  /** Hands a frame to who waits for it; false when nobody does. */
  takeReply(frame: Frame): boolean {
    const waiting = this.#replies.get(frame.headers.get(H.replyFor)?.readInt32LE() ?? Number.NaN);
    waiting?.(frame);
    return waiting !== undefined;
  }

  sendRaw(bytes: Uint8Array): void {
    this.#outbox.push(Buffer.from(bytes), CHANNEL_LANE);
  }

  /** Resolves true when there is room for what others send here; false when that took too long. */
  async room(withinMs: number): Promise<boolean> {
    if (!this.full) return true;
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    await Promise.race([tooLate, new Promise<void>((resolve) => this.#outbox.onRoom(resolve))]);
    clearTimeout(timer);
    return !this.full;
  }

  /** Reads nothing more until `release` is called; what was read already waits, too. */
  block(): () => void {
    this.#blocks += 1;
    this.#tls.pause();
    let held = true;
    return () => {
      if (held) this.#blocks -= 1;
      held = false;
      this.refresh();
    };
  }

  /** Honest back-pressure: as long as the receiver is full, its sender is not read. */
  blockWhileFull(receiver: RouterChannel): void {
    if (!receiver.full) return;
    const release = this.block();
    receiver.#outbox.onRoom(release);
  }

  /** A fault or a block changed. */
  refresh(): void {
    this.#outbox.wake();
    if (this.#stopped()) this.#tls.pause();
    else {
      this.#read();
      if (!this.#stopped()) this.#tls.resume();
    }
  }

  /** Says what there is to say, hears nothing more. */
  cutAfterWrites(): void {
    this.block();
    this.#outbox.end();
    this.#tls.once('finish', () => this.cut());
  }

  onClose(callback: () => void): void {
    if (this.#over) callback();
    else this.#closers.push(callback);
  }

  cut(): void {
    this.#tls.destroy();
    this.#socket.destroy();
    this.#end();
  }

  reset(): void {
    if (this.#socket.resetAndDestroy) this.#socket.resetAndDestroy();
    this.cut();
  }

  #read(): void {
    while (!this.#over && !this.#stopped()) {
      const frame = this.#next();
      if (!frame) return;
      const observed: ObservedFrame = { ...frame, channel: this, direction: 'from-client' };
      this.#owner.observe(observed);
      if (!this.#suffered().drops(observed)) this.#owner.received(this, frame);
    }
  }

  /** What is no frame ends the channel without a word. */
  #next(): Frame | undefined {
    try {
      return this.#decoder.next();
    } catch {
      this.cut();
      return undefined;
    }
  }

  #stopped(): boolean {
    return this.#blocks > 0 || this.#suffered().halfOpen;
  }

  #suffered() {
    return this.faults.with(this.#owner.faults);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#outbox.close();
    for (const settle of [...this.#replies.values()]) settle(undefined);
    this.#owner.closed(this);
    for (const callback of this.#closers) callback();
  }
}
