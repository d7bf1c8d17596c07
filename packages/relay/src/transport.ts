// A two-way road for messages: a child's stdio, a link, a bare NDJSON stream, an HTTP session. Everything that carries
// MCP in this project is one of these, and everything that joins two of them works with any.

import type { Fault, Message } from './message.ts';

export interface CloseReason {
  /** 'done': the peer (or we) ended the session on purpose. 'away': the process goes, a successor may come back.
   *  Anything else says what broke and is an error code of docs/ERRORS.md. */
  readonly code: string;
  /** One sentence for a person. */
  readonly reason: string;
  /** Ids of requests the peer surely did not take: they have not run, and may be sent again. */
  readonly notRun?: readonly string[];
}

export interface TransportHandlers {
  message(message: Message): void;
  /** A line was skipped. The owner decides whom to tell. */
  fault(fault: Fault): void;
  /** Exactly once, last of all. */
  closed(reason: CloseReason): void;
}

export interface Transport {
  /** Begins delivery; nothing arrives before. Called once. Handlers are never called from inside `start` or `send`. */
  start(handlers: TransportHandlers): void;
  /** Queues a message, in order. false: the queue is above its mark, stop reading the source until `drained`.
   *  After close the message is dropped. Never throws. */
  send(message: Message): boolean;
  /** Resolves when the queue is below its mark again, or the transport closed. */
  drained(): Promise<void>;
  /** Stops and continues delivery, so that the peer is not read faster than it is used. Counted by nobody: idempotent. */
  pause(): void;
  resume(): void;
  /** Writes what is queued (as far as the peer takes it, at most 1 s), then ends. Idempotent; resolves when all is released. */
  close(reason?: CloseReason): Promise<void>;
}

export const DONE: CloseReason = { code: 'done', reason: 'session ended' };
