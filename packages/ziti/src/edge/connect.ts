// One attempt to reach a host over one channel: Connect → StateConnected or a refusal → keys → our stream header → the host's.
// The receiver stands before the question is asked, and whatever comes too late is closed again.

import type { Message } from '../channel/message.ts';
import type { Service, ServiceSession } from '../controller/types.ts';
import type { KeyPair, Sodium } from '../crypto/sodium.ts';
import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { type CloseMeans, ZitiConnection } from './connection.ts';
import type { Deadline } from './deadline.ts';
import type { EdgeChannel } from './edge-channel.ts';
import { CONN_TYPES, EDGE_TYPES } from './ids.ts';
import { connectHeaders, parseConnected } from './messages.ts';
import { type Refusal, refusalOf } from './refusals.ts';
import { Sealing } from './sealing.ts';
import type { Timing } from './timing.ts';

export interface ConnectOptions {
  readonly channel: EdgeChannel;
  readonly session: ServiceSession;
  readonly service: Service;
  readonly sodium: Sodium;
  readonly callerId: string;
  readonly instance: string | undefined;
  readonly appData: Uint8Array | undefined;
  readonly closeMeans: CloseMeans;
  readonly timing: Timing;
  readonly deadline: Deadline;
}

/** A connection, or the router's no. Rejects when there was no answer, or one that cannot be used. */
export async function connect(options: ConnectOptions): Promise<ZitiConnection | Refusal> {
  const attempt = new Attempt(options);
  try {
    return await attempt.run();
  } catch (error) {
    attempt.giveUp();
    throw error;
  }
}

class Attempt {
  readonly #options: ConnectOptions;
  readonly #own: KeyPair | undefined;
  readonly #id: number;
  /** Ends the wait for an answer: a router may refuse without naming the request. */
  readonly #early = new AbortController();
  /** What overtook the answer. */
  #frames: Message[] = [];
  #refusal: Refusal | undefined;
  #connection: ZitiConnection | undefined;
  #unusable: ZitiError | undefined;

  constructor(options: ConnectOptions) {
    const { channel, service, sodium } = options;
    this.#options = options;
    this.#own = service.encryptionRequired ? sodium.keyPair() : undefined;
    this.#id = channel.add({
      connType: CONN_TYPES.dial,
      onMessage: (message) => this.#onMessage(message),
      onLost: () => {},
    });
  }

  async run(): Promise<ZitiConnection | Refusal> {
    const { channel, session, deadline } = this.#options;
    deadline.stage = `no answer of router ${channel.router}`;
    const headers = connectHeaders(this.#id, { ...this.#options, publicKey: this.#own?.publicKey });
    const request = channel.channel.request(EDGE_TYPES.connect, headers, Buffer.from(session.token), {
      // The deadline comes first, and knows what to say.
      timeoutMs: deadline.ms + 1000,
      signal: this.#early.signal,
      onReply: (reply) => this.#onReply(reply),
    });
    const onAbort = (): void => this.#early.abort(deadline.signal.reason);
    deadline.signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (deadline.signal.aborted) onAbort();
      await request;
    } catch (error) {
      if (this.#refusal) return this.#refusal;
      const { signal } = deadline.signal.aborted ? deadline : this.#early;
      throw signal.aborted ? signal.reason : error;
    } finally {
      deadline.signal.removeEventListener('abort', onAbort);
    }
    if (this.#refusal) return this.#refusal;
    if (!this.#connection) throw this.#unusable ?? this.#misunderstood();
    deadline.stage = 'the host accepted and then sent no keys';
    await deadline.race(this.#connection.secured()).catch((error: ZitiError) => {
      throw error.code === 'connection_closed' ? this.#closedAtOnce(error) : error;
    });
    return this.#connection;
  }

  giveUp(): void {
    const { channel } = this.#options;
    if (this.#connection) {
      this.#connection.destroy();
      return;
    }
    channel.remove(this.#id);
    channel.sendClosed(this.#id, 'given up');
  }

  /** Before there is an answer: a refusal that does not name the request, or the host's first words. */
  #onMessage(message: Message): void {
    if (message.type === EDGE_TYPES.stateClosed) {
      this.#refuse(message);
      this.#early.abort();
    } else if (this.#frames.length < LIMITS.earlyFrames) {
      this.#frames.push(message);
    } else {
      this.#early.abort(this.#misunderstood());
    }
  }

  /** Runs before any later message of the channel, so that nothing for the new connection is missed. */
  #onReply(reply: Message): void {
    if (reply.type === EDGE_TYPES.stateClosed) this.#refuse(reply);
    if (reply.type !== EDGE_TYPES.stateConnected) return;
    try {
      this.#connected(reply);
    } catch (error) {
      this.#unusable = error as ZitiError;
    }
  }

  #connected(reply: Message): void {
    const { channel, service, closeMeans, timing } = this.#options;
    const { publicKey, methodKnown, circuitId, sdkFlowControl } = parseConnected(reply);
    if (sdkFlowControl) throw this.#misunderstood();
    const connection = new ZitiConnection({
      channel,
      id: this.#id,
      service: service.name,
      sealing: this.#own && this.#seal(this.#own, methodKnown ? publicKey : undefined),
      caller: undefined,
      circuitId,
      closeMeans,
      lingerMs: timing.lingerMs,
    });
    channel.replace(this.#id, connection.receiver);
    this.#connection = connection;
    connection.begin();
    for (const frame of this.#frames.splice(0)) connection.receiver.onMessage(frame);
  }

  #seal(own: KeyPair, peerPublicKey: Uint8Array | undefined): Sealing {
    const { sodium, service } = this.#options;
    if (peerPublicKey) return new Sealing({ sodium, role: 'dialer', own, peerPublicKey, service: service.name });
    throw new ZitiError(
      'encryption_mismatch',
      `service ${service.name} must be encrypted, but its host sent no key that we can use`,
      { hint: 'the host would have spoken in the clear: restart it, or use one that knows libsodium keys' },
    );
  }

  #refuse(message: Message): void {
    const { channel, service } = this.#options;
    channel.remove(this.#id);
    this.#refusal ??= refusalOf(message, 'dial', service.name, channel.router);
  }

  #closedAtOnce(cause: ZitiError): ZitiError {
    const { name } = this.#options.service;
    return new ZitiError('host_refused', `the host of service ${name} accepted the dial and closed it at once`, {
      cause,
    });
  }

  #misunderstood(): ZitiError {
    const { channel, service } = this.#options;
    return new ZitiError(
      'connection_violation',
      `router ${channel.router} answered the dial of service ${service.name} in a way this client does not know`,
    );
  }
}
