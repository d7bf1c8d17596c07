// What the two wires of our HTTP client (./client-streamable, ./client-sse) and the session above them (./client) need of
// each other, and the sentences they share.

import type { Limits } from '../../limits.ts';
import type { Message } from '../../message.ts';
import type { CloseReason } from '../../transport.ts';
import type { Inbox } from '../inbox.ts';
import { HttpFailure } from './dial-failure.ts';
import type { Dialer } from './dialer.ts';
import type { HttpLog } from './wire.ts';

export interface Failure {
  readonly text: string;
  /** The server may have acted on it. */
  readonly mayHaveRun: boolean;
  readonly hint?: string | undefined;
  /** It was refused with this HTTP status, and no JSON-RPC error. */
  readonly status?: number | undefined;
}

/** What a wire needs of the session. */
export interface WireHost {
  readonly dialer: Dialer;
  readonly limits: Limits;
  readonly log: HttpLog;
  readonly inbox: Inbox;
  /** Ends with the session. */
  readonly signal: AbortSignal;
  /** The answer to a request that failed on its way. */
  fail(message: Message, failure: Failure): void;
  /** The session cannot go on. */
  lost(reason: CloseReason): void;
}

export interface Wire {
  /** Called once, before the first `send`. */
  begin(): void;
  /** Resolves when the next message may go. Never rejects. */
  send(message: Message, onSent: () => void): Promise<void>;
  /** Says good-bye to the server, at most for a second. */
  end(): Promise<void>;
}

/** What to tell of a failed request, and whether the server may have acted on it. */
export function told(error: unknown): { text: string; mayHaveRun: boolean; hint: string | undefined } {
  if (error instanceof HttpFailure) return { text: error.message, mayHaveRun: error.mayHaveArrived, hint: error.hint };
  return { text: error instanceof Error ? error.message : String(error), mayHaveRun: true, hint: undefined };
}

/** A server that says 404 has not looked at what it was asked: that may be asked again in a new session. */
export function sessionLost(host: string, refused?: Message): CloseReason {
  const notRun = refused?.kind === 'request' && refused.id !== undefined ? [refused.id] : [];
  return { code: 'session_lost', reason: `${host} no longer knows this session`, notRun };
}

/** A refusal that no retry mends: what to configure is the message. */
export function unauthorized(host: string, status: number): CloseReason {
  const reason =
    status === 401
      ? `${host} wants a login (HTTP 401): configure a valid token for it under headers, e.g. Authorization`
      : `${host} refuses this login (HTTP 403): configure a token that has the right to use it`;
  return { code: 'http_unauthorized', reason };
}
