// Requests of the client that have no answer yet, and among them those that wait for a way to the server. Bounded: whoever
// sends more than is answered is told so, request by request.

import { LISTEN } from '../eras/methods.ts';
import { LIMITS } from '../limits.ts';
import type { Message } from '../message.ts';

/** A host's own queue lets no more through. */
const MAX_OPEN = LIMITS.callsPerSession + LIMITS.callsQueued;

interface OpenRequest {
  readonly message: Message;
  /** Asked again after a lost server; a second loss is its end. */
  repeated: boolean;
  timer: NodeJS.Timeout | undefined;
  /** It was sent to a host that keeps outcomes, under a key: until then it may be asked again. On the clock that only
   *  grows. */
  until: number | undefined;
  /** Which ledger has it. */
  ledger: string | undefined;
  /** How often, to whomever. */
  sent: number;
}

export class OpenRequests {
  private readonly open = new Map<string, OpenRequest>();
  /** In order; notifications wait among the requests. */
  private queue: Message[] = [];
  private queuedBytes = 0;
  private listens = 0;
  private readonly whenIdle: (() => void)[] = [];

  get size(): number {
    return this.open.size;
  }

  has(id: string): boolean {
    return this.open.has(id);
  }

  all(): Message[] {
    return [...this.open.values()].map(({ message }) => message);
  }

  /** Nothing is open but subscriptions, which end with the session. */
  async idle(): Promise<void> {
    while (this.open.size > this.listens) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  /** Why a request cannot be taken. */
  refuses(message: Message): 'in use' | 'full' | undefined {
    if (this.open.has(message.id ?? '')) return 'in use';
    return this.open.size >= MAX_OPEN || this.queuedBytes + message.bytes.length > LIMITS.hardQueueBytes
      ? 'full'
      : undefined;
  }

  add(message: Message): void {
    if (message.method === LISTEN) this.listens += 1;
    this.open.set(message.id ?? '', {
      message,
      repeated: false,
      timer: undefined,
      until: undefined,
      ledger: undefined,
      sent: 0,
    });
  }

  /** `expired` is called if it still waits after `waitMs`; not for notifications. */
  wait(message: Message, waitMs: number, expired: () => void): void {
    this.queue.push(message);
    this.queuedBytes += message.bytes.length;
    const request = message.kind === 'request' ? this.open.get(message.id ?? '') : undefined;
    if (request) request.timer ??= setTimeout(expired, waitMs);
  }

  /** It leaves now, under a key, to a host that keeps outcomes for so long. */
  sentOnce(id: string, keptMs: number, ledger: string | undefined): void {
    const request = this.open.get(id);
    if (request === undefined) return;
    request.sent += 1;
    if (request.until !== undefined) return;
    request.until = performance.now() + keptMs;
    request.ledger = ledger;
  }

  /** It was not taken where it was sent last, and it was sent nowhere else. */
  notTaken(id: string): void {
    const request = this.open.get(id);
    if (request?.sent !== 1) return;
    request.until = undefined;
    request.sent = 0;
  }

  /** Another host has it: this one would run it anew. */
  isElsewhere(id: string, ledger: string | undefined): boolean {
    const request = this.open.get(id);
    return request?.until !== undefined && request.ledger !== ledger;
  }

  /** It may have run, and its outcome can be asked for again. */
  askable(id: string): boolean {
    const until = this.open.get(id)?.until;
    return until !== undefined && until > performance.now();
  }

  /** It was sent to a host that keeps outcomes: whatever becomes of it, it may have run. */
  mayHaveRun(id: string): boolean {
    return this.open.get(id)?.until !== undefined;
  }

  /** It was sent and will not be run: it waits for the next server. */
  waitAgain(id: string, waitMs: number, expired: (message: Message) => void): void {
    const { message } = this.open.get(id) ?? {};
    this.notTaken(id);
    if (message && !this.waits(id)) this.wait(message, this.askableMs(message) ?? waitMs, () => expired(message));
  }

  /** Requests that wait. */
  waiting(): Message[] {
    return this.queue.filter(({ kind }) => kind === 'request');
  }

  /** What waited, in order; from here on it counts as sent. */
  flush(): Message[] {
    const waiting = this.queue;
    this.queue = [];
    this.queuedBytes = 0;
    return waiting.filter((message) => {
      if (message.kind !== 'request') return true;
      const request = this.open.get(message.id ?? '');
      if (!request) return false;
      clearTimeout(request.timer);
      request.timer = undefined;
      return true;
    });
  }

  /** Whether it never left. */
  waits(id: string): boolean {
    const request = this.open.get(id);
    return request !== undefined && this.queue.includes(request.message);
  }

  /** The server is gone. Requests that were sent are `lost`, but for those that may be asked once more: they wait, first. */
  lose(mayRepeat: (message: Message) => boolean): { lost: Message[]; again: Message[] } {
    const waiting = new Set(this.queue);
    const lost: Message[] = [];
    const again: Message[] = [];
    for (const request of this.open.values()) {
      if (waiting.has(request.message)) continue;
      if (!request.repeated && mayRepeat(request.message)) {
        // A subscription is open for as long as its client wants it, however often the server is lost.
        request.repeated = request.message.method !== LISTEN && !this.askable(request.message.id ?? '');
        again.push(request.message);
      } else {
        lost.push(request.message);
      }
    }
    return { lost, again };
  }

  /** Puts it before everything that waits. What may be asked again waits for as long as that is of use. */
  waitFirst(messages: readonly Message[], waitMs: number, expired: (message: Message) => void): void {
    const later = this.queue;
    this.queue = [];
    for (const message of messages) this.wait(message, this.askableMs(message) ?? waitMs, () => expired(message));
    this.queue.push(...later);
  }

  /** Too much time has passed for what was sent to be answered over the same way. What may be asked again stays open for as
   *  long as that is of use; the rest is lost. */
  giveUp(expired: (message: Message) => void): Message[] {
    const waiting = new Set(this.queue);
    const lost: Message[] = [];
    for (const request of this.open.values()) {
      const { message } = request;
      if (waiting.has(message)) continue;
      const ms = this.askableMs(message);
      if (ms === undefined) lost.push(message);
      else request.timer ??= setTimeout(() => expired(message), ms);
    }
    return lost;
  }

  private askableMs({ id = '' }: Message): number | undefined {
    const until = this.open.get(id)?.until;
    return until === undefined ? undefined : Math.max(0, until - performance.now());
  }

  /** It has its answer. */
  settle(id: string): void {
    const request = this.open.get(id);
    if (!request) return;
    clearTimeout(request.timer);
    this.open.delete(id);
    if (request.message.method === LISTEN) this.listens -= 1;
    const at = this.queue.indexOf(request.message);
    if (at >= 0) {
      this.queue.splice(at, 1);
      this.queuedBytes -= request.message.bytes.length;
    }
    if (this.open.size <= this.listens) for (const resolve of this.whenIdle.splice(0)) resolve();
  }
}
