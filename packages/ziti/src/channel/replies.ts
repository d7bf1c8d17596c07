// Requests that wait for an answer, by the sequence they were sent with. Bounded; each ends exactly once: by its answer, its time
// limit, its caller, or the end of the channel.

import type { Clock } from '../clock.ts';
import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { awaited } from './awaited.ts';
import type { RequestOptions } from './channel.ts';
import type { Message } from './message.ts';

interface Waiting {
  readonly answer: (message: Message) => void;
  readonly fail: (error: ZitiError) => void;
}

export class Replies {
  readonly #clock: Clock;
  readonly #peer: string;
  readonly #waiting = new Map<number, Waiting>();

  constructor(clock: Clock, peer: string) {
    this.#clock = clock;
    this.#peer = peer;
  }

  get size(): number {
    return this.#waiting.size;
  }

  has(sequence: number): boolean {
    return this.#waiting.has(sequence);
  }

  /** Throws `too_many_requests`. */
  checkRoom(): void {
    if (this.#waiting.size < LIMITS.channelRequests) return;
    throw new ZitiError('too_many_requests', `${this.#peer} owes answers to ${this.#waiting.size} requests already`);
  }

  /** Rejects with `request_timeout`, `aborted`, or what `failAll` is given. */
  wait(sequence: number, { timeoutMs, signal, onReply }: RequestOptions): Promise<Message> {
    const answer = awaited<Message>(signal, (done, fail) => {
      const late = (): void => {
        fail(new ZitiError('request_timeout', `${this.#peer} did not answer a request within ${timeoutMs} ms`));
      };
      const cancel = this.#clock.after(timeoutMs, late);
      this.#waiting.set(sequence, {
        fail,
        answer: (message) => {
          done(message);
          onReply?.(message);
        },
      });
      return () => {
        cancel();
        this.#waiting.delete(sequence);
      };
    });
    if (!signal) return answer;
    return answer.catch((error: unknown) => {
      if (error instanceof ZitiError) throw error;
      throw new ZitiError('aborted', `a request to ${this.#peer} was given up by its caller`, { cause: error });
    });
  }

  /** Whether somebody waited for it. */
  take(sequence: number, message: Message): boolean {
    const waiting = this.#waiting.get(sequence);
    waiting?.answer(message);
    return waiting !== undefined;
  }

  failAll(error: ZitiError): void {
    for (const { fail } of [...this.#waiting.values()]) fail(error);
  }
}
