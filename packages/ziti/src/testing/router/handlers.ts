// What a router does with each kind of frame of a client that is logged in. Types it does not know, and ids, are ignored.

import { forgetBind, processBind, processUnbind, processUpdateBind } from './bind.ts';
import type { RouterChannel } from './channel.ts';
import type { End } from './circuit.ts';
import { processConnect } from './connect.ts';
import type { Frame } from './frame.ts';
import { processUpdateToken } from './hello.ts';
import type { Router } from './router.ts';
import { processTraceRoute, processTraceRouteResponse } from './trace-route.ts';
import { u32 } from './values.ts';
import { H, T } from './wire.ts';

type Handler = (router: Router, channel: RouterChannel, frame: Frame) => void | Promise<void>;

const HANDLERS: Readonly<Record<number, Handler>> = {
  [T.ping]: answerProbe,
  [T.latency]: answerProbe,
  [T.connect]: processConnect,
  [T.bind]: processBind,
  [T.unbind]: processUnbind,
  [T.updateBind]: processUpdateBind,
  [T.updateToken]: processUpdateToken,
  [T.data]: (_router, channel, frame) => endOf(channel, frame)?.receive(frame),
  [T.stateClosed]: closeByClient,
  [T.traceRoute]: (router, channel, frame) => {
    const end = endOf(channel, frame);
    if (end) processTraceRoute(end, frame, [router.id, end.peer?.channel.routerId ?? router.id]);
  },
  [T.traceRouteResponse]: (_router, channel, frame) => {
    const end = endOf(channel, frame);
    if (end) processTraceRouteResponse(end, frame);
  },
};

export function handleFrame(router: Router, channel: RouterChannel, frame: Frame): void {
  const handler = HANDLERS[frame.type];
  if (handler) void handler(router, channel, frame);
  else channel.takeReply(frame);
}

function answerProbe(_router: Router, channel: RouterChannel, frame: Frame): void {
  const reflected = frame.headers.get(H.reflected);
  channel.send(T.result, {
    [H.replyFor]: frame.sequence,
    [H.success]: true,
    ...(reflected ? { [H.reflected]: reflected } : {}),
  });
}

function closeByClient(router: Router, channel: RouterChannel, frame: Frame): void {
  const end = endOf(channel, frame);
  const bind = channel.binds.get(u32(frame, H.connId) ?? -1);
  if (end) end.receive(frame);
  else if (bind) forgetBind(router, bind);
}

/** Connection ids of a client count from 0. */
function endOf(channel: RouterChannel, frame: Frame): End | undefined {
  return channel.ends.get(u32(frame, H.connId) ?? -1);
}
