// One channel with the connections and binds on it: ids, delivery of messages to their receivers, answers to routers' questions,
// the read gate, and the end. Reading: message → receiver by id; what belongs to nobody is answered or dropped here.
// Invariant: a receiver that was added hears `onLost` exactly once, or was removed before.

import type { Channel, CloseReason } from '../channel/channel.ts';
import type { Headers } from '../channel/headers.ts';
import type { Message } from '../channel/message.ts';
import type { ApiSession } from '../controller/types.ts';
import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { answerTo } from './answers.ts';
import { CONN_TYPES, EDGE_TYPES } from './ids.ts';
import { connIdOf, onConnection, replyTo } from './messages.ts';
import { ReadGate } from './read-gate.ts';
import { ConnIds } from './sequence.ts';
import type { Timing } from './timing.ts';

export type ChannelUse = 'dial' | 'bind';

/** Who is behind an id. */
export interface Receiver {
  /** CONN_TYPES.dial for connections, also on the host; CONN_TYPES.bind. */
  readonly connType: number;
  onMessage(message: Message): void;
  /** The channel is over. The id is gone already. */
  onLost(error: ZitiError): void;
  /** The channel takes nothing new: who can should move to another one. */
  onRetired?(): void;
}

export interface EdgeChannelOptions {
  readonly channel: Channel;
  readonly use: ChannelUse;
  /** Name of the router, for messages to people. */
  readonly router: string;
  readonly session: ApiSession;
  readonly timing: Timing;
}

export class EdgeChannel {
  readonly use: ChannelUse;
  readonly router: string;
  readonly channel: Channel;
  readonly gate: ReadGate;
  /** The login it was opened with; the same login with a newer token after an UpdateToken. */
  session: ApiSession;
  readonly #ids = new ConnIds();
  readonly #receivers = new Map<number, Receiver>();
  readonly #timing: Timing;
  #binds = 0;
  #retired = false;
  #over: ZitiError | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: EdgeChannelOptions) {
    const { channel, use, router, session, timing } = options;
    this.channel = channel;
    this.use = use;
    this.router = router;
    this.session = session;
    this.#timing = timing;
    this.gate = new ReadGate({
      limits: LIMITS,
      pauseMs: timing.pauseMs,
      pause: () => channel.pause(),
      resume: () => channel.resume(),
    });
    channel.onMessage = (message) => this.#deliver(message);
    void channel.closed.then((reason) => this.#onClosed(reason));
    this.#startIdling();
  }

  get connections(): number {
    return this.#receivers.size - this.#binds;
  }

  get binds(): number {
    return this.#binds;
  }

  /** Whether something new may begin here. */
  get usable(): boolean {
    return this.#over === undefined && !this.#retired && this.#receivers.size < LIMITS.connectionsPerChannel;
  }

  get over(): boolean {
    return this.#over !== undefined;
  }

  /** An id of ours for it. Throws `connection_lost`, `too_many_connections`. */
  add(receiver: Receiver): number {
    const id = this.#ids.next((used) => this.#receivers.has(used));
    this.#set(id, receiver);
    return id;
  }

  /** An id of the router. False if it is in use. */
  addAt(id: number, receiver: Receiver): boolean {
    if (this.#receivers.has(id)) return false;
    this.#set(id, receiver);
    return true;
  }

  /** Who asked for a connection gives way to the connection. */
  replace(id: number, receiver: Receiver): void {
    this.#receivers.set(id, receiver);
  }

  /** Nothing comes to it any more. Idempotent. */
  remove(id: number): void {
    const receiver = this.#receivers.get(id);
    if (!receiver) return;
    this.#receivers.delete(id);
    if (receiver.connType === CONN_TYPES.bind) this.#binds -= 1;
    if (this.#receivers.size === 0) this.#startIdling();
  }

  /** Tells the other end, or the router, that this id is over. Harmless if it is not known there. */
  sendClosed(id: number, reason = ''): void {
    this.tell(EDGE_TYPES.stateClosed, onConnection(id), reason.slice(0, LIMITS.peerTextChars));
  }

  /** Nothing new begins here, and the channel ends with the last of what goes on. */
  retire(): void {
    if (this.#retired || this.#over) return;
    this.#retired = true;
    for (const receiver of [...this.#receivers.values()]) receiver.onRetired?.();
    if (this.#receivers.size === 0) this.#startIdling();
  }

  /** What goes on here ends with `why`; what is queued leaves first. */
  async close(why: ZitiError): Promise<void> {
    this.#end(why);
    await this.channel.close(why.message);
  }

  #set(id: number, receiver: Receiver): void {
    if (this.#over) throw this.#over;
    if (this.#receivers.size >= LIMITS.connectionsPerChannel) {
      throw new ZitiError('too_many_connections', `the channel to router ${this.router} carries as many as it may`);
    }
    clearTimeout(this.#idle);
    this.#idle = undefined;
    this.#receivers.set(id, receiver);
    if (receiver.connType === CONN_TYPES.bind) this.#binds += 1;
  }

  #deliver(message: Message): void {
    const id = connIdOf(message);
    const receiver = id === undefined ? undefined : this.#receivers.get(id);
    const answer = answerTo(message, receiver?.connType, this.channel.routerVersion);
    if (answer) this.tell(answer.type, answer.headers, answer.body);
    else if (receiver) receiver.onMessage(message);
    else if (id !== undefined) this.#refuse(message, id);
  }

  #refuse(message: Message, id: number): void {
    // A dial that we gave up was answered after all: nobody wants the connection.
    if (message.type === EDGE_TYPES.stateConnected) this.sendClosed(id, 'nobody waits for this connection any more');
    if (message.type === EDGE_TYPES.dial) {
      this.tell(EDGE_TYPES.dialFailed, replyTo(message.sequence, id), 'nobody listens here any more');
    }
  }

  /** For what only helps the other side: when the channel is over there is no other side. */
  tell(type: number, headers: Headers, body: string | Uint8Array): void {
    try {
      this.channel.send(type, headers, Buffer.from(body));
    } catch {
      // `onLost` follows.
    }
  }

  #startIdling(): void {
    clearTimeout(this.#idle);
    if (this.#over) return;
    if (this.#retired) void this.channel.close('replaced');
    else this.#idle = setTimeout(() => void this.channel.close('idle'), this.#timing.idleMs).unref();
  }

  #onClosed({ error }: CloseReason): void {
    const why = `the channel to router ${this.router} is over: ${error.message}`;
    this.#end(new ZitiError('connection_lost', why, { cause: error }));
  }

  #end(error: ZitiError): void {
    clearTimeout(this.#idle);
    this.gate.stop();
    this.#over ??= error;
    const receivers = [...this.#receivers.values()];
    this.#receivers.clear();
    this.#binds = 0;
    for (const receiver of receivers) receiver.onLost(error);
  }
}
