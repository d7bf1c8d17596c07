// When to acknowledge what was delivered: not each message, but soon. After 64 messages or 256 KiB at once, or what there
// is after 100 ms; where there is something to send anyway, 16 are enough, for then it costs no write of its own. The peer
// keeps the bytes until then.

import type { Clock } from './clock.ts';

const EVERY_MESSAGES = 64;
const EVERY_BYTES = 256 * 1024;
const EVERY_MESSAGES_RIDING = 16;
const AFTER_MS = 100;

export class Ack {
  readonly #clock: Clock;
  readonly #say: (number: number) => void;
  #got = 0;
  #messages = 0;
  #bytes = 0;
  #armed = false;

  constructor(clock: Clock, say: (number: number) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  /** Number of the last message delivered. */
  get got(): number {
    return this.#got;
  }

  took(bytes: number): void {
    this.#got += 1;
    this.#messages += 1;
    this.#bytes += bytes;
    if (this.#messages >= EVERY_MESSAGES || this.#bytes >= EVERY_BYTES) {
      this.flush();
    } else if (!this.#armed) {
      this.#armed = true;
      this.#clock.after(AFTER_MS, this.#onTimer, true);
    }
  }

  /** A message is about to be written. */
  ride(): void {
    if (this.#messages >= EVERY_MESSAGES_RIDING) this.flush();
  }

  flush(): void {
    if (this.#messages === 0) return;
    this.settled();
    this.#say(this.#got);
  }

  /** The next preamble says it. */
  settled(): void {
    this.#messages = 0;
    this.#bytes = 0;
  }

  /** Numbers start at 1 again. */
  reset(): void {
    this.settled();
    this.#got = 0;
  }

  readonly #onTimer = (): void => {
    this.#armed = false;
    this.flush();
  };
}
