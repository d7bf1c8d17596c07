// Our side of the older HTTP+SSE transport (revision 2024-11-05), as old servers and hosts of the Go original speak it:
// one GET brings everything, beginning with the address to POST to. The first byte may be long in coming: the Go
// original starts all its backends first.
// Invariant: the address stays on the origin that was configured; the session is over when the GET is.

import type { IncomingMessage } from 'node:http';
import { isFault } from '../../json-rpc.ts';
import type { Fault, Message } from '../../message.ts';
import { isRepeatable } from '../../methods.ts';
import { discard, readBody } from './body.ts';
import { sessionLost, told, unauthorized, type Wire, type WireHost } from './client-wire.ts';
import { readEvents, readOne } from './incoming.ts';
import { EVENTS_TYPE, JSON_TYPE, mediaType } from './wire.ts';

/** Until the endpoint is told: a first `npx` downloads (reliability: start-up of a backend). */
const ENDPOINT_MS = 120_000;
/** How long a message waits for the one before it to be taken. Some servers answer the POST only after the call. */
const ORDER_MS = 250;
const REFUSAL_BYTES = 64 * 1024;

export class SseWire implements Wire {
  readonly #host: WireHost;
  #endpoint: URL | undefined;
  #known: Promise<void>;
  #tellKnown: () => void = () => {};
  #response: IncomingMessage | undefined;

  constructor(host: WireHost) {
    this.#host = host;
    this.#known = new Promise((resolve) => {
      this.#tellKnown = resolve;
    });
    host.signal.addEventListener('abort', () => this.#tellKnown(), { once: true });
  }

  begin(): void {
    void this.#listen();
  }

  async send(message: Message, onSent: () => void): Promise<void> {
    await this.#known;
    const post = this.#post(message, onSent);
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ORDER_MS);
    });
    await Promise.race([post, patience]);
    clearTimeout(timer);
  }

  /** Closing the stream is the good-bye. */
  async end(): Promise<void> {
    this.#response?.destroy();
  }

  async #listen(): Promise<void> {
    const { dialer, signal } = this.#host;
    const { host } = dialer.url;
    const timer = setTimeout(() => {
      this.#lost(`${host} did not open its event stream within ${ENDPOINT_MS / 1000} s`);
    }, ENDPOINT_MS);
    void this.#known.then(() => clearTimeout(timer));
    try {
      const headers = { accept: EVENTS_TYPE };
      const { response, url } = await dialer.request({ method: 'GET', headers, repeatable: true, signal });
      const status = response.statusCode ?? 0;
      const type = mediaType(response.headers['content-type']);
      if (status === 200 && type === EVENTS_TYPE) await this.#read(response, url);
      else this.#refused(response, status, type);
    } catch (error) {
      const { text, hint } = told(error);
      this.#lost(hint === undefined ? text : `${text} (${hint})`);
    }
  }

  async #read(response: IncomingMessage, url: URL): Promise<void> {
    this.#response = response;
    const { host } = this.#host.dialer.url;
    await readEvents({
      response,
      limits: this.#host.limits,
      inbox: this.#host.inbox,
      onMessage: (item) => this.#take(item),
      onOther: (name, data) => {
        if (name === 'endpoint' && this.#endpoint === undefined) this.#settle(data.toString('utf8'), url);
      },
    });
    if (this.#endpoint === undefined)
      this.#lost(`${host} ended its event stream before it told where to send messages`);
    else this.#host.lost({ code: 'connection_lost', reason: `${host} ended its event stream` });
  }

  /** Requests go nowhere but to the configured origin: credentials go with them. */
  #settle(text: string, url: URL): void {
    const endpoint = URL.canParse(text, url.href) ? new URL(text, url) : undefined;
    if (endpoint?.origin !== url.origin) {
      const where = endpoint === undefined ? 'an address that is none' : endpoint.origin;
      this.#lost(`${url.host} wants its messages sent to ${where}, another origin than its own; refused`);
      return;
    }
    this.#endpoint = endpoint;
    this.#tellKnown();
  }

  #take(item: Message | Fault): void {
    // Before the endpoint is told there is nothing to say.
    if (this.#endpoint !== undefined) this.#host.inbox.push(item);
  }

  async #post(message: Message, onSent: () => void): Promise<void> {
    const { dialer, signal } = this.#host;
    if (this.#endpoint === undefined) return onSent();
    try {
      const { response } = await dialer.request({
        method: 'POST',
        url: this.#endpoint,
        headers: { 'content-type': JSON_TYPE },
        body: message.bytes,
        repeatable: message.kind !== 'request' || isRepeatable(message.method ?? ''),
        signal,
        onSent,
      });
      await this.#posted(message, response);
    } catch (error) {
      if (!signal.aborted) this.#host.fail(message, told(error));
    } finally {
      onSent();
    }
  }

  async #posted(message: Message, response: IncomingMessage): Promise<void> {
    const { host } = this.#host.dialer.url;
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) {
      if (!(await discard(response, { bytes: REFUSAL_BYTES, ms: 5000 }))) response.destroy();
      return;
    }
    const body = await readBody(response, { maxBytes: REFUSAL_BYTES, idleMs: 5000 });
    if (typeof body === 'string') response.destroy();
    if (status === 401) return this.#host.lost(unauthorized(host, status));
    if (status === 404) return this.#host.lost(sessionLost(host, message));
    const item = typeof body === 'string' ? undefined : readOne(body, this.#host.limits);
    if (item !== undefined && !isFault(item) && item.kind === 'response' && item.id === message.id) {
      this.#host.inbox.push(item);
      return;
    }
    const text = status === 403 ? unauthorized(host, status).reason : `${host} answered HTTP ${status}`;
    this.#host.fail(message, { text, mayHaveRun: status >= 500 });
  }

  #refused(response: IncomingMessage, status: number, type: string): void {
    const { host } = this.#host.dialer.url;
    response.destroy();
    if (status === 401 || status === 403) this.#host.lost(unauthorized(host, status));
    else if (status === 200)
      this.#lost(`${host} answered with ${type || 'no content type'} instead of an event stream`);
    else this.#lost(`${host} answered HTTP ${status} instead of an event stream`);
  }

  #lost(reason: string): void {
    this.#host.lost({ code: 'http_failed', reason });
  }
}
