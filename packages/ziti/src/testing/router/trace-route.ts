// TraceRoute over a circuit: each stage of the way counts one hop, the peer's SDK is behind the last one (ziti
// router/xgress_edge/listener.go processTraceRoute and fabric.go HandleControlMsg).

import type { End } from './circuit.ts';
import type { Frame } from './frame.ts';
import { text, u32, u64 } from './values.ts';
import { H, T } from './wire.ts';

export function processTraceRoute(end: End, frame: Frame, routers: readonly [own: string, peer: string]): void {
  const { peer } = end;
  const hops = u32(frame, H.hopCount) ?? 0;
  const timestamp = u64(frame, H.timestamp) ?? 0n;
  if (!peer) return;
  const [own, far] = routers;
  const links = own === far ? [] : [`forwarder[${far}]`];
  const stages = ['xgress/edge', `forwarder[${own}]`, ...links, 'xgress/edge'];
  if (hops > stages.length) {
    peer.channel.send(T.traceRoute, {
      [H.connId]: peer.connId,
      [H.hopCount]: hops - stages.length,
      [H.timestamp]: timestamp,
      [H.sourceRequestId]: frame.sequence,
    });
    return;
  }
  end.channel.send(T.traceRouteResponse, {
    [H.replyFor]: frame.sequence,
    [H.connId]: end.connId,
    [H.hopCount]: 0,
    [H.timestamp]: timestamp,
    [H.hopType]: stages[Math.max(0, hops - 1)] ?? '',
    [H.hopId]: '',
  });
}

/** The answer of the peer's SDK, to the one that asked. */
export function processTraceRouteResponse(end: End, frame: Frame): void {
  const { peer } = end;
  peer?.channel.send(T.traceRouteResponse, {
    [H.replyFor]: u32(frame, H.sourceRequestId) ?? 0,
    [H.connId]: peer.connId,
    [H.hopCount]: u32(frame, H.hopCount) ?? 0,
    [H.timestamp]: u64(frame, H.timestamp) ?? 0n,
    [H.hopType]: text(frame, H.hopType),
    [H.hopId]: text(frame, H.hopId),
  });
}
