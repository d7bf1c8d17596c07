// Requests that a server names when it speaks of them: the subscription that a change belongs to, and one that it takes back
// (specification 2026-07-28, `subscriptionId`, cancellation). Their client knows them under another id than the layers above.

import { META, metaOf, objectOf, paramsOf, resultOf } from '../eras/envelope.ts';
import { CANCELLED } from '../eras/methods.ts';
import { stringifyExact } from '../json-exact.ts';
import { notificationMessage, rawId, resultMessage, withId } from '../json-rpc.ts';
import type { Message } from '../message.ts';

/** Without parsing: whether a subscription may be named. */
const SPELT = Buffer.from(`"${META.subscription}"`);

/** A notification that names a request, as its client knows that; `gone`: it is another client's. `clientId`: undefined for
 *  what is none of its requests. */
export function whatIsNamed(
  message: Message,
  clientId: (id: string) => string | undefined,
): Message | 'nothing' | 'gone' {
  const method = message.method ?? '';
  if (method === CANCELLED) {
    const params = paramsOf(message);
    const id = clientId(stringifyExact(params.requestId ?? null));
    // It may be a question of the server's own.
    return id === undefined ? 'nothing' : notificationMessage(method, { ...params, requestId: rawId(id) });
  }
  if (!message.bytes.includes(SPELT)) return 'nothing';
  const params = paramsOf(message);
  const asked = metaOf(params)[META.subscription];
  if (asked === undefined) return 'nothing';
  const id = clientId(stringifyExact(asked));
  if (id === undefined) return 'gone';
  return notificationMessage(method, { ...params, _meta: { ...metaOf(params), [META.subscription]: rawId(id) } });
}

/** An answer under the id of whoever asked, also where it says which subscription has ended. */
export function answerUnder(id: string, answer: Message): Message {
  if (!answer.bytes.includes(SPELT)) return withId(answer, id);
  const result = resultOf(answer);
  const meta = objectOf(result?._meta);
  if (meta[META.subscription] === undefined) return withId(answer, id);
  return resultMessage(id, { ...result, _meta: { ...meta, [META.subscription]: rawId(id) } });
}
