// The handshake of a legacy session that outlives its clients: one that says the same `initialize` gets the answer that the
// first one got, the server hears it once. Whether two are the same is decided by what they say, not by how it is written.

import { canonical, paramsOf } from '../eras/envelope.ts';
import { withId } from '../json-rpc.ts';
import type { Message } from '../message.ts';
import { isError } from '../steady/session-memory.ts';

export class Greeting {
  /** Said by a client: the layers above do not hear it again. */
  initialized = false;
  #said: string | undefined;
  /** Its id as the layers above know it, while it has no answer there. */
  #asked: string | undefined;
  /** The same of the client that waits for it. */
  #waiting: string | undefined;
  #answer: Message | undefined;

  /** There is a legacy session, or will be. */
  get known(): boolean {
    return this.#said !== undefined;
  }

  get answered(): boolean {
    return this.#answer !== undefined;
  }

  /** Id under which the layers above have it open. */
  get asked(): string | undefined {
    return this.#asked;
  }

  /** Id under which the client waits for the answer. */
  get waiting(): string | undefined {
    return this.#waiting;
  }

  /** The first one, or the next one after a refusal. `id`: as the layers above know it. */
  begin(initialize: Message, id: string): void {
    if (this.answered) return;
    this.#said = canonical(paramsOf(initialize));
    this.#asked = id;
    this.#waiting = initialize.id;
  }

  same(initialize: Message): boolean {
    return this.#said === canonical(paramsOf(initialize));
  }

  /** The answer, under the id of whoever asks now. */
  answerFor(id: string): Message | undefined {
    return this.#answer && withId(this.#answer, id);
  }

  /** Another client waits for it, or none does. */
  waits(id: string | undefined): void {
    this.#waiting = id;
  }

  /** An answer passes: whether it is the one. */
  heard(response: Message): boolean {
    if (this.#asked === undefined || response.id !== this.#asked) return false;
    this.#asked = undefined;
    if (isError(response)) this.#said = undefined;
    else this.#answer = response;
    return true;
  }
}
