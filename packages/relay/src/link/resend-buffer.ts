// What one side of a link has sent or will send, kept until the other side acknowledged it, in the order of its numbers:
//   acknowledged (gone) | written, in flight | waiting to be written
// Numbers are positions: the message at the front is `acked + 1`. Pure: no sockets, no time.

import type { Message } from '../message.ts';

/** Charged for each message above its bytes, so that a million tiny ones are not free. */
export const MESSAGE_OVERHEAD_BYTES = 256;

/** Acknowledged slots are cut off the array in one go when they are this many and the larger half. */
const COMPACT_AT = 1024;

export class ResendBuffer {
  #messages: (Message | undefined)[] = [];
  #head = 0;
  #next = 0;
  #acked = 0;
  #highest = 0;
  #heldBytes = 0;
  #unsentBytes = 0;

  /** Number of the last acknowledged message. */
  get acked(): number {
    return this.#acked;
  }

  /** Number of the last message ever written whole, on whichever connection. */
  get highestSent(): number {
    return this.#highest;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  get inFlightBytes(): number {
    return this.#heldBytes - this.#unsentBytes;
  }

  push(message: Message): void {
    const bytes = chargeOf(message.bytes.length);
    this.#messages.push(message);
    this.#heldBytes += bytes;
    this.#unsentBytes += bytes;
  }

  /** The next message to write. */
  peek(): Message | undefined {
    return this.#messages[this.#next];
  }

  /** The message of `peek` was written whole. */
  advance(): void {
    const message = this.#messages[this.#next];
    if (!message) return;
    this.#unsentBytes -= chargeOf(message.bytes.length);
    this.#next += 1;
    this.#highest = Math.max(this.#highest, this.#acked + (this.#next - this.#head));
  }

  /** Forgets what the other side has. Older numbers change nothing. Returns how many were forgotten; -1 if it claims
   *  what was not written on this connection. */
  ack(number: number): number {
    const count = number - this.#acked;
    if (count <= 0) return 0;
    if (count > this.#next - this.#head) return -1;
    for (let index = this.#head; index < this.#head + count; index += 1) {
      this.#heldBytes -= chargeOf(this.#messages[index]?.bytes.length ?? 0);
      this.#messages[index] = undefined;
    }
    this.#head += count;
    this.#acked = number;
    if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head);
      this.#next -= this.#head;
      this.#head = 0;
    }
    return count;
  }

  /** Whether a new connection can go on after `got`: nothing claimed that was never written, nothing needed that is gone. */
  canResume(got: number): boolean {
    return got >= this.#acked && got <= this.#highest;
  }

  /** A new connection whose other side has everything up to `got`: the rest is to be written again. */
  resume(got: number): void {
    this.#next = this.#head + (this.#highest - this.#acked);
    this.ack(got);
    this.#next = this.#head;
    this.#unsentBytes = this.#heldBytes;
  }

  /** Numbers start at 1 again. Returns what nobody acknowledged, in order. */
  renew(): Message[] {
    const lost = this.#messages.slice(this.#head).filter((message) => message !== undefined);
    this.#messages = [];
    this.#head = this.#next = this.#acked = this.#highest = 0;
    this.#heldBytes = this.#unsentBytes = 0;
    return lost;
  }
}

export function chargeOf(bytes: number): number {
  return bytes + MESSAGE_OVERHEAD_BYTES;
}
