// One client session's session with one backend: requests under ids of our own, answers matched to them, everything the
// server starts by itself handed to the session. Survives the server's death (relay/steady).

import {
  type CloseReason,
  createBackoff,
  errorMessage,
  type Ledger,
  lostMemory,
  type Message,
  notificationMessage,
  OnceSession,
  parseMessage,
  requestMessage,
  SteadySession,
  type SteadyState,
  type Transport,
} from '@mcp-overlay/relay';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import type { GatewayLog } from '../call/log.ts';
import type { Permit } from '../call/permit.ts';
import type { Backend, SessionOrigin } from './backend.ts';
import { NOT_SERVED } from './credentials.ts';
import type { HealthRecord } from './health.ts';
import { watching } from './watch.ts';

export interface BackendEvents {
  /** The server asks the client. */
  request(backend: BackendSession, message: Message): void;
  notification(backend: BackendSession, message: Message): void;
  /** It was greeted, for the first time in this session. */
  joined(backend: BackendSession): void;
  /** It takes less than is sent to it: whoever sends should wait for `drained`. */
  full(backend: BackendSession): void;
  /** It was lost after that, and its session is rebuilt. */
  back(backend: BackendSession): void;
}

export interface Asked {
  readonly id: string;
  readonly answer: Promise<Message>;
}

export interface BackendSessionOptions {
  readonly backend: Backend;
  readonly origin: SessionOrigin;
  readonly health: HealthRecord;
  readonly connectTimeoutMs: number;
  /** Absent: calls that are asked again run again. */
  readonly ledger?: Ledger | undefined;
  readonly events: BackendEvents;
  /** What of its greeting is passed on. */
  readonly seen?: ((welcome: JsonObject, from: BackendSession) => JsonObject) | undefined;
  readonly log: GatewayLog;
}

/** A server that refused initialize is asked again: it may wait for something itself, as a bridge for its server. */
const ASK_AGAIN = {
  clock: () => performance.now(),
  random: Math.random,
  maxMs: 4000,
  crashes: Number.POSITIVE_INFINITY,
};

export class BackendSession {
  readonly id: string;
  readonly backend: Backend;
  /** The server's answer to initialize, or server/discover in the modern era, once there is one. */
  welcome: JsonObject | undefined;
  /** It has not read for so long that nobody waits for it any more: calls are refused. */
  stuck = false;
  private readonly options: BackendSessionOptions;
  private readonly steady: SteadySession;
  /** The way to it: each call with a key runs once. */
  private readonly way: Transport;
  /** There is no credential for this caller: the backend is not there for it. */
  private readonly barred: boolean;
  private readonly unlisten: (() => void) | undefined;
  private readonly pending = new Map<string, (answer: Message) => void>();
  private nextId = 1;
  private refusal: string | undefined;
  private askAgain: NodeJS.Timeout | undefined;
  private closed = false;
  private begun = false;
  /** Greets it, when it is needed. */
  private waiting: (() => void) | undefined;
  private unsettled = true;
  private settle: () => void = () => {};
  /** Resolves when it was greeted, or the first attempt failed: nothing more to wait for. */
  readonly settled: Promise<void>;

  constructor(options: BackendSessionOptions) {
    this.options = options;
    this.backend = options.backend;
    this.id = options.backend.id;
    this.barred = !options.backend.serves(options.origin.caller);
    this.settled = new Promise((resolve) => {
      this.settle = () => {
        this.unsettled = false;
        resolve();
      };
    });
    this.steady = new SteadySession({
      name: `backend ${this.id}`,
      open: (events, signal) => options.backend.open(options.origin, events, signal),
      backoff: options.backend.backoff(options.origin.caller),
      waitMs: options.connectTimeoutMs,
      startMs: options.connectTimeoutMs,
      unavailable: 'backend_unavailable',
      facts: { backend: this.id },
      outlivesHosts: options.backend.config.transport.type === 'share',
      onState: (state) => this.onState(state),
      onStray: watching(this.id, options.health, options.log).onStray,
    });
    this.way = this.wayTo(options);
    if (this.barred) {
      this.settle();
      return;
    }
    this.unlisten = options.backend.onWoken?.(() => {
      if (this.up) options.events.back(this);
    });
    if (options.backend.config.start !== 'lazy') this.begin();
  }

  private begin(): void {
    if (this.begun || this.closed) return;
    this.begun = true;
    this.way.start({
      message: (message) => this.onMessage(message),
      fault: () => {},
      closed: () => this.settle(),
    });
  }

  /** It may wait until it is needed: what it would say first is known. */
  get mayWait(): boolean {
    return !this.begun && !this.barred;
  }

  /** Nobody needed it yet. */
  get asleep(): boolean {
    return this.waiting !== undefined;
  }

  /** Greets it when it is needed. */
  greetLater(method: string, params: JsonObject): void {
    this.waiting = () => void this.greet(method, params);
  }

  /** Resolves when it was greeted, or failed; it is needed now. */
  ready(): Promise<void> {
    const greet = this.waiting;
    this.waiting = undefined;
    greet?.();
    return this.settled;
  }

  /** A host behind us does: what it runs goes on when we go. */
  get keepsOutcomes(): boolean {
    return this.steady.terms?.once !== undefined;
  }

  get up(): boolean {
    return this.welcome !== undefined && this.steady.state.phase === 'up';
  }

  /** It was neither heard nor lost yet. */
  get starting(): boolean {
    return this.unsettled;
  }

  /** What it held in memory for this session before we were started, or lost the session: undefined if nothing is lost. */
  get memoryLost(): Message | undefined {
    // What is behind a URL did not go with us.
    const lost = this.backend.config.transport.type === 'http' ? 'unknown' : this.steady.memoryLost;
    return lostMemory(`backend ${this.id}`, lost);
  }

  get state(): SteadyState {
    return this.barred ? { ...this.steady.state, phase: 'closed', reason: NOT_SERVED } : this.steady.state;
  }

  /** Why it cannot be used, for people. */
  get trouble(): string {
    return this.state.reason ?? this.refusal ?? 'it is still starting';
  }

  has(capability: string): boolean {
    return this.welcome !== undefined && asObject(this.welcome.capabilities)?.[capability] !== undefined;
  }

  /** Greets it in the client's words, `initialize` or `server/discover`, until it answers: whenever it is ready. */
  async greet(method: string, params: JsonObject, again = createBackoff(ASK_AGAIN)): Promise<void> {
    if (this.barred) return;
    this.begin();
    const { result, error } = parseMessage(await this.ask(method, params).answer) as {
      result?: unknown;
      error?: unknown;
    };
    const welcome = asObject(result);
    if (this.closed) return;
    if (welcome) {
      this.welcome = this.options.seen?.(welcome, this) ?? welcome;
      this.refusal = undefined;
      this.options.health.saw('up');
      this.settle();
      this.options.events.joined(this);
      return;
    }
    this.refusal = asString(asObject(error)?.message) ?? `it refused ${method}`;
    this.failed(this.trouble);
    again.note('crash');
    this.askAgain = setTimeout(() => void this.greet(method, params, again), again.next());
  }

  /** A request of the gateway itself: initialize, lists, log level. */
  ask(method: string, params: JsonObject | undefined, call?: number): Asked {
    const id = String(this.nextId++);
    if (this.barred) {
      return { id, answer: Promise.resolve(errorMessage(id, 'backend_unavailable', NOT_SERVED, { backend: this.id })) };
    }
    const answer = new Promise<Message>((resolve) => {
      this.pending.set(id, resolve);
    });
    const send = (): void => {
      if (!this.way.send(requestMessage(id, method, params, call))) this.options.events.full(this);
    };
    if (this.asleep) void this.ready().then(() => this.pending.has(id) && send());
    else send();
    return { id, answer };
  }

  /** A request of the client. The permit says that a rule let it through. */
  call(_permit: Permit, method: string, params: JsonObject, call: number | undefined): Asked {
    this.options.health.count('calls');
    return this.ask(method, params, call);
  }

  /** Tells the server that nobody waits any more. */
  cancel(id: string, reason: string): void {
    if (!this.pending.delete(id)) return;
    this.notify('notifications/cancelled', { requestId: Number(id), reason });
  }

  notify(method: string, params?: JsonObject): void {
    if (!this.barred && !this.asleep) this.way.send(notificationMessage(method, params));
  }

  /** The client's answer to a request of this server, under the server's own id. */
  respond(message: Message): void {
    if (!this.barred) this.way.send(message);
  }

  /** Resolves when it takes more again, or is lost. */
  drained(): Promise<void> {
    return this.way.drained();
  }

  pause(): void {
    this.way.pause();
  }

  resume(): void {
    this.way.resume();
  }

  /** `away`: a host keeps its servers for our successor. */
  close(reason?: CloseReason): Promise<void> {
    this.closed = true;
    this.waiting = undefined;
    this.settle();
    this.unlisten?.();
    clearTimeout(this.askAgain);
    return this.way.close(reason);
  }

  private wayTo({ backend, origin, ledger }: BackendSessionOptions): Transport {
    const { steady } = this;
    if (ledger === undefined) return steady;
    return new OnceSession({
      server: steady,
      ledger,
      session: origin.session,
      name: `backend ${this.id}`,
      facts: { backend: this.id },
      mayRunTwice: backend.mayRunTwice,
      keepsOutcomes: () => this.keepsOutcomes,
    });
  }

  private onMessage(message: Message): void {
    if (message.kind === 'request') {
      this.options.events.request(this, message);
    } else if (message.kind === 'notification') {
      this.options.events.notification(this, message);
    } else if (message.id !== undefined) {
      const answer = this.pending.get(message.id);
      this.pending.delete(message.id);
      answer?.(message);
    }
  }

  private onState(state: SteadyState): void {
    const { health, log } = this.options;
    if (state.phase === 'waiting') {
      health.count('restarts');
      this.failed(state.reason);
    } else if (state.phase === 'up' && this.welcome) {
      if (health.saw('up')) log.info({ backend: this.id }, 'backend is back');
      this.options.events.back(this);
    }
  }

  private failed(reason: string | undefined): void {
    const { health, log } = this.options;
    const news = health.saw('failing', reason, this.steady.state.givenUp);
    if (news) log.warn({ backend: this.id, reason }, 'backend failed');
    this.settle();
  }
}

/** The answer to a server whose request cannot reach the client. */
export function refusal(id: string, text: string): Message {
  return errorMessage(id, 'method_not_found', text);
}
