// Numbers of calls that must run once, for clients that give them none. A session of the same client that comes later counts
// from a higher number, so that no two of its calls ever have the same key: the first number is the time.

import { isRepeatable, type Message } from '@mcp-overlay/relay';

/** In a millisecond, before two sessions that began one after the other could meet. */
const PER_MS = 2048;

export class CallNumbers {
  #last = Date.now() * PER_MS;

  /** The same request, with a number if it needs one. */
  numbered(request: Message): Message {
    if (request.call !== undefined || isRepeatable(request.method ?? '')) return request;
    this.#last += 1;
    return { ...request, call: this.#last };
  }
}
