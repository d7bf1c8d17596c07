// Questions to a host: does this bind still exist (ziti router/xgress_edge/fabric.go, inspect)?

import { type Bind, forgetBind } from './bind.ts';
import type { Router } from './router.ts';
import { H, T } from './wire.ts';

const ANSWER_MS = 10_000;
const TYPE_BIND = 2;

/**
 * The answer counts only with the content type that the router knows: up to 1.6.15 the ids of the two answers are swapped
 * (sdk-golang 1.1.0-1.5.3). Another one, or none, is a line in a router's log; a bind that the host disowns is removed.
 */
export function inspectBind(router: Router, bind: Bind): void {
  const expected = router.version.atLeast(1, 6, 16) ? T.connInspectResponse : T.inspectResponse;
  const sequence = bind.channel.send(T.connInspectRequest, { [H.connId]: bind.connId });
  bind.channel.onReply(sequence, ANSWER_MS, (answer) => {
    if (!bind.open || answer?.type !== expected) return;
    if (answer.headers.get(H.connType)?.[0] !== TYPE_BIND) forgetBind(router, bind);
  });
}
