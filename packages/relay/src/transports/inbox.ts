// The receiving half of a transport whose messages come from many places, as HTTP requests and streams or a server that
// many share: they leave one by one, in the order they came, never before `start`, never while paused or after `closed`.

import type { Fault, Message } from '../message.ts';
import type { CloseReason, TransportHandlers } from '../transport.ts';

export class Inbox {
  #handlers: TransportHandlers | undefined;
  #paused = false;
  #closed: CloseReason | undefined;
  #told = false;
  #waiting: (Message | Fault)[] = [];
  #waitingBytes = 0;
  #ready: (() => void)[] = [];

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    // Not from inside the owner's `start` (../../transport.ts).
    queueMicrotask(() => this.#flush());
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Of messages that wait for the owner. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Delivers at once if it may. Only for callers that were not called by the owner; those use `pushSoon`. */
  push(item: Message | Fault): void {
    if (this.#closed !== undefined) return;
    if (this.#handlers === undefined || this.#paused || this.#waiting.length > 0) {
      this.#waiting.push(item);
      this.#waitingBytes += bytesOf(item);
    } else {
      this.#deliver(this.#handlers, item);
    }
  }

  pushSoon(item: Message | Fault): void {
    queueMicrotask(() => this.push(item));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    queueMicrotask(() => this.#flush());
  }

  /** Whether the next message would be delivered at once. */
  get taking(): boolean {
    return this.#closed !== undefined || (this.#handlers !== undefined && !this.#paused);
  }

  /** Resolves when somebody takes messages, or nobody will any more. Whoever waits here leaves its source unread. */
  ready(): Promise<void> {
    if (this.taking) return Promise.resolve();
    return new Promise((resolve) => this.#ready.push(resolve));
  }

  /** `drop`: the owner closed and wants nothing more. Otherwise what waits is still handed over, then `closed`. */
  close(reason: CloseReason, options: { drop?: boolean } = {}): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    if (options.drop === true) {
      this.#waiting = [];
      this.#waitingBytes = 0;
    }
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const handlers = this.#handlers;
    if (handlers === undefined) {
      if (this.#closed !== undefined) this.#wake();
      return;
    }
    while (!this.#paused || this.#closed !== undefined) {
      const item = this.#waiting.shift();
      if (item === undefined) break;
      this.#waitingBytes -= bytesOf(item);
      this.#deliver(handlers, item);
    }
    if (!this.#paused || this.#closed !== undefined) this.#wake();
    if (this.#closed !== undefined && !this.#told) {
      this.#told = true;
      handlers.closed(this.#closed);
    }
  }

  #deliver(handlers: TransportHandlers, item: Message | Fault): void {
    if ('code' in item) handlers.fault(item);
    else handlers.message(item);
  }

  #wake(): void {
    const ready = this.#ready;
    this.#ready = [];
    for (const resolve of ready) resolve();
  }
}

function bytesOf(item: Message | Fault): number {
  return 'code' in item ? 0 : item.bytes.length;
}
