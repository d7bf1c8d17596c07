// Requests that a session does not take, as the one who refuses says it, and as the one who asked understands it: what a
// host did not run because it is leaving may be asked of its successor.

import { RPC_ERRORS } from '../errors.ts';
import { errorMessage, parseMessage } from '../json-rpc.ts';
import type { Message } from '../message.ts';

/** A client that sends more than is answered is told to come back later. */
export const RETRY_AFTER_MS = 1000;
/** Errors of ours are short: no other answer is looked into. */
const MAX_ERROR_BYTES = 4096;

interface Refuser {
  readonly name: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

export function refusalOf(id: string, why: 'in use' | 'full' | 'ending', { name, facts = {} }: Refuser): Message {
  switch (why) {
    case 'in use':
      return errorMessage(id, 'invalid_request', `request id ${id} is already in use`);
    case 'full': {
      const text = `too many requests to ${name} have no answer yet; try again`;
      return errorMessage(id, 'busy', text, { ...facts, retryAfterMs: RETRY_AFTER_MS });
    }
    case 'ending':
      return leaving(id, name, facts);
  }
}

/** For a request that was not run, and will not be. */
export function leaving(id: string, who: string, facts: Readonly<Record<string, unknown>> = {}): Message {
  const text = `${who} is ending and takes no new requests; this one was not run`;
  return errorMessage(id, 'ending', text, { ...facts, retryAfterMs: RETRY_AFTER_MS });
}

export function isLeaving(answer: Message): boolean {
  if (answer.bytes.length > MAX_ERROR_BYTES || !answer.bytes.includes('"error":"ending"')) return false;
  const { error } = parseMessage(answer) as { error?: { code?: unknown } };
  return error?.code === RPC_ERRORS.ending;
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For one who can do something about it. */
export function withHint(error: unknown): string {
  const { hint } = error as { hint?: unknown };
  return typeof hint === 'string' ? `${textOf(error)} (${hint})` : textOf(error);
}
