// A `subscriptions/listen` of a modern client at a legacy server: the notifications of its session, filtered, and tagged
// with the id of the request. Acknowledged is what the server really tells.

import { notificationMessage, rawId } from '../../json-rpc.ts';
import type { Message } from '../../message.ts';
import { arrayOf, endOfListen, type JsonObject, META, metaOf, objectOf } from '../envelope.ts';
import { ACKNOWLEDGED, FILTERS, UPDATED } from '../methods.ts';
import type { LegacyPeer, Subscriber } from './peer.ts';

/** Of one request; each is a request to the server. */
const MAX_URIS = 1024;

export class ModernListen implements Subscriber {
  readonly #id: string;
  readonly #peer: LegacyPeer;
  readonly #send: (message: Message) => void;
  #honoured: Readonly<Record<string, unknown>> | undefined;
  #over = false;

  constructor(id: string, peer: LegacyPeer, send: (message: Message) => void) {
    this.#id = id;
    this.#peer = peer;
    this.#send = send;
  }

  async open(wanted: JsonObject): Promise<void> {
    const { capabilities } = this.#peer;
    const honoured: Record<string, unknown> = {};
    for (const [changed, member] of Object.entries(FILTERS)) {
      const declared = objectOf(capabilities[changed.split('/')[1] ?? '']).listChanged === true;
      if (wanted[member] === true && declared) honoured[member] = true;
    }
    const uris = arrayOf(wanted.resourceSubscriptions).filter((uri) => typeof uri === 'string');
    if (uris.length > 0 && objectOf(capabilities.resources).subscribe === true) {
      const asked = await Promise.all(
        uris.slice(0, MAX_URIS).map(async (uri) => ((await this.#peer.subscribe(uri, this)) ? [uri] : [])),
      );
      honoured.resourceSubscriptions = asked.flat();
    }
    if (this.#over) return this.#peer.detach(this);
    this.#honoured = honoured;
    this.#peer.attach(this);
    this.#tell(ACKNOWLEDGED, { notifications: honoured });
  }

  event(method: string, params: JsonObject): void {
    const wanted = method === UPDATED || this.#honoured?.[FILTERS[method] ?? ''] === true;
    if (this.#honoured !== undefined && wanted) this.#tell(method, params);
  }

  close(): void {
    this.#over = true;
    this.#peer.detach(this);
  }

  /** The end, said by us. */
  finish(): void {
    this.close();
    this.#send(endOfListen(this.#id));
  }

  #tell(method: string, params: JsonObject): void {
    const _meta = { ...metaOf(params), [META.subscription]: rawId(this.#id) };
    this.#send(notificationMessage(method, { ...params, _meta }));
  }
}
