// A channel after its Hello: frames out with numbers of their own, messages in to who waits for them, one end.
// Flow in: socket → MessageReader → reply? probe? the channel's own? → onMessage. Flow out: send → socket, gathered for one turn.
// The state goes open → closing → over, never back; `over` is entered once, by #end, which tells everybody.

import type { Clock } from '../clock.ts';
import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Channel, CloseReason, RequestOptions, RouterVersion } from './channel.ts';
import { CHANNEL_HEADERS, CHANNEL_TYPES, FIRST_APPLICATION_TYPE } from './content-types.ts';
import { DrainQueue } from './drain.ts';
import { Headers } from './headers.ts';
import { Heartbeat } from './heartbeat.ts';
import type { HelloAnswer } from './hello.ts';
import { checkSizes, encodeMessage, type Message } from './message.ts';
import type { MessageReader } from './message-reader.ts';
import { Replies } from './replies.ts';
import { discard, reasonOf } from './tcp.ts';
import type { Underlay } from './underlay.ts';

/** How long `close` waits for the router to take what is queued. */
const FINISH_MS = 1000;
const MAX_SEQUENCE = 2 ** 31 - 1;
const EMPTY = new Uint8Array(0);

export interface LiveChannelOptions {
  readonly url: string;
  /** Begins the error texts. */
  readonly peer: string;
  readonly socket: Underlay;
  /** Holds what came behind the Hello answer. */
  readonly reader: MessageReader;
  readonly hello: HelloAnswer;
  readonly clock: Clock;
  readonly probeMs: number;
}

export class LiveChannel implements Channel {
  readonly url: string;
  readonly routerId: string;
  readonly routerVersion: RouterVersion | null;
  readonly headers: Headers;
  readonly closed: Promise<CloseReason>;
  readonly #peer: string;
  readonly #socket: Underlay;
  readonly #reader: MessageReader;
  readonly #clock: Clock;
  readonly #replies: Replies;
  readonly #drain = new DrainQueue();
  readonly #heartbeat: Heartbeat;
  readonly #openedAt: number;
  #onMessage: ((message: Message) => void) | undefined;
  #state: 'open' | 'closing' | 'over' = 'open';
  /** What `send` throws and requests are rejected with, once closing or over. */
  #error: ZitiError | undefined;
  #tellClosed: (reason: CloseReason) => void = () => {};
  #cancelFinish: () => void = () => {};
  #sequence = 0;
  #probeSequence = 0;
  #onProbeAnswer: (() => void) | undefined;
  #paused = false;
  #delivering = false;
  #gathering = false;
  #lastRead: number;
  #received = 0;

  constructor(options: LiveChannelOptions) {
    const { url, peer, socket, reader, hello, clock, probeMs } = options;
    this.url = url;
    this.#peer = peer;
    this.#socket = socket;
    this.#reader = reader;
    this.#clock = clock;
    this.routerId = hello.routerId;
    this.routerVersion = hello.routerVersion;
    this.headers = hello.headers;
    this.#openedAt = clock.now();
    this.#lastRead = this.#openedAt;
    this.#replies = new Replies(clock, peer);
    this.closed = new Promise((resolve) => {
      this.#tellClosed = resolve;
    });
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#drain.serve(() => this.writable));
    socket.on('end', () => this.#onEnd());
    socket.on('error', (error) => this.#onError(error));
    socket.on('close', () => this.#onEnd());
    // Nothing is read before somebody listens.
    socket.pause();
    if (socket.destroyed) process.nextTick(() => this.#onEnd());
    this.#heartbeat = new Heartbeat({
      clock,
      probeMs,
      probe: (onAnswer) => this.#probe(onAnswer),
      lastRead: () => (this.#reading ? this.#lastRead : clock.now()),
      onSilent: (silentMs) => {
        const seconds = Math.round(silentMs / 1000);
        this.#end('fault', new ZitiError('channel_silent', `${this.#peer} has said nothing for ${seconds} s`));
      },
    });
  }

  get rttMs(): number | undefined {
    return this.#heartbeat.rttMs;
  }

  get writable(): boolean {
    return this.#state === 'open' && this.bufferedBytes < LIMITS.channelSoftQueueBytes;
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  get onMessage(): ((message: Message) => void) | undefined {
    return this.#onMessage;
  }

  set onMessage(handler: ((message: Message) => void) | undefined) {
    this.#onMessage = handler;
    this.#readOn();
  }

  send(type: number, headers: Headers, body: Uint8Array = EMPTY): number {
    if (this.#error) throw this.#error;
    checkSizes(headers, body);
    const sequence = this.#nextSequence();
    this.#write(encodeMessage(type, sequence, headers, body));
    return sequence;
  }

  onDrain(callback: () => void): () => void {
    const cancel = this.#drain.add(callback);
    if (this.writable || this.#state !== 'open') process.nextTick(() => this.#serveWriters());
    return cancel;
  }

  async request(
    type: number,
    headers: Headers,
    body: Uint8Array | undefined,
    options: RequestOptions,
  ): Promise<Message> {
    if (options.signal?.aborted) {
      throw new ZitiError('aborted', `a request to ${this.#peer} was given up by its caller`, {
        cause: options.signal.reason,
      });
    }
    this.#replies.checkRoom();
    return this.#replies.wait(this.send(type, headers, body), options);
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#readOn();
  }

  close(reason = ''): Promise<CloseReason> {
    if (this.#state !== 'open') return this.closed;
    this.#state = 'closing';
    const why = reason ? `: ${reason}` : '';
    this.#error = new ZitiError('channel_closed', `the channel to ${this.#peer} was closed by this program${why}`);
    this.#heartbeat.stop();
    this.#replies.failAll(this.#error);
    this.#serveWriters();
    this.#cancelFinish = this.#clock.after(FINISH_MS, () => this.#onEnd());
    // Reads on, to see the end; what comes is dropped.
    this.#socket.end();
    this.#socket.resume();
    return this.closed;
  }

  get #reading(): boolean {
    return !this.#paused && this.#onMessage !== undefined;
  }

  #readOn(): void {
    if (!this.#reading || this.#state !== 'open') return;
    this.#lastRead = this.#clock.now();
    // Never from inside the caller's call.
    process.nextTick(() => {
      this.#deliver();
      if (this.#reading) this.#socket.resume();
    });
  }

  #onData(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    this.#lastRead = this.#clock.now();
    this.#reader.push(chunk);
    this.#deliver();
  }

  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (this.#state === 'open' && this.#reading) {
        const message = this.#next();
        if (!message) return;
        this.#take(message);
      }
    } finally {
      this.#delivering = false;
    }
  }

  #next(): Message | undefined {
    try {
      return this.#reader.next();
    } catch (error) {
      this.#end('fault', error as ZitiError);
      return undefined;
    }
  }

  #take(message: Message): void {
    const replyFor = message.headers.i32(CHANNEL_HEADERS.replyFor);
    if (replyFor !== undefined && replyFor === this.#probeSequence && this.#onProbeAnswer) {
      this.#onProbeAnswer();
      this.#onProbeAnswer = undefined;
      return;
    }
    this.#received += 1;
    if (replyFor !== undefined && this.#replies.take(replyFor, message)) return;
    if (message.type >= FIRST_APPLICATION_TYPE) this.#onMessage?.(message);
    else if (message.type === CHANNEL_TYPES.latency || message.type === CHANNEL_TYPES.ping) this.#answer(message);
  }

  /** A probe of the router. A router that floods us and reads nothing gets no answers. */
  #answer({ sequence, headers: asked }: Message): void {
    if (!this.writable) return;
    const headers = new Headers()
      .setI32(CHANNEL_HEADERS.replyFor, sequence)
      .setBool(CHANNEL_HEADERS.resultSuccess, true);
    const reflected = asked.bytes(CHANNEL_HEADERS.reflected);
    if (reflected) headers.setBytes(CHANNEL_HEADERS.reflected, reflected);
    this.send(CHANNEL_TYPES.result, headers);
  }

  #probe(onAnswer: () => void): void {
    const headers = new Headers().setU64(CHANNEL_HEADERS.reflected, BigInt(Math.round(this.#clock.now() * 1e6)));
    this.#onProbeAnswer = onAnswer;
    this.#probeSequence = this.send(CHANNEL_TYPES.latency, headers);
  }

  /** What is sent in one turn leaves in one piece: fewer records, fewer system calls. */
  #write(frame: Buffer): void {
    if (!this.#gathering) {
      this.#gathering = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#gathering = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(frame);
    if (this.bufferedBytes <= LIMITS.channelQueueBytes) return;
    const queued = `${this.#peer} takes nothing and ${this.bufferedBytes} bytes are waiting for it`;
    this.#end('fault', new ZitiError('channel_overflow', queued));
  }

  #serveWriters(): void {
    this.#drain.serve(() => this.#state !== 'open' || this.writable);
  }

  #nextSequence(): number {
    do this.#sequence = this.#sequence === MAX_SEQUENCE ? 1 : this.#sequence + 1;
    while (this.#replies.has(this.#sequence));
    return this.#sequence;
  }

  #onEnd(): void {
    if (this.#state === 'closing' && this.#error) {
      this.#end('us', this.#error);
    } else if (this.#reader.insideFrame) {
      this.#end('router', new ZitiError('channel_lost', `${this.#peer} ended the channel in the middle of a message`));
    } else {
      this.#end('router', new ZitiError('channel_closed', `${this.#peer} closed the channel`));
    }
  }

  #onError(error: Error): void {
    if (this.#state === 'closing') {
      this.#onEnd();
    } else if (error instanceof ZitiError) {
      this.#end('fault', error);
    } else {
      const broke = `the channel to ${this.#peer} broke: ${reasonOf(error)}`;
      this.#end('fault', new ZitiError('channel_lost', broke, { cause: error }));
    }
  }

  #end(by: CloseReason['by'], error: ZitiError): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#error = error;
    this.#cancelFinish();
    this.#heartbeat.stop();
    discard(this.#socket);
    this.#replies.failAll(error);
    this.#tellClosed({ by, error, ageMs: this.#clock.now() - this.#openedAt, received: this.#received });
    this.#serveWriters();
  }
}
