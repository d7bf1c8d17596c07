// The response to one modern POST: JSON if its answer comes first, a stream of events if anything comes before it, or if it
// takes long. The HTTP status is that of the answer, as long as nothing was sent (specification 2026-07-28,
// streamable-http "Receiving Messages"). Such a stream cannot be taken up again: it has no event ids.

import type { ServerResponse } from 'node:http';
import { CODES, errorOf } from '../../eras/envelope.ts';
import { RPC_ERRORS } from '../../errors.ts';
import type { Message } from '../../message.ts';
import { EVENT_HEADERS } from './event-stream.ts';
import { JSON_TYPE } from './wire.ts';

const EVENT_BEGIN = Buffer.from('data: ');
const EVENT_END = Buffer.from('\n\n');
const KEEP_ALIVE = ': keep-alive\n\n';
/** An error is short; a larger answer is none, and not looked into. */
const ERROR_BYTES = 256 * 1024;
const ERROR = Buffer.from('"error"');

const STATUS: Readonly<Record<number, number>> = {
  [RPC_ERRORS.method_not_found]: 404,
  [CODES.headerMismatch]: 400,
  [CODES.missingCapability]: 400,
  [CODES.unsupportedVersion]: 400,
};

export class ModernStream {
  readonly #response: ServerResponse;
  #events = false;
  #waited = false;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  write(message: Message): void {
    const response = this.#response;
    if (response.destroyed) return;
    response.cork();
    this.#begin();
    response.write(EVENT_BEGIN);
    response.write(message.bytes);
    response.write(EVENT_END);
    response.uncork();
  }

  finish(message: Message): void {
    const response = this.#response;
    if (response.destroyed) return;
    if (this.#events) {
      this.write(message);
      response.end();
      return;
    }
    response.writeHead(statusOf(message), {
      'content-type': JSON_TYPE,
      'content-length': message.bytes.length,
      'cache-control': 'no-store',
    });
    response.end(message.bytes);
  }

  keepAlive(): void {
    const response = this.#response;
    if (response.destroyed || response.writableNeedDrain) return;
    // One that has only just come may still be answered with a status of its own.
    if (!this.#events && !this.#waited) {
      this.#waited = true;
      return;
    }
    this.#begin();
    response.write(KEEP_ALIVE);
  }

  end(): void {
    if (!this.#response.writableEnded) this.#response.end();
  }

  #begin(): void {
    if (this.#events) return;
    this.#events = true;
    this.#response.writeHead(200, EVENT_HEADERS);
    this.#response.flushHeaders();
  }
}

function statusOf(message: Message): number {
  if (message.bytes.length > ERROR_BYTES || !message.bytes.includes(ERROR)) return 200;
  return STATUS[errorOf(message)?.code ?? 0] ?? 200;
}
