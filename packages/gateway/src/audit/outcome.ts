// What became of a call, read from its reply: whether it ran, whose error it is, how large the answer is. Pure.

import { memberAt, payloadOf, RPC_ERRORS, type RpcErrorName, resultMessage, stringifyExact } from '@mcp-overlay/relay';
import type { Call, Reply, RpcError } from '../call/call.ts';
import { asObject, asString } from '../call/json.ts';
import type { CallStatus } from './audit-log.ts';

export interface Outcome {
  readonly status: CallStatus;
  readonly code?: number | string;
  /** JSON text of the result or error, as the caller gets it but for the number of its record. */
  readonly payload: Uint8Array;
  /** The reply as it was, or as the message that was made of it to know its bytes. */
  readonly reply: Reply;
  /** An error that somebody of ours made: it may carry more. */
  readonly ours: boolean;
}

/** Where the result begins in a message of ours, which ends with it. */
const RESULT_AT = resultMessage('0', {}).bytes.length - '{}}'.length;
const IS_ERROR = Buffer.from('"isError"');
const RESULT_TYPE = Buffer.from('"resultType"');

/** `complete`: adds to a result what its revision wants of every result. */
export function outcomeOf(call: Call, reply: Reply, complete: Readonly<Record<string, unknown>>): Outcome {
  if ('error' in reply) {
    const payload = Buffer.from(stringifyExact(reply.error));
    return { ...failed(call, reply.error, reply.theirs !== true), payload, reply, ours: reply.theirs !== true };
  }
  if ('result' in reply) {
    const answer = resultMessage('0', { ...complete, ...reply.result });
    const payload = answer.bytes.subarray(RESULT_AT, -1);
    return { ...succeeded(payload), payload, reply: { answer }, ours: false };
  }
  const result = payloadOf(reply.answer, 'result');
  if (result) return { ...succeeded(result), payload: result, reply, ours: false };
  const payload = payloadOf(reply.answer, 'error') ?? Buffer.alloc(0);
  const error = asError(payload);
  const ours = ownName(error) !== undefined;
  return { ...failed(call, error, ours), payload, reply: ours ? { error } : reply, ours };
}

function succeeded(result: Buffer): Pick<Outcome, 'status' | 'code'> {
  if (says(result, IS_ERROR, 'isError') === 'true') return { status: 'error', code: 'isError' };
  const type = says(result, RESULT_TYPE, 'resultType');
  return { status: 'ok', ...(type === '"input_required"' && { code: 'input_required' }) };
}

/** A member of the result, as text; its bytes are looked for first, so that most results are not walked. */
function says(result: Buffer, spelt: Buffer, name: string): string | undefined {
  if (!result.includes(spelt) || result[0] !== 0x7b) return undefined;
  const found = memberAt(result, 0, name);
  return found && result.toString('utf8', found.start, found.end);
}

function failed({ cancel, trail }: Call, error: RpcError, ours: boolean): Pick<Outcome, 'status' | 'code'> {
  const name = ours ? ownName(error) : undefined;
  const code = name ?? error.code;
  if (name === 'call_timeout') return { status: 'timeout', code };
  if (name === 'outcome_unknown') return { status: 'unknown', code };
  if (ours && cancel.cancelled) return { status: 'cancelled', code };
  // It ran, and its answer was kept from the caller; arguments that are kept from the server come to no intent.
  if (name === 'withheld' && trail.intent !== undefined) return { status: 'ok', code };
  // It came to a backend, and the fault was ours: what the backend did nobody knows.
  if (name === 'internal_error' && trail.intent !== undefined) return { status: 'unknown', code };
  return { status: ours ? 'refused' : 'error', code };
}

/** Which error of ours it is; what only looks like one has another number. */
function ownName({ code, data }: RpcError): RpcErrorName | undefined {
  const name = asString(asObject(data)?.error);
  return name !== undefined && Object.hasOwn(RPC_ERRORS, name) && RPC_ERRORS[name as RpcErrorName] === code
    ? (name as RpcErrorName)
    : undefined;
}

function asError(payload: Buffer): RpcError {
  const error = asObject(JSON.parse(payload.toString('utf8') || '{}')) ?? {};
  const { code, message, data } = error;
  return { code: Number(code), message: asString(message) ?? '', ...(data === undefined ? {} : { data }) };
}
