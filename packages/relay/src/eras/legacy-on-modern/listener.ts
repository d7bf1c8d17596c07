// The one subscription of a legacy session at a modern server: the list changes that its client was promised, and the
// resources it subscribed to. Another set of resources is another subscription: the new one stands before the old one goes.

import { notificationMessage } from '../../json-rpc.ts';
import type { Fault, Message } from '../../message.ts';
import { arrayOf, type JsonObject, META, metaOf, objectOf } from '../envelope.ts';
import { FILTERS, LISTEN } from '../methods.ts';

/** Each is a URI that is kept and sent with every change of the set. */
const MAX_SUBSCRIPTIONS = 1024;
/** A subscription that ended by itself is made again after this, and longer each time it ends at once. */
const AGAIN_MS = 1000;
const MAX_AGAIN_MS = 60_000;

export interface LegacyListenerOptions {
  ask(method: string, params: JsonObject): { id: string; answer: Promise<Message | Fault> };
  cancel(id: string): void;
  deliver(message: Message): void;
}

interface Stream {
  readonly id: string;
  acknowledged(filter: JsonObject): void;
}

export class LegacyListener {
  readonly #options: LegacyListenerOptions;
  readonly #uris = new Set<string>();
  /** What the server said it would tell of. */
  #lists: JsonObject = {};
  #stream: Stream | undefined;
  #opening: Stream | undefined;
  #work: Promise<unknown> = Promise.resolve();
  #again: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(options: LegacyListenerOptions) {
    this.#options = options;
  }

  /** The client is ready to hear. */
  begin(capabilities: JsonObject): void {
    const declared = Object.entries(FILTERS).filter(([changed]) => {
      const kind = changed.split('/')[1] ?? '';
      return objectOf(capabilities[kind]).listChanged === true;
    });
    this.#lists = Object.fromEntries(declared.map(([, member]) => [member, true]));
    if (declared.length > 0) void this.#renew();
  }

  /** Why not, if not. */
  add(uri: string): Promise<string | undefined> {
    return this.#then(async () => {
      if (this.#uris.has(uri)) return undefined;
      if (this.#uris.size >= MAX_SUBSCRIPTIONS) return `more than ${MAX_SUBSCRIPTIONS} subscriptions`;
      this.#uris.add(uri);
      const honoured = await this.#open();
      if (honoured !== undefined && arrayOf(honoured.resourceSubscriptions).includes(uri)) return undefined;
      this.#uris.delete(uri);
      return 'the server does not tell of changes of this resource';
    });
  }

  delete(uri: string): Promise<string | undefined> {
    return this.#then(async () => {
      if (this.#uris.delete(uri)) await this.#open();
      return undefined;
    });
  }

  acknowledged(params: JsonObject): void {
    const id = String(metaOf(params)[META.subscription]);
    for (const stream of [this.#opening, this.#stream]) {
      if (stream?.id === id) stream.acknowledged(objectOf(params.notifications));
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#again);
    this.#opening?.acknowledged({});
    if (this.#stream !== undefined) this.#options.cancel(this.#stream.id);
  }

  #then<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#work.then(work);
    this.#work = next.catch(() => {});
    return next;
  }

  #renew(): Promise<unknown> {
    return this.#then(() => this.#open());
  }

  /** What the server agreed to; undefined: it has no subscriptions. */
  async #open(): Promise<JsonObject | undefined> {
    if (this.#closed) return undefined;
    const old = this.#stream;
    const uris = this.#uris.size === 0 ? {} : { resourceSubscriptions: [...this.#uris] };
    const notifications = { ...this.#lists, ...uris };
    if (Object.keys(notifications).length === 0) {
      if (old !== undefined) this.#options.cancel(old.id);
      this.#stream = undefined;
      return {};
    }
    const { id, answer } = this.#options.ask(LISTEN, { notifications });
    const agreed = await new Promise<JsonObject | undefined>((resolve) => {
      this.#opening = { id, acknowledged: resolve };
      void answer.then((said) => {
        resolve(undefined);
        this.#ended(id, 'preview' in said || !said.bytes.includes('"error"'));
      });
    });
    this.#opening = undefined;
    if (agreed === undefined || this.#closed) return undefined;
    this.#failures = 0;
    this.#stream = { id, acknowledged: () => {} };
    if (old !== undefined) this.#options.cancel(old.id);
    return agreed;
  }

  #ended(id: string, gracefully: boolean): void {
    if (this.#stream?.id !== id || this.#closed) return;
    this.#stream = undefined;
    this.#failures += 1;
    if (!gracefully && this.#failures > 3) return;
    this.#again = setTimeout(
      () => {
        void this.#renew().then((agreed) => {
          // What changed while nobody listened is not known: the client looks for itself.
          if (agreed !== undefined) this.#tellAll();
        });
      },
      Math.min(AGAIN_MS * 2 ** (this.#failures - 1), MAX_AGAIN_MS),
    );
  }

  #tellAll(): void {
    for (const [changed, member] of Object.entries(FILTERS)) {
      if (this.#lists[member] === true) this.#options.deliver(notificationMessage(changed));
    }
  }
}
