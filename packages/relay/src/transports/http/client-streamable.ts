// Our side of Streamable HTTP (revisions 2025-03-26 to 2025-11-25): each message is a POST, its answer JSON or a stream of
// events; a GET listens for what belongs to no request. A stream that ends early is taken up by a GET with the id of its
// last event, which is also how servers let clients poll (SEP-1699).
// Invariant: each request is answered, by the server or by us, unless it was cancelled or the session is lost.

import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { CODES, claimsModern, errorOf } from '../../eras/envelope.ts';
import { isFault, parseMessage, toMessage } from '../../json-rpc.ts';
import type { Fault, Message } from '../../message.ts';
import { isRepeatable } from '../../methods.ts';
import { discard, readBody } from './body.ts';
import { ModernWire } from './client-modern.ts';
import { sessionLost, told, unauthorized, type Wire, type WireHost } from './client-wire.ts';
import { readEvents, readOne } from './incoming.ts';
import { Listener } from './listener.ts';
import {
  EVENTS_TYPE,
  isVisibleAscii,
  JSON_TYPE,
  LAST_EVENT_HEADER,
  mediaType,
  SESSION_HEADER,
  VERSION_HEADER,
} from './wire.ts';

/** How long what follows a notification waits for the server to take it. */
const ORDER_MS = 5000;
const GOODBYE_MS = 1000;
/** How long the first request waits until the server has answered the GET that listens: what a server asks in the course of
 *  a request may come there, and servers (SDK v1 among them) drop what they have nowhere to send. Some answer a GET only
 *  with its first event. */
const LISTENING_MS = 1000;
/** A stream whose request was cancelled, or answered, may still bring something; then its connection is let go. */
const AFTERMATH_MS = 5000;
/** Of a refusal's body: it is read for a JSON-RPC error. */
const REFUSAL_BYTES = 64 * 1024;
/** Taking a stream up: how often in vain, and how long between. A server that polls tells its own delay. */
const RESUME_TRIES = 6;
const RESUME_MIN_MS = 100;
const RESUME_MS = 500;
const RESUME_MAX_MS = 60_000;

interface Call {
  readonly message: Message;
  readonly onAnswer: () => void;
  response: IncomingMessage | undefined;
  answered: boolean;
  cancelled: boolean;
  lastEventId: string | undefined;
  retryMs: number | undefined;
  /** Something on this stream that could not be read, and whose it was. */
  unreadable: Fault | undefined;
}

export class StreamableWire implements Wire {
  readonly #host: WireHost;
  readonly #fallback: ((initialize: Message) => void) | undefined;
  readonly #calls = new Map<string, Call>();
  /** Requests whose bodies are on their way out: a notification waits for them. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #modern: ModernWire;
  #session: string | undefined;
  #version: string | undefined;
  #listener: Listener | undefined;

  constructor(host: WireHost, fallback?: (initialize: Message) => void) {
    this.#host = host;
    this.#fallback = fallback;
    this.#modern = new ModernWire(host);
  }

  begin(): void {}

  async send(message: Message, onSent: () => void): Promise<void> {
    // Nothing may follow `initialize` before its answer told the session id.
    if (message.method === 'initialize') {
      await new Promise<void>((resolve) => void this.#call(message, onSent, resolve).then(resolve));
      return;
    }
    if (message.kind === 'request') {
      const left = new Promise<void>((resolve) => {
        const sent = (): void => {
          onSent();
          resolve();
        };
        void (claimsModern(message) ? this.#modern.call(message, sent) : this.#call(message, sent));
      });
      this.#leaving.add(left);
      void left.then(() => this.#leaving.delete(left));
      return;
    }
    if (message.method === 'notifications/cancelled' && this.#cancel(message)) return onSent();
    // The modern era has nothing that a client only tells (specification 2026-07-28, streamable-http).
    if (this.#modern.used && this.#version === undefined && this.#session === undefined) return onSent();
    await within(ORDER_MS, Promise.all(this.#leaving));
    await within(ORDER_MS, this.#tell(message, onSent));
  }

  async end(): Promise<void> {
    this.#listener?.stop();
    if (this.#session === undefined) return;
    const goodbye = this.#host.dialer
      .request({ method: 'DELETE', headers: this.#headers(), repeatable: true, signal: this.#host.signal })
      .then(({ response }) => response.resume())
      // A server that keeps its sessions to itself answers 405, one that is gone nothing: either way we are done.
      .catch(() => {});
    await within(GOODBYE_MS, goodbye);
  }

  /** Of requests after `initialize`, and of the listener. */
  #headers(more: OutgoingHttpHeaders = {}): OutgoingHttpHeaders {
    return {
      ...(this.#session === undefined ? {} : { [SESSION_HEADER]: this.#session }),
      ...(this.#version === undefined ? {} : { [VERSION_HEADER]: this.#version }),
      ...more,
    };
  }

  async #post(message: Message, onSent: () => void): Promise<IncomingMessage> {
    const { response } = await this.#host.dialer.request({
      method: 'POST',
      headers: this.#headers({ 'content-type': JSON_TYPE, accept: `${JSON_TYPE}, ${EVENTS_TYPE}` }),
      body: message.bytes,
      // A notification sent twice does less harm than one lost; an answer sent twice is one answer.
      repeatable: message.kind !== 'request' || isRepeatable(message.method ?? ''),
      signal: this.#host.signal,
      onSent,
    });
    return response;
  }

  // --- notifications and answers ----------------------------------------------------------------------------------

  async #tell(message: Message, onSent: () => void): Promise<void> {
    try {
      const response = await this.#post(message, onSent);
      const status = response.statusCode ?? 0;
      void this.#letGo(response);
      if (status >= 400) {
        if (!this.#ends(status, message)) {
          this.#host.log.warn({ host: this.#host.dialer.url.host, status, method: message.method }, 'notice refused');
        }
      } else if (message.method === 'notifications/initialized') {
        onSent();
        await within(LISTENING_MS, this.#listen());
      }
    } catch (error) {
      this.#host.fail(message, told(error));
    } finally {
      onSent();
    }
  }

  #listen(): Promise<void> {
    if (this.#listener === undefined) {
      this.#listener = new Listener(this.#host, (more) => this.#headers(more));
      void this.#listener.run();
    }
    return this.#listener.answered;
  }

  /** true: the server need not be told. */
  #cancel(message: Message): boolean {
    const { params } = parseMessage(message) as { params?: { requestId?: unknown } | null };
    const id = JSON.stringify(params?.requestId ?? null);
    if (this.#modern.cancel(id)) return true;
    const call = this.#calls.get(id);
    if (call === undefined) return false;
    call.cancelled = true;
    if (call.response !== undefined) void this.#aftermath(call.response);
    return false;
  }

  // --- requests ---------------------------------------------------------------------------------------------------

  async #call(message: Message, onSent: () => void, onAnswer: () => void = () => {}): Promise<void> {
    const call: Call = {
      message,
      onAnswer,
      response: undefined,
      answered: false,
      cancelled: false,
      lastEventId: undefined,
      retryMs: undefined,
      unreadable: undefined,
    };
    const id = message.id ?? 'null';
    this.#calls.set(id, call);
    try {
      const response = await this.#post(message, onSent);
      await this.#receive(call, response, onSent);
    } catch (error) {
      this.#failed(call, error);
    } finally {
      onSent();
      if (this.#calls.get(id) === call) this.#calls.delete(id);
    }
  }

  async #receive(call: Call, response: IncomingMessage, onSent: () => void): Promise<void> {
    const { message } = call;
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) return this.#refused(call, response, status);
    if (message.method === 'initialize') {
      const session = response.headers[SESSION_HEADER];
      if (typeof session === 'string' && isVisibleAscii(session)) this.#session = session;
    }
    const type = mediaType(response.headers['content-type']);
    if (type === EVENTS_TYPE) return this.#readStream(call, response);
    if (type !== JSON_TYPE) {
      response.destroy();
      onSent();
      const what = status === 202 ? 'took the request without an answer' : `answered with ${type || 'no content type'}`;
      return this.#giveUp(call, `${this.#host.dialer.url.host} ${what}`);
    }
    const body = await readBody(response, { maxBytes: this.#host.limits.messageBytes });
    if (body === 'too_large') {
      response.destroy();
      return this.#tooLarge(call);
    }
    if (typeof body === 'string') return this.#giveUp(call, `${this.#host.dialer.url.host}: its answer was cut`);
    this.#take(call, readOne(body, this.#host.limits));
    if (!call.answered) this.#giveUp(call, `${this.#host.dialer.url.host} answered with something that is no answer`);
  }

  async #readStream(call: Call, first: IncomingMessage): Promise<void> {
    let response: IncomingMessage | undefined = first;
    for (let tries = 0; response !== undefined; ) {
      const before: string | undefined = call.lastEventId;
      await this.#readEvents(call, response);
      if (call.answered || call.cancelled || this.#host.signal.aborted) return;
      if (call.lastEventId === undefined) break;
      tries = call.lastEventId === before ? tries + 1 : 0;
      response = await this.#resume(call, tries);
    }
    this.#giveUp(call, `${this.#host.dialer.url.host}: the stream of this request ended without an answer`);
  }

  async #readEvents(call: Call, response: IncomingMessage): Promise<void> {
    call.response = response;
    if (call.cancelled) void this.#aftermath(response);
    await readEvents({
      response,
      limits: this.#host.limits,
      inbox: this.#host.inbox,
      onMessage: (item) => {
        this.#take(call, item);
        if (call.answered) void this.#aftermath(response);
      },
      onId: (id) => {
        call.lastEventId = isVisibleAscii(id) ? id : undefined;
      },
      onRetry: (ms) => {
        call.retryMs = ms;
      },
    });
    call.response = undefined;
  }

  /** undefined: the server has no more of it. */
  async #resume(call: Call, tries: number): Promise<IncomingMessage | undefined> {
    for (let vain = tries; vain < RESUME_TRIES; vain += 1) {
      const wish = call.retryMs ?? RESUME_MS * 2 ** vain;
      const signal = this.#host.signal;
      await delay(Math.min(Math.max(wish, RESUME_MIN_MS), RESUME_MAX_MS), undefined, { signal });
      if (call.cancelled || call.lastEventId === undefined) return undefined;
      const headers = this.#headers({ accept: EVENTS_TYPE, [LAST_EVENT_HEADER]: call.lastEventId });
      try {
        const { response } = await this.#host.dialer.request({ method: 'GET', headers, repeatable: true, signal });
        if (response.statusCode === 200 && mediaType(response.headers['content-type']) === EVENTS_TYPE) return response;
        void this.#letGo(response);
        if (this.#ends(response.statusCode ?? 0)) return undefined;
        // 409: the server has not noticed yet that the old connection is gone. 5xx: perhaps a proxy in between.
        if (response.statusCode !== 409 && (response.statusCode ?? 0) < 500) return undefined;
      } catch (error) {
        if (signal.aborted) return undefined;
        this.#host.log.debug({ reason: told(error).text }, 'stream could not be taken up');
      }
    }
    return undefined;
  }

  #take(call: Call, item: Message | Fault): void {
    const { message } = call;
    if (isFault(item)) {
      if (item.id === message.id) {
        call.answered = true;
        this.#host.inbox.push({ ...item, kind: 'response' });
      } else if (item.id === undefined && item.kind !== 'notification') {
        // Perhaps the answer: if no other comes, it was.
        call.unreadable = item;
      } else {
        this.#host.inbox.push(item);
      }
      return;
    }
    if (item.kind === 'response' && item.id === message.id) {
      call.answered = true;
      if (message.method === 'initialize') this.#version = versionOf(item) ?? this.#version;
    }
    this.#host.inbox.push(message.id === undefined ? item : { ...item, relatedTo: message.id });
    if (call.answered) call.onAnswer();
  }

  // --- failures ---------------------------------------------------------------------------------------------------

  async #refused(call: Call, response: IncomingMessage, status: number): Promise<void> {
    const { message } = call;
    const initialize = message.method === 'initialize';
    const body = await readBody(response, { maxBytes: REFUSAL_BYTES, idleMs: AFTERMATH_MS });
    if (typeof body === 'string') response.destroy();
    const error = typeof body === 'string' ? undefined : this.#errorIn(body, message);
    // An error that only modern servers know is no reason to look for an older one.
    const modern = error !== undefined && Object.values<number>(CODES).includes(errorOf(error)?.code ?? 0);
    if (initialize && !modern && [400, 404, 405].includes(status) && this.#fallback !== undefined) {
      call.answered = true;
      return this.#fallback(message);
    }
    if (this.#ends(status, message) || (status === 403 && initialize)) {
      if (status === 403) this.#host.lost(unauthorized(this.#host.dialer.url.host, status));
      return;
    }
    if (error !== undefined) {
      call.answered = true;
      this.#host.inbox.push(error);
      return;
    }
    const { host } = this.#host.dialer.url;
    if (status === 403) return this.#giveUp(call, unauthorized(host, status).reason, false);
    this.#giveUp(call, `${host} answered HTTP ${status}`, status >= 500);
  }

  /** The JSON-RPC error a refusal brought, under the id of its request: servers often leave it null. */
  #errorIn(body: Buffer, message: Message): Message | undefined {
    const item = readOne(body, this.#host.limits);
    if (isFault(item) || item.kind !== 'response' || message.id === undefined) return undefined;
    if (item.id === message.id) return item;
    const value = parseMessage(item);
    if (item.id !== 'null' || value.error === undefined) return undefined;
    return toMessage({ ...value, id: parseMessage(message).id ?? null });
  }

  /** Whether an HTTP status ends the session; then it is told. */
  #ends(status: number, refused?: Message): boolean {
    const { host } = this.#host.dialer.url;
    if (status === 401) this.#host.lost(unauthorized(host, status));
    else if (status === 404 && this.#session !== undefined) {
      this.#host.lost(sessionLost(host, refused));
    } else return false;
    return true;
  }

  #failed(call: Call, error: unknown): void {
    if (this.#host.signal.aborted || call.answered || call.cancelled) return;
    const { text, mayHaveRun, hint } = told(error);
    if (call.message.method === 'initialize') {
      const reason = hint === undefined ? text : `${text} (${hint})`;
      this.#host.lost({ code: 'http_failed', reason });
    } else {
      this.#host.fail(call.message, { text, mayHaveRun, hint });
    }
    call.answered = true;
  }

  #giveUp(call: Call, text: string, mayHaveRun = true): void {
    if (this.#host.signal.aborted || call.answered || call.cancelled) return;
    call.answered = true;
    if (call.message.method === 'initialize') this.#host.lost({ code: 'http_failed', reason: text });
    else if (call.unreadable !== undefined)
      this.#host.inbox.push({ ...call.unreadable, id: call.message.id, kind: 'response' });
    else this.#host.fail(call.message, { text, mayHaveRun });
  }

  #tooLarge(call: Call): void {
    if (call.answered) return;
    call.answered = true;
    const { id } = call.message;
    const bytes = this.#host.limits.messageBytes + 1;
    this.#host.inbox.push({ code: 'message_too_large', id, kind: 'response', bytes, preview: '' });
  }

  /** What is left of an answer we need no more: read if it is short, so that its connection can be used again. */
  async #letGo(response: IncomingMessage): Promise<void> {
    if (!(await discard(response, { bytes: REFUSAL_BYTES, ms: AFTERMATH_MS }))) response.destroy();
  }

  async #aftermath(response: IncomingMessage): Promise<void> {
    const timer = setTimeout(() => response.destroy(), AFTERMATH_MS);
    response.once('close', () => clearTimeout(timer));
  }
}

function versionOf(answer: Message): string | undefined {
  const { result } = parseMessage(answer) as { result?: { protocolVersion?: unknown } | null };
  const version = result?.protocolVersion;
  return typeof version === 'string' && isVisibleAscii(version) ? version : undefined;
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, patience]);
  clearTimeout(timer);
}
