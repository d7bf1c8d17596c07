// A caller at a host: Dial → checks → DialSuccess → our stream header → the caller's → the application. A router waits 5 s for
// the answer, and asks again after a refusal (a host may hear of one caller twice), so the answer is given at once.

import type { Message } from '../channel/message.ts';
import type { KeyPair, Sodium } from '../crypto/sodium.ts';
import { ZitiError } from '../errors.ts';
import { type CloseMeans, ZitiConnection } from './connection.ts';
import type { EdgeChannel } from './edge-channel.ts';
import { CONN_TYPES, EDGE_TYPES } from './ids.ts';
import { type Caller, type DialRequest, dialSuccess, parseDial, replyTo } from './messages.ts';
import { Sealing } from './sealing.ts';
import type { Timing } from './timing.ts';

/** What a host is to its callers. */
export interface Reception {
  readonly service: string;
  /** Undefined: the service is not encrypted. */
  readonly own: KeyPair | undefined;
  readonly sodium: Sodium;
  readonly timing: Timing;
  readonly closeMeans: CloseMeans;
  /** A text refuses the caller. */
  refusal(caller: Caller): string | undefined;
  /** Ready to be used. */
  accept(connection: ZitiConnection): void;
}

export interface Bound {
  readonly channel: EdgeChannel;
  readonly bindId: number;
  readonly token: Buffer;
}

export function answerDial(message: Message, bound: Bound, reception: Reception): void {
  const dial = parseDial(message);
  const connection = whyNot(dial, bound, reception) ?? tryAccept(dial, bound, reception);
  if (typeof connection === 'string') {
    bound.channel.tell(EDGE_TYPES.dialFailed, replyTo(dial.sequence, bound.bindId), connection);
    return;
  }
  confirm(dial, bound, connection, reception.timing);
  void present(connection, reception);
}

function whyNot(dial: DialRequest, { token }: Bound, reception: Reception): string | undefined {
  if (!token.equals(dial.token)) return 'invalid token';
  if (reception.own && !(dial.publicKey && dial.methodKnown))
    return 'this service is encrypted and the caller sent no key';
  return reception.refusal(dial);
}

/** The connection, or why there is none. */
function tryAccept(dial: DialRequest, { channel }: Bound, reception: Reception): ZitiConnection | string {
  const { service, own, sodium, closeMeans, timing } = reception;
  try {
    const id = reserve(channel, dial.connId);
    const connection = new ZitiConnection({
      channel,
      id,
      service,
      sealing:
        own &&
        dial.publicKey &&
        new Sealing({ sodium, role: 'host', own, peerPublicKey: dial.publicKey.slice(), service }),
      caller: callerOf(dial),
      circuitId: dial.circuitId,
      closeMeans,
      lingerMs: timing.lingerMs,
    });
    channel.replace(id, connection.receiver);
    return connection;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Tells the router, and the caller when the router knows the id. */
function confirm(dial: DialRequest, { channel, bindId }: Bound, connection: ZitiConnection, timing: Timing): void {
  const { headers, body } = dialSuccess(bindId, dial.sequence, connection.id);
  if (dial.connId !== undefined) {
    channel.tell(EDGE_TYPES.dialSuccess, headers, body);
    connection.begin();
    return;
  }
  // A router that did not give the id says when it knows ours.
  channel.channel
    .request(EDGE_TYPES.dialSuccess, headers, body, { timeoutMs: timing.headerMs, onReply: () => connection.begin() })
    .catch((error: Error) => connection.destroy(error));
}

/** Without what was needed to answer it. */
function callerOf({ claimed, identityId, identityName, appData, circuitId }: DialRequest): Caller {
  return { claimed, identityId, identityName, appData, circuitId };
}

/** Throws when it cannot be had. */
function reserve(channel: EdgeChannel, given: number | undefined): number {
  const reservation = { connType: CONN_TYPES.dial, onMessage: () => {}, onLost: () => {} };
  if (given === undefined) return channel.add(reservation);
  if (!channel.addAt(given, reservation)) {
    throw new ZitiError('connection_violation', 'the id for the connection is in use');
  }
  return given;
}

async function present(connection: ZitiConnection, reception: Reception): Promise<void> {
  const { service, timing } = reception;
  const timer = setTimeout(() => {
    const why = `the caller of service ${service} was connected and then sent no keys`;
    connection.destroy(new ZitiError('dial_timeout', why));
  }, timing.headerMs);
  try {
    await connection.secured();
  } catch {
    return;
  } finally {
    clearTimeout(timer);
  }
  if (!connection.destroyed) reception.accept(connection);
}
