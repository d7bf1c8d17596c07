// The GET of a Streamable HTTP session: what the server sends outside of any request. It is opened after `initialized`,
// taken up behind its last event whenever it ends, and given up only where the server has no such thing (405).

import { randomInt } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { discard } from './body.ts';
import { told, unauthorized, type WireHost } from './client-wire.ts';
import { readEvents } from './incoming.ts';
import { EVENTS_TYPE, isVisibleAscii, LAST_EVENT_HEADER, mediaType } from './wire.ts';

const FIRST_DELAY_MS = 1000;
const MAX_DELAY_MS = 30_000;
const MIN_DELAY_MS = 100;

type Outcome = 'again' | 'over';

export class Listener {
  readonly #host: WireHost;
  readonly #headers: (more: OutgoingHttpHeaders) => OutgoingHttpHeaders;
  readonly #stop = new AbortController();
  #tellAnswered: () => void = () => {};
  /** Resolves when the server has answered the first GET, whatever it says, or nothing will come of that. */
  readonly answered = new Promise<void>((resolve) => {
    this.#tellAnswered = resolve;
  });
  #lastEventId: string | undefined;
  #retryMs: number | undefined;
  /** It has been open: from then on 400 and 404 are about the session, before that about the server. */
  #opened = false;
  #failures = 0;

  constructor(host: WireHost, headers: (more: OutgoingHttpHeaders) => OutgoingHttpHeaders) {
    this.#host = host;
    this.#headers = headers;
    host.signal.addEventListener('abort', () => this.stop(), { once: true });
  }

  stop(): void {
    this.#stop.abort();
  }

  async run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const outcome = await this.#once();
      this.#tellAnswered();
      if (outcome === 'over') return;
      await delay(this.#delayMs(), undefined, { signal }).catch(() => {});
    }
  }

  async #once(): Promise<Outcome> {
    const last = this.#lastEventId;
    const headers = this.#headers({
      accept: EVENTS_TYPE,
      ...(last === undefined ? {} : { [LAST_EVENT_HEADER]: last }),
    });
    try {
      const { signal } = this.#stop;
      const { response } = await this.#host.dialer.request({ method: 'GET', headers, repeatable: true, signal });
      this.#tellAnswered();
      if (response.statusCode !== 200) return this.#refused(response);
      if (mediaType(response.headers['content-type']) !== EVENTS_TYPE) {
        response.destroy();
        return 'over';
      }
      await this.#read(response);
    } catch (error) {
      this.#failures += 1;
      this.#host.log.debug({ reason: told(error).text }, 'event stream could not be opened');
    }
    return 'again';
  }

  async #read(response: IncomingMessage): Promise<void> {
    this.#opened = true;
    this.#failures += 1;
    await readEvents({
      response,
      limits: this.#host.limits,
      inbox: this.#host.inbox,
      onMessage: (item) => {
        this.#failures = 0;
        this.#host.inbox.push(item);
      },
      onId: (id) => {
        this.#failures = 0;
        this.#lastEventId = isVisibleAscii(id) ? id : undefined;
      },
      onRetry: (ms) => {
        this.#retryMs = ms;
      },
    });
  }

  #refused(response: IncomingMessage): Outcome {
    const status = response.statusCode ?? 0;
    const { host } = this.#host.dialer.url;
    void discard(response, { bytes: 64 * 1024, ms: 1000 }).then((whole) => whole || response.destroy());
    if (status === 401) {
      this.#host.lost(unauthorized(host, status));
      return 'over';
    }
    // 409: it has not noticed yet that our old connection is gone.
    if (status >= 500 || status === 409 || status === 429) {
      this.#failures += 1;
      return 'again';
    }
    if (!this.#opened || (status !== 404 && status !== 400)) return 'over';
    if (status === 400 && this.#lastEventId !== undefined) {
      // It may be the event that it does not know any more: once more without.
      this.#lastEventId = undefined;
      return 'again';
    }
    this.#host.lost({ code: 'session_lost', reason: `${host} no longer knows this session` });
    return 'over';
  }

  #delayMs(): number {
    const backoff = Math.min(FIRST_DELAY_MS * 2 ** Math.max(0, this.#failures - 1), MAX_DELAY_MS);
    // Many sessions of one server must not come back in the same instant; what the server wishes is kept to.
    if (this.#failures > 1) return backoff / 2 + randomInt(Math.ceil(backoff / 2));
    return Math.min(Math.max(this.#retryMs ?? backoff, MIN_DELAY_MS), MAX_DELAY_MS);
  }
}
