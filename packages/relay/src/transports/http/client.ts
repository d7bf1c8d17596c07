// A session at an MCP server over HTTP, as one Transport: `httpTransport` is the door for backends of type http/https and
// for hosts on an overlay that speak HTTP. This file owns the queue and the life; how messages travel is the wire's
// (./client-streamable, ./client-sse). Order: a notification is taken by the server before what follows it is sent.
// Invariant: a request that fails on its way is answered with an error; `closed` tells when the session itself is over.

import { setMaxListeners } from 'node:events';
import type { Duplex } from 'node:stream';
import { outcomeUnknown, RelayError } from '../../errors.ts';
import { errorMessage } from '../../json-rpc.ts';
import { LIMITS, type Limits } from '../../limits.ts';
import type { Message } from '../../message.ts';
import { isRepeatable } from '../../methods.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../../transport.ts';
import { Inbox } from '../inbox.ts';
import { SseWire } from './client-sse.ts';
import { StreamableWire } from './client-streamable.ts';
import type { Failure, Wire, WireHost } from './client-wire.ts';
import { Dialer } from './dialer.ts';
import { type HttpLog, SILENT } from './wire.ts';

/** transport.ts: what is queued goes out within this. */
const FLUSH_MS = 1000;
/** Headers of ours or of HTTP itself, which a configured one must not replace. */
const RESERVED = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'accept-encoding',
  'keep-alive',
  'upgrade',
]);

export interface HttpTransportOptions {
  /** Who failed, in errors: `backend fs`. Default: the host alone. */
  readonly name?: string;
  /** Put into every error of ours. */
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly url: string;
  /** 'auto': Streamable HTTP, and the older SSE transport where that is refused with 400, 404 or 405. */
  readonly protocol: 'auto' | 'sse' | 'streamable';
  readonly headers?: Readonly<Record<string, string>>;
  /** Asked when the server refuses them (401, 403): as they are now. What was refused with 401 is sent once more where
   *  they are others. */
  readonly renew?: () => Promise<Readonly<Record<string, string>>>;
  /** `connect` dials a connection of its own for each HTTP connection; http:// only. */
  readonly fetchVia?: 'node' | { connect(signal: AbortSignal): Promise<Duplex> };
  readonly tls?: { readonly ca?: string | Buffer; readonly insecureSkipVerify?: boolean };
  /** Whether http:// to another machine is accepted. Loopback and overlays are without it. */
  readonly allowInsecure?: boolean;
  readonly limits?: Limits;
  readonly log?: HttpLog;
  /** Until a connection, TLS included, is there. Default 15,000. */
  readonly connectTimeoutMs?: number;
}

/** Throws RelayError `http_failed` for an address that cannot be used. What fails later arrives by `closed`. */
export function httpTransport(options: HttpTransportOptions): Transport {
  return new HttpSession(options);
}

class HttpSession implements Transport, WireHost {
  readonly dialer: Dialer;
  readonly limits: Limits;
  readonly log: HttpLog;
  readonly inbox = new Inbox();
  readonly #abort = new AbortController();
  readonly signal = this.#abort.signal;
  readonly #protocol: HttpTransportOptions['protocol'];
  readonly #who: Pick<HttpTransportOptions, 'name' | 'facts'>;
  #wire: Wire;
  #queue: Message[] = [];
  #queuedBytes = 0;
  #pumping = false;
  #drained: (() => void)[] = [];
  #emptied: (() => void)[] = [];
  #ending: Promise<void> | undefined;

  constructor(options: HttpTransportOptions) {
    const { fetchVia, headers = {}, renew, tls = {}, connectTimeoutMs = 15_000 } = options;
    // Each of its requests listens.
    setMaxListeners(0, this.signal);
    this.limits = options.limits ?? LIMITS;
    this.log = options.log ?? SILENT;
    this.#protocol = options.protocol;
    this.#who = options;
    const url = checkedUrl(options);
    this.dialer = new Dialer({
      url,
      headers: checkedHeaders(headers, url),
      renew: renew && (async () => checkedHeaders(await renew(), url)),
      log: this.log,
      connect: typeof fetchVia === 'object' ? (signal) => fetchVia.connect(signal) : undefined,
      tls,
      connectTimeoutMs,
      // Its calls, its event stream, and answers and notices beside them.
      maxConnections: this.limits.callsPerSession + 8,
    });
    this.#wire = options.protocol === 'sse' ? new SseWire(this) : new StreamableWire(this, this.#fallback());
  }

  start(handlers: TransportHandlers): void {
    this.inbox.start(handlers);
    this.#wire.begin();
  }

  send(message: Message): boolean {
    if (this.#ending !== undefined) return true;
    this.#queue.push(message);
    this.#queuedBytes += message.bytes.length;
    if (!this.#pumping) {
      this.#pumping = true;
      queueMicrotask(() => void this.#pump());
    }
    return this.#clear;
  }

  drained(): Promise<void> {
    return this.#clear ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve));
  }

  pause(): void {
    this.inbox.pause();
  }

  resume(): void {
    this.inbox.resume();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    this.#ending ??= this.#end(reason, true);
    return this.#ending;
  }

  fail(message: Message, failure: Failure): void {
    if (message.kind !== 'request' || message.id === undefined) {
      this.log.warn({ method: message.method, reason: failure.text }, 'message to http server lost');
      return;
    }
    const unknown = failure.mayHaveRun && !isRepeatable(message.method ?? '');
    const { name, facts } = this.#who;
    const what = name === undefined ? failure.text : `${name}: ${failure.text}`;
    const text = unknown ? outcomeUnknown(what) : what;
    const { host } = this.dialer.url;
    const data = {
      ...facts,
      host,
      ...(failure.hint === undefined ? {} : { hint: failure.hint }),
      ...(failure.status === undefined ? {} : { status: failure.status }),
    };
    this.inbox.pushSoon(errorMessage(message.id, unknown ? 'outcome_unknown' : 'backend_unavailable', text, data));
  }

  lost(reason: CloseReason): void {
    this.#ending ??= this.#end(reason, false);
  }

  get #clear(): boolean {
    return this.#ending !== undefined || this.#queuedBytes < this.limits.softQueueBytes;
  }

  #fallback(): ((initialize: Message) => void) | undefined {
    if (this.#protocol !== 'auto') return undefined;
    return (initialize) => {
      this.log.debug({ host: this.dialer.url.host }, 'streamable http refused, trying http with sse');
      this.#wire = new SseWire(this);
      this.#wire.begin();
      this.#queue.unshift(initialize);
      this.#queuedBytes += initialize.bytes.length;
    };
  }

  async #pump(): Promise<void> {
    for (let message = this.#queue.shift(); message !== undefined; message = this.#queue.shift()) {
      if (this.signal.aborted) break;
      const { length } = message.bytes;
      let taken = false;
      await this.#wire.send(message, () => {
        if (!taken) this.#queuedBytes -= length;
        taken = true;
        this.#wake();
      });
    }
    this.#pumping = false;
    const emptied = this.#emptied;
    this.#emptied = [];
    for (const resolve of emptied) resolve();
  }

  #wake(): void {
    if (!this.#clear) return;
    const drained = this.#drained;
    this.#drained = [];
    for (const resolve of drained) resolve();
  }

  async #end(reason: CloseReason, byOwner: boolean): Promise<void> {
    if (byOwner) {
      if (this.#pumping) await this.#emptiedWithin(FLUSH_MS);
      await this.#wire.end();
    }
    this.#abort.abort();
    this.dialer.close();
    this.inbox.close(reason, { drop: byOwner });
    await Promise.resolve();
    this.#queue = [];
    this.#wake();
  }

  async #emptiedWithin(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
      this.#emptied.push(resolve);
    });
    clearTimeout(timer);
  }
}

function checkedUrl(options: HttpTransportOptions): URL {
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new RelayError('http_failed', 'the address of an http server must begin with http:// or https://');
  }
  const overlay = typeof options.fetchVia === 'object';
  if (overlay && url.protocol === 'https:') {
    throw new RelayError(
      'http_failed',
      `${url.host}: a connection over an overlay carries http://, it is encrypted already`,
    );
  }
  const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'http:' && !overlay && !loopback && options.allowInsecure !== true) {
    throw new RelayError('http_failed', `${url.host} would be spoken to without encryption`, {
      hint: 'use https://, or set allow_insecure: true',
    });
  }
  return url;
}

function checkedHeaders(headers: Readonly<Record<string, string>>, url: URL): Record<string, string> {
  const checked: Record<string, string> = {};
  if (url.username !== '' || url.password !== '') {
    const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    checked.authorization = `Basic ${Buffer.from(login).toString('base64')}`;
  }
  for (const [name, value] of Object.entries(headers)) {
    if (RESERVED.has(name.toLowerCase())) {
      throw new RelayError('http_failed', `the header ${name} cannot be configured for ${url.host}`);
    }
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      throw new RelayError('http_failed', `the header ${JSON.stringify(name)} for ${url.host} is no valid HTTP header`);
    }
    checked[name.toLowerCase()] = value;
  }
  return checked;
}
