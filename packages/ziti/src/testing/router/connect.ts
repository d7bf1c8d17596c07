// Dials: Connect, the choice of a terminator, Dial on the host's channel, the circuit (ziti router/xgress_edge/listener.go
// processConnect and dialer.go; controller/network/network.go CreateCircuit and selectPath).

import { newId } from '../state/network-state.ts';
import type { ServiceSession, Terminator } from '../state/records.ts';
import type { Bind } from './bind.ts';
import type { RouterChannel } from './channel.ts';
import { End } from './circuit.ts';
import type { Frame } from './frame.ts';
import * as refusals from './refusal.ts';
import type { Router } from './router.ts';
import { serviceSessionOf } from './session-check.ts';
import { text, u32 } from './values.ts';
import { H, type HeaderValue, T } from './wire.ts';

/** Tries to build one circuit. */
const ATTEMPTS = 2;
const FAILURE_COST = 20;
const CIRCUIT_COST = 2;
const LINK_COST = 1;
/** Far above any cost: precedence 0 default, 1 required, 2 failed. */
const PRECEDENCE_BIAS = [2 ** 30, 0, 2 ** 31] as const;
/** What a host learns of the Connect (peerHeaderRequestMappings). */
const FORWARDED = [H.publicKey, H.callerId, H.appData, H.marker] as const;

export async function processConnect(router: Router, channel: RouterChannel, frame: Frame): Promise<void> {
  const connId = u32(frame, H.connId);
  const token = frame.body.toString();
  if (connId === undefined || token === '' || router.dialRule === 'silent') return;
  if (router.dialRule !== 'forward') {
    return router.refuse(channel, frame, new refusals.Refusal(router.dialRule.refuse));
  }
  if (channel.ends.has(connId)) {
    return router.refuse(channel, frame, new refusals.Refusal(`message sink with id ${connId} already exists`));
  }
  const end = new End(channel, connId);
  // Who comes with a session that was just removed is told so twice.
  if (router.state.serviceSessions.get(token)?.ended) end.close('session closed');
  try {
    await router.fabric.controllerUp();
    await createCircuit(router, end, frame, token);
  } catch (error) {
    if (!(error instanceof refusals.Refusal)) throw error;
    end.forget();
    router.refuse(channel, frame, error);
  }
}

async function createCircuit(router: Router, end: End, frame: Frame, token: string): Promise<void> {
  const { state } = router;
  const session = serviceSessionOf(state, end.channel, token, 'Dial', router.name);
  end.session = session;
  const { service } = session;
  if (service.encryption && !frame.headers.has(H.publicKey)) throw refusals.noPublicHeader('initiator');
  const id = newId(9);
  const instance = text(frame, H.instance);
  for (let attempt = 1; ; attempt += 1) {
    const terminator = selectTerminator(router, session, instance);
    const answer = await dialHost(router, terminator, id, end, frame);
    if (typeof answer !== 'string') return connected(router, end, answer, terminator, id, frame);
    terminator.failures += FAILURE_COST;
    if (attempt === ATTEMPTS) throw refusals.retriesUsedUp(id, terminator.router, answer);
  }
}

function selectTerminator(router: Router, { service }: ServiceSession, instance: string): Terminator {
  const all = [...router.state.terminators.values()].filter((terminator) => terminator.service === service);
  if (all.length === 0) throw refusals.noTerminators(service.id);
  const named = all.filter((terminator) => terminator.instance === instance);
  if (named.length === 0) throw refusals.noTerminatorsFor(service.id, instance);
  const reachable = named.filter((terminator) => router.fabric.routerWith(terminator.router)?.running);
  const [best] = reachable.sort((a, b) => costOf(router, a) - costOf(router, b));
  if (!best) throw refusals.noOnlineTerminators(service.id, instance);
  return best;
}

function costOf(router: Router, terminator: Terminator): number {
  const { cost, circuits, failures, precedence } = terminator;
  const route = terminator.router === router.id ? 0 : LINK_COST;
  return (PRECEDENCE_BIAS[precedence] ?? PRECEDENCE_BIAS[0]) + cost + CIRCUIT_COST * circuits + failures + route;
}

/** The host's end, or what went wrong. */
async function dialHost(
  router: Router,
  terminator: Terminator,
  circuit: string,
  dialer: End,
  frame: Frame,
): Promise<End | string> {
  const { dialMs } = router.state.timing;
  const bind = router.fabric.routerWith(terminator.router)?.bindOf(terminator);
  if (!bind) return `host for terminator address '${terminator.id}' not found`;
  if (!(await bind.channel.room(dialMs))) {
    return 'timeout waiting to put message in send queue: context deadline exceeded';
  }
  if (!bind.open) return `host for terminator address '${terminator.id}' not found`;
  const assigned = bind.assignIds ? new End(bind.channel, bind.channel.nextConnId()) : undefined;
  const sequence = bind.channel.send(T.dial, dialHeaders(router, bind, assigned, circuit, dialer, frame), bind.token);
  return new Promise((resolve) => {
    bind.channel.onReply(sequence, dialMs, (answer) => {
      if (answer?.type === T.dialSuccess) return resolve(assigned ?? selfNumbered(bind, answer));
      assigned?.forget();
      if (!answer) return resolve('timeout waiting for message reply: context deadline exceeded');
      const why = answer.body.toString();
      resolve(`failed to establish connection with terminator address ${terminator.id}. error: (${why})`);
    });
  });
}

function dialHeaders(
  router: Router,
  bind: Bind,
  end: End | undefined,
  circuit: string,
  dialer: End,
  frame: Frame,
): Map<number, HeaderValue> {
  const headers = new Map<number, HeaderValue>([
    [H.connId, bind.connId],
    [H.circuitId, circuit],
  ]);
  if (end) headers.set(H.routerProvidedConnId, end.connId);
  for (const key of FORWARDED) {
    const value = frame.headers.get(key);
    if (value) headers.set(key, value);
  }
  const identity = dialer.channel.apiSession?.identity;
  if (router.version.major >= 2 && identity) {
    headers.set(H.dialerId, identity.id).set(H.dialerName, identity.name);
  }
  return headers;
}

/** A host that chose the number itself waits for a word before it sends (dialLegacy). Made at once: data may be next. */
function selfNumbered(bind: Bind, answer: Frame): End {
  const connId = answer.body.length === 4 ? answer.body.readUInt32LE() : 0;
  const end = new End(bind.channel, connId);
  bind.channel.send(
    T.stateConnected,
    { [H.replyFor]: answer.sequence, [H.connId]: bind.connId, [H.seq]: bind.nextStateSequence() },
    '',
    { lane: connId },
  );
  return end;
}

function connected(router: Router, end: End, host: End, terminator: Terminator, id: string, frame: Frame): void {
  const { publicKey, service } = terminator;
  if (service.encryption && !publicKey) {
    host.forget();
    throw refusals.noPublicHeader('terminator');
  }
  // The dialer left meanwhile, or lost its session.
  if (!end.open) {
    host.close('close called');
    throw refusals.invalidSession();
  }
  terminator.failures = Math.max(0, terminator.failures - CIRCUIT_COST);
  terminator.circuits += 1;
  end.channel.send(T.stateConnected, {
    [H.replyFor]: frame.sequence,
    [H.connId]: end.connId,
    [H.circuitId]: id,
    [H.seen1101]: 0,
    ...(publicKey ? { [H.publicKey]: publicKey } : {}),
  });
  router.state.circuits.set(id, {
    id,
    service: service.name,
    dialer: end.channel.identity ?? '',
    host: host.channel.identity ?? '',
    dialerRouter: router.name,
    hostRouter: router.fabric.routerWith(terminator.router)?.name ?? '',
  });
  End.join(end, host, () => {
    terminator.circuits -= 1;
    router.state.circuits.delete(id);
    router.state.changed();
  });
  router.state.changed();
}
