// A JSON-RPC message on the move: its envelope, and its exact bytes. Whoever only passes messages on never looks inside.
// `readMessage` (./json-rpc.ts) makes one from a line, `toMessage` from a value.

import type { RpcErrorName } from './errors.ts';

export interface Message {
  readonly kind: 'request' | 'notification' | 'response';
  /** Raw JSON text of the id (`7`, `"a"`, `-0`): comparing texts keeps value and type. undefined for notifications;
   *  'null' on a response whose request could not be read. */
  readonly id: string | undefined;
  /** undefined for responses. */
  readonly method: string | undefined;
  /** UTF-8 JSON on one line, without the newline. Never repaired, never changed. */
  readonly bytes: Buffer;
  /** Number of a call that must run once (`@n` on a link); carried hop by hop, never inside the JSON. */
  readonly call?: number;
  /** A double cannot carry one of its numbers: read it with `parseMessage`, never with JSON.parse. */
  readonly inexact?: boolean;
  /** On a transport where each request has a stream of its own: id of the request on whose stream it came. */
  readonly relatedTo?: string;
  /** An error that this process made (./errors.ts), never one that was read: what it says of a call can be relied on. */
  readonly ours?: RpcErrorName;
  /** Where the id's text begins in `bytes`, -1: there is none. Lets `withId` change it without looking for it. */
  readonly idAt?: number;
}

export const FAULT_CODES = [
  'not_json',
  'invalid_utf8',
  'message_too_large',
  'too_deep',
  'too_many_tokens',
  'number_too_large',
  'not_json_rpc',
  'batch',
  'batch_too_large',
] as const;

export type FaultCode = (typeof FAULT_CODES)[number];

/** A line that was skipped because it is no message we carry. The session lives on. */
export interface Fault {
  readonly code: FaultCode;
  /** Raw id text if it could be read, so that the request can be answered. */
  readonly id: string | undefined;
  /** What the line was, as far as it could be told; 'unknown' when not even that. */
  readonly kind: Message['kind'] | 'unknown';
  /** Size of the skipped line. */
  readonly bytes: number;
  /** At most 200 characters of it, control characters replaced: for logs of stray output, never for errors to peers. */
  readonly preview: string;
}
