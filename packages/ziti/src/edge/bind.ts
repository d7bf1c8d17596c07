// One bind at one router: Bind → StateConnected, which means nothing → BindSuccess: now there is a terminator → callers, until
// the router ends it, the channel is lost, or we unbind. Routers 1.6 refuse a bind after StateConnected (seen), never before.

import type { Message } from '../channel/message.ts';
import type { ServiceSession } from '../controller/types.ts';
import { ZitiError } from '../errors.ts';
import type { EdgeChannel, Receiver } from './edge-channel.ts';
import { CONN_TYPES, EDGE_HEADERS, EDGE_TYPES } from './ids.ts';
import { answerDial, type Reception } from './inbound.ts';
import { type BindRequest, bindHeaders, onConnection, type TerminatorWeight, updateBindHeaders } from './messages.ts';
import { type Remedy, refusalOf } from './refusals.ts';
import type { Timing } from './timing.ts';

export interface BindEnd {
  readonly error: ZitiError;
  /** again: the bind was fine and can be made again as it was. move: at once, on another channel. */
  readonly remedy: Remedy | 'again' | 'move';
}

export interface BindOptions {
  readonly channel: EdgeChannel;
  readonly session: ServiceSession;
  readonly request: BindRequest;
  readonly reception: Reception;
  readonly timing: Timing;
  /** Nothing comes to this bind any more. */
  readonly onGone: (bind: Bind) => void;
}

export class Bind implements Receiver {
  readonly connType = CONN_TYPES.bind;
  readonly router: string;
  /** Resolves when the listener needs another bind instead of this one. It may still bring callers until that one is made. */
  readonly ended: Promise<BindEnd>;
  readonly #options: BindOptions;
  readonly #token: Buffer;
  readonly #id: number;
  #onEnded: (end: BindEnd) => void = () => {};
  #onEstablished: () => void = () => {};
  readonly #established: Promise<void>;
  #gone = false;

  constructor(options: BindOptions) {
    this.#options = options;
    this.router = options.channel.router;
    this.#token = Buffer.from(options.session.token);
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve;
    });
    this.#established = new Promise((resolve) => {
      this.#onEstablished = resolve;
    });
    this.#id = options.channel.add(this);
  }

  /** Resolves when callers can come. Otherwise the bind is undone and the end says why. */
  async establish(signal: AbortSignal): Promise<BindEnd | undefined> {
    const { channel, request, timing, session } = this.#options;
    const late = (what: string): BindEnd => {
      const message = `router ${this.router} ${what} for service ${session.serviceName}`;
      return { error: new ZitiError('bind_timeout', message), remedy: 'session' };
    };
    try {
      const reply = await channel.channel.request(EDGE_TYPES.bind, bindHeaders(this.#id, request), this.#token, {
        timeoutMs: timing.bindReplyMs,
        signal,
      });
      if (reply.type === EDGE_TYPES.stateClosed) this.#onClosed(reply);
    } catch (error) {
      const { code } = error as ZitiError;
      if (code === 'request_timeout') this.#end(late('did not answer the bind'));
      else this.#end({ error: error as ZitiError, remedy: 'again' });
    }
    if (channel.channel.headers.bool(EDGE_HEADERS.supportsBindSuccess) !== true) this.#onEstablished();
    const timer = setTimeout(() => this.#end(late('made no terminator in time')), timing.bindSuccessMs);
    const onAbort = (): void => this.#end({ error: signal.reason as ZitiError, remedy: 'never' });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const end = await Promise.race([this.ended, this.#established]);
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    if (end) this.close();
    return end ?? undefined;
  }

  update(weight: TerminatorWeight): void {
    if (!this.#gone)
      this.#options.channel.tell(EDGE_TYPES.updateBind, updateBindHeaders(this.#id, weight), this.#token);
  }

  /** Unbinds. Connections live on. Idempotent. */
  close(): void {
    if (this.#gone) return;
    const { channel } = this.#options;
    channel.tell(EDGE_TYPES.unbind, onConnection(this.#id), this.#token);
    channel.sendClosed(this.#id);
    this.#leave();
    this.#end({ error: new ZitiError('listener_closed', 'the listener was closed'), remedy: 'never' });
  }

  onMessage(message: Message): void {
    if (message.type === EDGE_TYPES.bindSuccess) this.#onEstablished();
    else if (message.type === EDGE_TYPES.stateClosed) this.#onClosed(message);
    else if (message.type === EDGE_TYPES.dial) {
      const { channel, reception } = this.#options;
      answerDial(message, { channel, bindId: this.#id, token: this.#token }, reception);
    }
  }

  onLost(error: ZitiError): void {
    this.#leave();
    this.#end({ error, remedy: 'again' });
  }

  /** Callers may come here until another bind with our listener id takes over. */
  onRetired(): void {
    const error = new ZitiError('connection_lost', `the channel to router ${this.router} gives way to a newer one`);
    this.#end({ error, remedy: 'move' });
  }

  #onClosed(message: Message): void {
    const { session } = this.#options;
    this.#leave();
    this.#end(refusalOf(message, 'bind', session.serviceName, this.router));
  }

  #end(end: BindEnd): void {
    this.#onEnded(end);
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#options.channel.remove(this.#id);
    this.#options.onGone(this);
  }
}
