// FOR TESTS ONLY: a channel without a router. A test sees what is sent, says what arrives, and decides when there is room.

import type { Channel, CloseReason, RequestOptions, RouterVersion } from '../channel/channel.ts';
import { CHANNEL_HEADERS } from '../channel/content-types.ts';
import { Headers } from '../channel/headers.ts';
import type { Message } from '../channel/message.ts';
import { ZitiError } from '../errors.ts';

interface Waiting {
  resolve(reply: Message): void;
  reject(error: unknown): void;
  readonly onReply: ((reply: Message) => void) | undefined;
}

export interface ScriptedChannelOptions {
  readonly version?: RouterVersion | null;
  readonly url?: string;
}

export class ScriptedChannel implements Channel {
  readonly url: string;
  readonly routerId = 'scripted';
  readonly routerVersion: RouterVersion | null;
  readonly headers = new Headers();
  rttMs: number | undefined = undefined;
  readonly sent: Message[] = [];
  /** Sees each message right after it was sent. */
  onSend: ((message: Message) => void) | undefined;
  paused = false;
  readonly closed: Promise<CloseReason>;
  #onMessage: ((message: Message) => void) | undefined;
  #inbox: Message[] = [];
  #writable = true;
  #drains: (() => void)[] = [];
  #sequence = 0;
  #peerSequence = 0;
  readonly #requests = new Map<number, Waiting>();
  #over: CloseReason | undefined;
  #onOver: (reason: CloseReason) => void = () => {};

  constructor(options: ScriptedChannelOptions = {}) {
    this.url = options.url ?? 'tls:127.0.0.1:1';
    this.routerVersion = options.version === undefined ? { major: 1, minor: 6, patch: 0 } : options.version;
    this.closed = new Promise((resolve) => {
      this.#onOver = resolve;
    });
  }

  get onMessage(): ((message: Message) => void) | undefined {
    return this.#onMessage;
  }

  set onMessage(handler: ((message: Message) => void) | undefined) {
    this.#onMessage = handler;
    this.#deliverInbox();
  }

  get writable(): boolean {
    return this.#writable;
  }

  get bufferedBytes(): number {
    return 0;
  }

  get isOver(): boolean {
    return this.#over !== undefined;
  }

  send(type: number, headers: Headers, body: Uint8Array = new Uint8Array(0)): number {
    if (this.#over) throw new ZitiError('channel_closed', 'the channel is over');
    this.#sequence += 1;
    const message = { type, sequence: this.#sequence, headers, body };
    this.sent.push(message);
    this.onSend?.(message);
    return this.#sequence;
  }

  onDrain(callback: () => void): () => void {
    this.#drains.push(callback);
    if (this.#writable) process.nextTick(() => this.setWritable(this.#writable));
    return () => {
      this.#drains = this.#drains.filter((one) => one !== callback);
    };
  }

  /** How many wait for room. */
  get waiters(): number {
    return this.#drains.length;
  }

  /** Room, or none. Whoever waits is called as long as there is some. */
  setWritable(writable: boolean): void {
    this.#writable = writable;
    while (this.#writable && this.#drains.length > 0) this.#drains.shift()?.();
  }

  request(type: number, headers: Headers, body: Uint8Array | undefined, options: RequestOptions): Promise<Message> {
    return new Promise((resolve, reject) => {
      const { signal, onReply, timeoutMs } = options;
      if (signal?.aborted) return reject(signal.reason);
      const sequence = this.#sequence + 1;
      const settle = (): void => {
        this.#requests.delete(sequence);
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const fail = (error: unknown): void => {
        settle();
        reject(error);
      };
      const onAbort = (): void => fail(new ZitiError('aborted', 'given up', { cause: signal?.reason }));
      const timer = setTimeout(() => fail(new ZitiError('request_timeout', 'no answer')), timeoutMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      const answered = (reply: Message): void => {
        settle();
        resolve(reply);
      };
      this.#requests.set(sequence, { resolve: answered, reject: fail, onReply });
      try {
        this.send(type, headers, body);
      } catch (error) {
        fail(error);
      }
    });
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#deliverInbox();
  }

  /** What the router sends. Waits while the channel is paused. */
  arrive(type: number, headers: Headers, body: Uint8Array | string = ''): void {
    this.#peerSequence += 1;
    this.#inbox.push({ type, sequence: this.#peerSequence, headers, body: Buffer.from(body) });
    this.#deliverInbox();
  }

  close(reason = 'closed'): Promise<CloseReason> {
    return this.end('us', new ZitiError('channel_closed', reason));
  }

  /** The end, as the channel would notice it. */
  end(by: CloseReason['by'], error = new ZitiError('channel_lost', 'the router is gone')): Promise<CloseReason> {
    if (!this.#over) {
      this.#over = { by, error, ageMs: 1, received: this.#peerSequence };
      for (const waiting of [...this.#requests.values()]) waiting.reject(error);
      for (const drain of this.#drains.splice(0)) drain();
      this.#onOver(this.#over);
    }
    return this.closed;
  }

  #deliverInbox(): void {
    while (!this.paused && this.#onMessage && this.#inbox.length > 0 && !this.#over) {
      const message = this.#inbox.shift();
      if (!message) return;
      const replyFor = message.headers.i32(CHANNEL_HEADERS.replyFor);
      const waiting = replyFor === undefined ? undefined : this.#requests.get(replyFor);
      if (waiting) {
        waiting.onReply?.(message);
        waiting.resolve(message);
      } else this.#onMessage(message);
    }
  }
}
