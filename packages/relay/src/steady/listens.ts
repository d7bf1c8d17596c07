// Subscriptions of a modern client (`subscriptions/listen`) over a lost server: the request is asked again by itself, its
// second acknowledgement is ours to hear. What changed in between nobody knows, so the client is told to look.

import { type JsonObject, META, metaOf, objectOf, paramsOf } from '../eras/envelope.ts';
import { FILTERS } from '../eras/methods.ts';
import { stringifyExact } from '../json-exact.ts';
import { notificationMessage } from '../json-rpc.ts';
import type { Message } from '../message.ts';

export class Listens {
  readonly #acknowledged = new Set<string>();

  /** What the client hears of an acknowledgement. */
  acknowledged(message: Message): readonly Message[] {
    const params = paramsOf(message);
    const id = stringifyExact(metaOf(params)[META.subscription] ?? null);
    if (!this.#acknowledged.has(id)) {
      this.#acknowledged.add(id);
      return [message];
    }
    return changes(objectOf(params.notifications), { _meta: metaOf(params) });
  }

  settle(id: string): void {
    this.#acknowledged.delete(id);
  }
}

function changes(filter: JsonObject, params: JsonObject): Message[] {
  return Object.entries(FILTERS)
    .filter(([, member]) => filter[member] === true)
    .map(([changed]) => notificationMessage(changed, params));
}
