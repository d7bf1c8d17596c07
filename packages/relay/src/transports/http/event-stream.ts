// One server-sent event stream of a Streamable HTTP session: the answer to one POST, or what a GET listens to. It
// outlives the connection that carries it: what was written is kept for a while, and a GET with Last-Event-ID takes the
// stream up behind the last event its client saw (specification 2025-11-25, "Resumability and Redelivery").
// Invariant: an event belongs to this stream alone, and is written once to each connection that carries the stream.

import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Message } from '../../message.ts';
import { EVENTS_TYPE, JSON_TYPE } from './wire.ts';

/** Kept of one stream for its resumption. The newest event is kept whatever its size: it may be the only answer. */
const KEPT_EVENTS = 256;
const KEPT_BYTES = 1024 * 1024;
/** Told to clients as the delay before they come back. */
const RETRY_MS = 1000;

const EVENT_END = Buffer.from('\n\n');
const KEEP_ALIVE = ': keep-alive\n\n';

export const EVENT_HEADERS: OutgoingHttpHeaders = {
  'content-type': EVENTS_TYPE,
  'cache-control': 'no-cache, no-transform',
  connection: 'keep-alive',
  // Reverse proxies hold a stream back unless told (nginx).
  'x-accel-buffering': 'no',
};

export interface EventStreamOptions {
  /** Unique in its session: it is the first part of every event id. */
  readonly name: string;
  /** Whether the client understands an event without data. */
  readonly primed: boolean;
  readonly headers: OutgoingHttpHeaders;
  readonly now: () => number;
}

export class EventStream {
  readonly name: string;
  readonly #options: EventStreamOptions;
  #kept: { readonly sequence: number; readonly message: Message }[] = [];
  #keptBytes = 0;
  #sequence = 0;
  #response: ServerResponse | undefined;
  /** The connection waits for its status line: JSON or events is not decided yet. */
  #undecided: { readonly json: boolean } | undefined;
  #ended = false;
  #lostAt: number | undefined;

  constructor(options: EventStreamOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get connected(): boolean {
    return this.#response !== undefined;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Since when no connection carries it. */
  get lostAt(): number | undefined {
    return this.#lostAt;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** The first connection. `wait`: nothing is sent before the first message, `json`: a lone answer goes out as JSON. */
  open(response: ServerResponse, how: { wait: boolean; json: boolean }): void {
    this.#carry(response);
    if (how.wait || how.json) this.#undecided = { json: how.json };
    else this.#begin();
  }

  /** A later connection: what came after event `after` is sent again. An older connection is let go. */
  resume(response: ServerResponse, after: number): void {
    const older = this.#response;
    this.#response = undefined;
    older?.end();
    this.#carry(response);
    this.#undecided = undefined;
    response.cork();
    response.writeHead(200, { ...EVENT_HEADERS, ...this.#options.headers });
    response.flushHeaders();
    for (const { sequence, message } of this.#kept) if (sequence > after) this.#writeEvent(response, sequence, message);
    if (this.#ended) this.#release(response);
    response.uncork();
  }

  /** Headers of the first answer may still change: a session id is told with the result of `initialize` only. */
  setHeaders(headers: OutgoingHttpHeaders): void {
    Object.assign(this.#options.headers, headers);
  }

  write(message: Message): void {
    const sequence = this.#keep(message);
    const response = this.#response;
    if (response === undefined) return;
    response.cork();
    if (this.#undecided !== undefined) this.#begin();
    this.#writeEvent(response, sequence, message);
    response.uncork();
  }

  /** The last message of the stream. */
  finish(message: Message): void {
    const response = this.#response;
    this.#ended = true;
    if (response !== undefined && this.#undecided?.json === true) {
      this.#undecided = undefined;
      response.writeHead(200, {
        'content-type': JSON_TYPE,
        'content-length': message.bytes.length,
        'cache-control': 'no-store',
        ...this.#options.headers,
      });
      response.end(message.bytes);
      return;
    }
    response?.cork();
    this.write(message);
    if (response !== undefined) this.#release(response);
    response?.uncork();
    this.#lostAt ??= this.#options.now();
  }

  /** Nothing more comes; what was written may still be fetched. */
  end(): void {
    this.#ended = true;
    this.#lostAt ??= this.#options.now();
    const response = this.#response;
    if (response === undefined) return;
    if (this.#undecided !== undefined && !response.headersSent) {
      this.#undecided = undefined;
      response.writeHead(404, { 'content-length': 0 });
    }
    this.#release(response);
  }

  keepAlive(): void {
    const response = this.#response;
    if (response === undefined || this.#undecided !== undefined || response.writableNeedDrain) return;
    response.write(KEEP_ALIVE);
  }

  /** Forgets what was kept; the stream can no longer be taken up whole. */
  forget(): void {
    this.#kept = [];
    this.#keptBytes = 0;
  }

  destroy(): void {
    this.#response?.destroy();
  }

  #begin(): void {
    const response = this.#response;
    if (response === undefined) return;
    this.#undecided = undefined;
    response.writeHead(200, { ...EVENT_HEADERS, ...this.#options.headers });
    if (this.#options.primed) response.write(`id: ${this.name}-0\nretry: ${RETRY_MS}\ndata:\n\n`);
    else response.flushHeaders();
  }

  #carry(response: ServerResponse): void {
    this.#response = response;
    this.#lostAt = undefined;
    response.on('close', () => {
      if (this.#response !== response) return;
      this.#response = undefined;
      this.#lostAt = this.#options.now();
    });
  }

  #release(response: ServerResponse): void {
    if (this.#response === response) this.#response = undefined;
    this.#lostAt = this.#options.now();
    response.end();
  }

  #writeEvent(response: ServerResponse, sequence: number, message: Message): void {
    response.write(`id: ${this.name}-${sequence}\ndata: `);
    response.write(message.bytes);
    response.write(EVENT_END);
  }

  #keep(message: Message): number {
    this.#sequence += 1;
    this.#kept.push({ sequence: this.#sequence, message });
    this.#keptBytes += message.bytes.length;
    while (this.#kept.length > KEPT_EVENTS || (this.#keptBytes > KEPT_BYTES && this.#kept.length > 1)) {
      this.#keptBytes -= this.#kept.shift()?.message.bytes.length ?? 0;
    }
    return this.#sequence;
  }
}

/** The two parts of an event id of ours; undefined for anybody else's. */
export function readEventId(text: string): { stream: string; sequence: number } | undefined {
  const match = /^([a-z]\d{1,15})-(\d{1,15})$/.exec(text);
  const [, stream, sequence] = match ?? [];
  return stream === undefined || sequence === undefined ? undefined : { stream, sequence: Number(sequence) };
}
