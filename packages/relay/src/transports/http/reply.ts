// Answers of the HTTP door that no session gives: refusals with a JSON-RPC error as their body, and empty ones.
// A refusal tells the peer what to change and repeats nothing it sent.

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { RpcErrorName } from '../../errors.ts';
import { errorMessage } from '../../json-rpc.ts';
import { discard } from './body.ts';
import { JSON_TYPE } from './wire.ts';

export interface Refusal {
  readonly status: number;
  readonly name: RpcErrorName;
  readonly text: string;
  /** Raw id of the request that is refused, where it could be read. */
  readonly id?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly data?: Record<string, unknown>;
}

/** Body bytes we still read for a peer that is being refused, so that it sees the answer instead of a reset. */
const LINGER = { bytes: 64 * 1024 * 1024, ms: 2000 };

export async function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): Promise<void> {
  const { status, name, text, id = 'null', headers = {}, data } = refusal;
  const body = errorMessage(id, name, text, data).bytes;
  response.on('error', () => {});
  const whole = request.complete || (await discard(request, LINGER));
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, {
    'content-type': JSON_TYPE,
    'content-length': body.length,
    'cache-control': 'no-store',
    ...headers,
    ...(whole ? {} : { connection: 'close' }),
  });
  response.end(body);
}

export function empty(response: ServerResponse, status: number): void {
  response.on('error', () => {});
  response.writeHead(status, { 'content-length': 0 }).end();
}
