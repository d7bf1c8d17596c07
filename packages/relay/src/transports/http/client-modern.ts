// Our side of Streamable HTTP in the modern era (2026-07-28): each request is a POST of its own with headers that mirror it,
// its answer JSON or a stream; taking a request back is closing its response. No session, no GET, no resumption.
// Invariant: each request is answered, by the server or by us, unless it was taken back.

import type { IncomingMessage } from 'node:http';
import {
  arrayOf,
  asString,
  CODES,
  envelopeOf,
  errorOf,
  type JsonObject,
  objectOf,
  paramsOf,
  resultOf,
  withEnvelope,
} from '../../eras/envelope.ts';
import { isFault, parseMessage, requestMessage, resultMessage, toMessage } from '../../json-rpc.ts';
import type { Fault, Message } from '../../message.ts';
import { isRepeatable } from '../../methods.ts';
import { readBody } from './body.ts';
import { told, unauthorized, type WireHost } from './client-wire.ts';
import { readEvents, readOne } from './incoming.ts';
import { modernHeaders, type ParamHeader } from './modern-headers.ts';
import { ToolHeaders } from './tool-headers.ts';
import { EVENTS_TYPE, JSON_TYPE, mediaType } from './wire.ts';

const REFUSAL_BYTES = 64 * 1024;
const AFTERMATH_MS = 5000;
const MAX_PAGES = 1000;
const NONE: readonly ParamHeader[] = [];

interface Call {
  readonly message: Message;
  readonly abort: AbortController;
  readonly take: (item: Message | Fault) => void;
  answered: boolean;
}

export class ModernWire {
  readonly #host: WireHost;
  readonly #tools = new ToolHeaders();
  readonly #calls = new Map<string, Call>();
  /** Whether anything was asked in this era. */
  used = false;

  constructor(host: WireHost) {
    this.#host = host;
  }

  /** Resolves when it is over. */
  async call(message: Message, onSent: () => void): Promise<void> {
    this.used = true;
    const answer = await this.#once(message, onSent, (item) => this.#host.inbox.push(item));
    if (answer === undefined) return;
    if (answer === 'again') await this.#again(message);
    else this.#host.inbox.push(answer);
  }

  /** Whether it was one of ours. */
  cancel(id: string): boolean {
    const call = this.#calls.get(id);
    call?.abort.abort();
    return call !== undefined;
  }

  /** What the server wants in headers is not what we know: its tools are looked at, and the call sent once more. */
  async #again(message: Message): Promise<void> {
    await this.#look(paramsOf(message));
    const answer = await this.#once(
      message,
      () => {},
      (item) => this.#host.inbox.push(item),
      true,
    );
    if (answer !== undefined && answer !== 'again') this.#host.inbox.push(answer);
  }

  /** The answer; 'again': its headers were refused; undefined: told already, or taken back. */
  async #once(
    message: Message,
    onSent: () => void,
    take: (item: Message | Fault) => void,
    last = false,
  ): Promise<Message | Fault | 'again' | undefined> {
    const { id = 'null', method = '' } = message;
    const params = paramsOf(message);
    const call: Call = { message, abort: new AbortController(), take, answered: false };
    const end = (): void => call.abort.abort();
    this.#host.signal.addEventListener('abort', end, { once: true });
    this.#calls.set(id, call);
    try {
      const tool = method === 'tools/call' ? asString(params.name) : undefined;
      const declared = tool === undefined ? NONE : (this.#tools.of(tool) ?? NONE);
      const { response } = await this.#host.dialer.request({
        method: 'POST',
        headers: {
          'content-type': JSON_TYPE,
          accept: `${JSON_TYPE}, ${EVENTS_TYPE}`,
          ...modernHeaders(method, params, declared),
        },
        body: message.bytes,
        repeatable: isRepeatable(method),
        signal: call.abort.signal,
        onSent,
      });
      const answer = await this.#receive(call, response);
      if (answer === undefined || isFault(answer)) return answer;
      if (method === 'tools/list') return this.#learn(answer);
      return !last && tool !== undefined && errorOf(answer)?.code === CODES.headerMismatch ? 'again' : answer;
    } catch (error) {
      if (!call.abort.signal.aborted) this.#host.fail(message, told(error));
      return undefined;
    } finally {
      onSent();
      this.#host.signal.removeEventListener('abort', end);
      if (this.#calls.get(id) === call) this.#calls.delete(id);
    }
  }

  async #receive(call: Call, response: IncomingMessage): Promise<Message | Fault | undefined> {
    const { host } = this.#host.dialer.url;
    const status = response.statusCode ?? 0;
    const cancelled = (): void => void response.destroy();
    call.abort.signal.addEventListener('abort', cancelled, { once: true });
    const type = mediaType(response.headers['content-type']);
    if (status < 200 || status > 299) return this.#refused(call, response, status);
    if (type === EVENTS_TYPE) return this.#stream(call, response);
    if (type !== JSON_TYPE) {
      response.destroy();
      return this.#failed(call, `${host} answered with ${type || 'no content type'}`, true);
    }
    const body = await readBody(response, { maxBytes: this.#host.limits.messageBytes });
    if (call.abort.signal.aborted) return undefined;
    if (typeof body === 'string') response.destroy();
    if (body === 'too_large') return tooLarge(call.message, this.#host.limits.messageBytes);
    if (typeof body === 'string') return this.#failed(call, `${host}: its answer was cut`, true);
    const item = readOne(body, this.#host.limits);
    if (isFault(item)) return { ...item, id: call.message.id, kind: 'response' };
    if (item.kind === 'response' && item.id === call.message.id) return item;
    return this.#failed(call, `${host} answered with something that is no answer`, true);
  }

  async #stream(call: Call, response: IncomingMessage): Promise<Message | Fault | undefined> {
    const { id } = call.message;
    let answer: Message | Fault | undefined;
    let unreadable: Fault | undefined;
    await readEvents({
      response,
      limits: this.#host.limits,
      inbox: this.#host.inbox,
      onMessage: (item) => {
        if (answer !== undefined) return;
        if (isFault(item)) {
          if (item.id === id) answer = { ...item, kind: 'response' };
          else unreadable = item;
        } else if (item.kind === 'response') {
          if (item.id === id) answer = item;
        } else if (item.kind === 'notification') {
          call.take(id === undefined ? item : { ...item, relatedTo: id });
        }
        // Nothing comes after the answer; whoever holds the stream open holds it for nobody.
        if (answer !== undefined) response.destroy();
      },
    });
    if (answer !== undefined) return answer;
    if (call.abort.signal.aborted) return undefined;
    if (unreadable !== undefined) return { ...unreadable, id, kind: 'response' };
    const text = `${this.#host.dialer.url.host}: the stream of this request ended without an answer`;
    return this.#failed(call, text, true);
  }

  async #refused(call: Call, response: IncomingMessage, status: number): Promise<Message | undefined> {
    const { message } = call;
    const { host } = this.#host.dialer.url;
    const body = await readBody(response, { maxBytes: REFUSAL_BYTES, idleMs: AFTERMATH_MS });
    if (typeof body === 'string') response.destroy();
    if (call.abort.signal.aborted) return undefined;
    if (status === 401) {
      this.#host.lost(unauthorized(host, status));
      return undefined;
    }
    const item = typeof body === 'string' ? undefined : readOne(body, this.#host.limits);
    if (item !== undefined && !isFault(item) && item.kind === 'response') {
      if (item.id === message.id) return item;
      const value = parseMessage(item);
      if (item.id === 'null' && value.error !== undefined)
        return toMessage({ ...value, id: parseMessage(message).id ?? null });
    }
    const text = status === 403 ? unauthorized(host, status).reason : `${host} answered HTTP ${status}`;
    return this.#failed(call, text, status >= 500, status);
  }

  #failed({ message }: Call, text: string, mayHaveRun: boolean, status?: number): undefined {
    this.#host.fail(message, { text, mayHaveRun, status });
    return undefined;
  }

  /** A tool whose parameters cannot be mirrored as it says is not shown: nobody could call it over HTTP (specification
   *  2026-07-28, streamable-http "Schema Extension"). */
  #learn(answer: Message): Message {
    const result = resultOf(answer);
    const refused = this.#tools.learn(result ?? {});
    for (const { name, why } of refused) this.#host.log.warn({ tool: name, why }, 'tool cannot be called over http');
    if (refused.length === 0) return answer;
    const names = new Set(refused.map(({ name }) => name));
    const tools = arrayOf(result?.tools).filter((tool) => !names.has(String(objectOf(tool).name)));
    return resultMessage(answer.id ?? 'null', { ...result, tools });
  }

  async #look(params: JsonObject): Promise<void> {
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const asked = withEnvelope(cursor === undefined ? {} : { cursor }, envelopeOf(params));
      const answer = await this.#once(
        requestMessage('"mcp-overlay:tools"', 'tools/list', asked),
        () => {},
        () => {},
      );
      if (answer === undefined || answer === 'again' || isFault(answer)) return;
      cursor = asString(resultOf(answer)?.nextCursor);
      if (cursor === undefined) return;
    }
  }
}

function tooLarge({ id }: Message, maxBytes: number): Fault {
  return { code: 'message_too_large', id, kind: 'response', bytes: maxBytes + 1, preview: '' };
}
