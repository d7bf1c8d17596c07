// What is said of a request that gets no answer of its server: it was lost, was never reached, or said what is no message.
// The truth as far as it is known.

import { endOfListen } from '../eras/envelope.ts';
import { LISTEN } from '../eras/methods.ts';
import { outcomeUnknown, type RpcErrorName } from '../errors.ts';
import { describeFault } from '../faults.ts';
import { errorMessage } from '../json-rpc.ts';
import type { Fault, Message } from '../message.ts';
import { isRepeatable } from '../methods.ts';
import type { SteadyState } from './options.ts';

export interface LostServer {
  readonly name: string;
  readonly unavailable: RpcErrorName;
  readonly facts?: Readonly<Record<string, unknown>>;
}

export function lostAnswer({ method = '' }: Message, id: string, reason: string, server: LostServer): Message {
  const { name, unavailable, facts } = server;
  if (method === LISTEN) return endOfListen(id);
  if (isRepeatable(method)) {
    return errorMessage(id, unavailable, `${name} failed twice while it answered ${method}: ${reason}`, facts);
  }
  const text = outcomeUnknown(`${name} was lost while this call was open (${reason})`);
  return errorMessage(id, 'outcome_unknown', text, facts);
}

/** It never left. `refusal`: the code of why waiting is of no use. */
export function unreachable(
  id: string,
  { since: sinceMs, reason, givenUp }: SteadyState,
  refusal: string | undefined,
  { name, unavailable, facts }: LostServer,
): Message {
  const since = new Date(sinceMs).toISOString();
  const then = givenUp ? '; it failed too often and is left alone for a while' : '';
  const text = `${name} has not been reachable since ${since}: ${reason ?? 'it is still starting'}${then}`;
  return errorMessage(id, unavailable, text, { ...facts, since, ...(refusal !== undefined && { refused: refusal }) });
}

export function notPassedOn(id: string, fault: Fault, { name, facts }: LostServer): Message {
  const text = `the answer of ${name} was not passed on: ${describeFault(fault)}`;
  const code = fault.code === 'message_too_large' ? 'message_too_large' : 'internal_error';
  return errorMessage(id, code, text, { ...facts, fault: fault.code, bytes: fault.bytes });
}
