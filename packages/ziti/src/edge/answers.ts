// What a router asks an SDK about, apart from calls: does this bind still exist, how long is the way, how are you. A bind that
// leaves the first question unanswered is removed by routers from 2.0 on (ziti router/xgress_edge/hosted.go).

import type { RouterVersion } from '../channel/channel.ts';
import type { Headers } from '../channel/headers.ts';
import type { Message } from '../channel/message.ts';
import { CONN_TYPES, EDGE_TYPES, EDGE_HEADERS as H } from './ids.ts';
import { connIdOf, onConnection, replyTo } from './messages.ts';

export interface Answer {
  readonly type: number;
  readonly headers: Headers;
  readonly body: string;
}

/** `connType`: what the id of the message stands for, undefined if for nothing. Undefined: not such a question. */
export function answerTo(
  message: Message,
  connType: number | undefined,
  version: RouterVersion | null,
): Answer | undefined {
  switch (message.type) {
    case EDGE_TYPES.connInspectRequest: {
      const headers = replyTo(message.sequence, connIdOf(message)).setU8(H.connType, connType ?? CONN_TYPES.invalid);
      return { type: connInspectAnswerType(version), headers, body: '{}' };
    }
    case EDGE_TYPES.inspectRequest: {
      const headers = replyTo(message.sequence, connIdOf(message));
      return { type: EDGE_TYPES.inspectResponse, headers, body: '{"success":true,"values":{}}' };
    }
    case EDGE_TYPES.traceRoute:
      return connType === CONN_TYPES.dial ? traceRouteAnswer(message) : undefined;
    default:
      return undefined;
  }
}

/** sdk-golang 1.1.0–1.5.3, which routers 1.6.0–1.6.15 are built with, have the ids of the two answers swapped. */
function connInspectAnswerType(version: RouterVersion | null): number {
  const swapped = version !== null && version.major === 1 && version.minor === 6 && version.patch <= 15;
  return swapped ? EDGE_TYPES.inspectResponse : EDGE_TYPES.connInspectResponse;
}

/** Not by ReplyFor: the asker finds it by the id of its request (sdk-golang conn_legacy.go, handleTraceRoute). */
function traceRouteAnswer({ headers }: Message): Answer {
  const hops = headers.u32(H.traceHopCount) ?? 0;
  const answer = onConnection(headers.u32(H.connId) ?? 0)
    .setU32(H.traceHopCount, Math.max(0, hops - 1))
    .setString(H.traceHopType, 'sdk/node')
    .setString(H.traceHopId, '');
  for (const key of [H.timestamp, H.traceSourceRequestId, H.uuid]) {
    const value = headers.bytes(key);
    if (value) answer.setBytes(key, value);
  }
  return { type: EDGE_TYPES.traceRouteResponse, headers: answer, body: '' };
}
