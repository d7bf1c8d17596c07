// What is said of a request that was open when its server was lost: the truth as far as it is known.

import { endOfListen } from '../eras/envelope.ts';
import { LISTEN } from '../eras/methods.ts';
import { outcomeUnknown, type RpcErrorName } from '../errors.ts';
import { errorMessage } from '../json-rpc.ts';
import type { Message } from '../message.ts';
import { isRepeatable } from '../methods.ts';

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
