// Hosts: Bind, take-over by listener id, UpdateBind, Unbind (ziti router/xgress_edge/listener.go processBindV2 and hosted.go).

import { newId } from '../state/network-state.ts';
import type { Terminator } from '../state/records.ts';
import type { RouterChannel } from './channel.ts';
import type { Frame } from './frame.ts';
import { inspectBind } from './inspect.ts';
import { foreignInstance, invalidSession, Refusal } from './refusal.ts';
import type { Router } from './router.ts';
import { serviceSessionOf } from './session-check.ts';
import { flag, text, u16, u32 } from './values.ts';
import { H, T } from './wire.ts';

/** One listener of a host on one channel. */
export class Bind {
  readonly channel: RouterChannel;
  readonly connId: number;
  readonly token: string;
  readonly listenerId: string;
  readonly assignIds: boolean;
  readonly supportsInspect: boolean;
  terminator: Terminator | undefined;
  open = true;
  #stateMessages = 0;

  constructor(channel: RouterChannel, frame: Frame) {
    this.channel = channel;
    this.connId = u32(frame, H.connId) ?? 0;
    this.token = frame.body.toString();
    this.listenerId = text(frame, H.listenerId);
    this.assignIds = flag(frame, H.routerProvidedConnId);
    this.supportsInspect = flag(frame, H.supportsInspect);
  }

  /** State messages of a bind carry a count of their own. */
  nextStateSequence(): number {
    this.#stateMessages += 1;
    return this.#stateMessages;
  }
}

export async function processBind(router: Router, channel: RouterChannel, frame: Frame): Promise<void> {
  if (u32(frame, H.connId) === undefined) return;
  const bind = new Bind(channel, frame);
  if (router.state.serviceSessions.get(bind.token)?.ended) return router.refuse(channel, frame, invalidSession());
  const previous = bind.listenerId === '' ? undefined : findListener(router, bind);
  channel.binds.set(bind.connId, bind);
  if (previous) takeOver(router, bind, previous);
  const connected = {
    [H.replyFor]: frame.sequence,
    [H.connId]: bind.connId,
    ...(bind.assignIds ? { [H.routerProvidedConnId]: true } : {}),
  };
  // Clients with a listener id are told at once, before anybody looked at their session.
  if (bind.listenerId !== '') channel.send(T.stateConnected, connected);
  if (!previous) {
    try {
      await router.fabric.controllerUp();
      if (bind.open) bind.terminator = createTerminator(router, bind, frame);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (bind.listenerId === '') {
        forgetBind(router, bind);
        router.refuse(channel, frame, error);
      } else closeBind(router, bind, error.message);
      return;
    }
    if (!bind.open) return;
  }
  if (bind.listenerId === '') channel.send(T.stateConnected, connected);
  if (flag(frame, H.supportsBindSuccess)) channel.send(T.bindSuccess, { [H.connId]: bind.connId });
  if (bind.supportsInspect && (previous || router.version.major >= 2)) inspectBind(router, bind);
  router.state.changed();
}

/** Tells the host and removes the terminator. */
export function closeBind(router: Router, bind: Bind, why: string): void {
  if (!bind.open) return;
  forgetBind(router, bind);
  sendClosed(bind, why);
}

/** Removes bind and terminator without a word: the host asked for it or is gone. Circuits stay. */
export function forgetBind(router: Router, bind: Bind): void {
  bind.open = false;
  if (bind.channel.binds.get(bind.connId) === bind) bind.channel.binds.delete(bind.connId);
  if (bind.terminator) router.state.terminators.delete(bind.terminator.id);
  router.state.changed();
}

export function processUnbind(router: Router, channel: RouterChannel, frame: Frame): void {
  const bind = channel.binds.get(u32(frame, H.connId) ?? -1);
  if (bind && bind.token === frame.body.toString()) forgetBind(router, bind);
}

export function processUpdateBind(router: Router, channel: RouterChannel, frame: Frame): void {
  const bind = channel.binds.get(u32(frame, H.connId) ?? -1);
  const terminator = bind?.token === frame.body.toString() ? bind.terminator : undefined;
  if (!terminator) return;
  terminator.cost = u16(frame, H.cost) ?? terminator.cost;
  terminator.precedence = precedence(frame) ?? terminator.precedence;
  router.state.changed();
}

function findListener(router: Router, bind: Bind): Bind | undefined {
  const known = router.allBinds().find(({ listenerId, terminator }) => listenerId === bind.listenerId && terminator);
  // Until 1.6.5 whoever knows a listener id gets the listener.
  const anybody = !router.version.atLeast(1, 6, 6);
  return anybody || known?.channel.apiSession?.identity === bind.channel.apiSession?.identity ? known : undefined;
}

/** The terminator goes on as it is, with the public key of the first bind. */
function takeOver(router: Router, bind: Bind, previous: Bind): void {
  bind.terminator = previous.terminator;
  const same = previous.channel === bind.channel && previous.connId === bind.connId;
  if (!same) previous.channel.binds.delete(previous.connId);
  previous.open = false;
  previous.terminator = undefined;
  if (!same) sendClosed(previous, 'found a newer terminator for listener id');
  router.state.changed();
}

function sendClosed(bind: Bind, why: string): void {
  bind.channel.send(T.stateClosed, { [H.connId]: bind.connId, [H.seq]: bind.nextStateSequence() }, why);
}

function createTerminator(router: Router, bind: Bind, frame: Frame): Terminator {
  const { service, apiSession } = serviceSessionOf(router.state, bind.channel, bind.token, 'Bind', router.name);
  const instance = text(frame, H.instance);
  for (const other of router.state.terminators.values()) {
    if (other.service === service && instance !== '' && other.instance === instance) {
      if (other.identity !== apiSession.identity) throw foreignInstance(other.id, instance);
    }
  }
  const terminator: Terminator = {
    id: newId(22),
    service,
    identity: apiSession.identity,
    router: router.id,
    instance,
    publicKey: frame.headers.get(H.publicKey),
    cost: u16(frame, H.cost) ?? 0,
    precedence: precedence(frame) ?? 0,
    circuits: 0,
    failures: 0,
  };
  router.state.terminators.set(terminator.id, terminator);
  return terminator;
}

/** 0 default, 1 required, 2 failed; another value counts as default. */
function precedence(frame: Frame): number | undefined {
  const value = frame.headers.get(H.precedence)?.[0];
  return value === undefined || value <= 2 ? value : 0;
}
