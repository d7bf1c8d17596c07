// A server session that outlives its transport: when a child dies, or a host no longer knows our link, a new transport is
// opened and the session rebuilt on it, in this order: lose (answer what cannot be known) -> open -> rebuild (initialize,
// log level, subscriptions) -> flush (what waited). The client's side sees one Transport that never breaks by itself.
// Invariant: every request taken from the client is answered exactly once, by the server or by us.

import type { RpcErrorName } from './errors.ts';
import { errorMessage, notificationMessage, parseMessage, requestMessage, withId } from './json-rpc.ts';
import type { Fault, Message } from './message.ts';
import { isRepeatable } from './methods.ts';
import { digestOfAnswer, isError, SessionMemory } from './session-memory.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from './transport.ts';
import type { Backoff } from './transports/child/backoff.ts';

/** What a transport that survives breaks by itself (a link) tells the session above. */
export interface SourceEvents {
  /** The way is broken and being mended: new requests wait here meanwhile. */
  suspended(reason: string): void;
  /** Mended, nothing lost. */
  resumed(): void;
  /** The other end has forgotten us: same transport, new session. */
  renewed(): void;
}

export interface SteadyOptions {
  /** Who failed, in messages to people: `backend fs`, `share build-box`. */
  readonly name: string;
  open(events: SourceEvents, signal: AbortSignal): Promise<Transport>;
  readonly backoff: Pick<Backoff, 'next' | 'note'>;
  /** How long a request waits while there is no way to the server. */
  readonly waitMs: number;
  /** From open to an answered initialize; longer counts as a failure. */
  readonly startMs: number;
  /** The error a request gets when it waited in vain. */
  readonly unavailable: Extract<RpcErrorName, 'backend_unavailable' | 'share_unreachable'>;
  /** Facts put into every error of ours. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Whether an opening error ends the session instead of being tried again. */
  readonly isFatal?: (error: unknown) => boolean;
  /** How long a session that failed for good waits for a first request, so that its client reads why. Default 0. */
  readonly failGraceMs?: number;
  readonly onState?: (state: SteadyState) => void;
  /** A line of the server that was no message. */
  readonly onStray?: (fault: Fault) => void;
  readonly now?: () => number;
}

export interface SteadyState {
  readonly phase: 'opening' | 'up' | 'suspended' | 'waiting' | 'failed' | 'closed';
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly reason: string | undefined;
  /** How often the session was rebuilt. */
  readonly rebuilt: number;
}

interface OpenRequest {
  readonly message: Message;
  repeated: boolean;
  timer: NodeJS.Timeout | undefined;
}

const OWN_ID = '"mcp-overlay:';

export class SteadySession implements Transport {
  readonly memory = new SessionMemory();
  private readonly options: SteadyOptions;
  private readonly now: () => number;
  private handlers: TransportHandlers | undefined;
  private transport: Transport | undefined;
  private phase: SteadyState['phase'] = 'opening';
  private since: number;
  private reason: string | undefined;
  private rebuilt = 0;
  /** Which opening the events of a transport belong to. */
  private attempt: symbol | undefined;
  /** Counts lost servers, whose request ids a new one uses again. */
  private generation = 0;
  private rebuilding = false;
  private nextOwnId = 1;
  private paused = false;
  private readonly open = new Map<string, OpenRequest>();
  /** Waiting for a way to the server, in order. */
  private queue: Message[] = [];
  /** Server requests the client has not answered: id the client sees -> id of the server. */
  private readonly serverRequests = new Map<string, string>();
  private readonly ownRequests = new Map<string, (answer: Message | undefined) => void>();
  private readonly whenIdle: (() => void)[] = [];
  private readonly abort = new AbortController();
  private retryTimer: NodeJS.Timeout | undefined;
  private startTimer: NodeJS.Timeout | undefined;
  private closing: Promise<void> | undefined;

  constructor(options: SteadyOptions) {
    this.options = options;
    this.now = options.now ?? Date.now;
    this.since = this.now();
  }

  get state(): SteadyState {
    return { phase: this.phase, since: this.since, reason: this.reason, rebuilt: this.rebuilt };
  }

  /** Requests of the client that have no answer yet. */
  get openCalls(): number {
    return this.open.size;
  }

  /** Resolves when every request of the client is answered. */
  async idle(): Promise<void> {
    while (this.open.size > 0) await new Promise<void>((resolve) => this.whenIdle.push(resolve));
  }

  start(handlers: TransportHandlers): void {
    this.handlers = handlers;
    void this.openTransport();
  }

  send(message: Message): boolean {
    if (this.phase === 'closed') return true;
    this.memory.fromClient(message);
    if (message.kind === 'response') return this.answerServer(message);
    if (message.kind === 'request' && message.id !== undefined) {
      if (this.open.has(message.id)) {
        this.deliverSoon(errorMessage(message.id, 'invalid_request', `request id ${message.id} is already in use`));
        return true;
      }
      const request: OpenRequest = { message, repeated: false, timer: undefined };
      this.open.set(message.id, request);
      if (this.phase === 'failed') queueMicrotask(() => void this.close({ code: 'failed', reason: this.reason ?? '' }));
      if (this.phase !== 'up') return this.wait(request);
    } else if (this.phase !== 'up') {
      return this.waitNotification(message);
    }
    if (message.method === 'initialize') this.watchStart();
    return this.transport?.send(message) ?? true;
  }

  drained(): Promise<void> {
    return this.transport?.drained() ?? Promise.resolve();
  }

  pause(): void {
    this.paused = true;
    this.transport?.pause();
  }

  resume(): void {
    this.paused = false;
    this.transport?.resume();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    this.closing ??= this.closeNow(reason);
    return this.closing;
  }

  // --- open ---------------------------------------------------------------------------------------------------------

  private async openTransport(): Promise<void> {
    this.enter('opening', this.reason);
    const attempt = Symbol('attempt');
    this.attempt = attempt;
    const current = (): boolean => this.attempt === attempt && this.phase !== 'closed';
    try {
      const transport = await this.options.open(
        {
          suspended: (reason) => {
            if (current() && this.phase === 'up') this.enter('suspended', reason);
          },
          resumed: () => {
            if (current() && this.phase === 'suspended') this.flush();
          },
          renewed: () => {
            if (!current()) return;
            this.lose(`${this.options.name} no longer knows this session`);
            void this.establish(transport);
          },
        },
        this.abort.signal,
      );
      if (!current()) {
        await transport.close();
        return;
      }
      this.transport = transport;
      transport.start({
        message: (message) => {
          if (this.transport === transport) this.fromServer(message);
        },
        fault: (fault) => {
          if (this.transport === transport) this.fromServerFault(fault);
        },
        closed: (reason) => {
          if (this.transport === transport) this.broke(reason.reason);
        },
      });
      if (this.paused) transport.pause();
      await this.establish(transport);
    } catch (error) {
      if (!current()) return;
      const text = error instanceof Error ? error.message : String(error);
      if (this.options.isFatal?.(error)) this.fail(text);
      else this.retryLater(text);
    }
  }

  private async establish(transport: Transport): Promise<void> {
    this.watchStart();
    if (this.memory.established) {
      this.rebuilding = true;
      const rebuilt = await this.rebuild(transport);
      if (this.transport !== transport || this.phase === 'closed') return;
      this.rebuilding = false;
      if (!rebuilt) {
        this.drop(`${this.options.name} refused to take the session up again`);
        return;
      }
      this.rebuilt += 1;
    } else if (this.memory.initialize === undefined) {
      clearTimeout(this.startTimer);
    }
    if (this.memory.established) this.started();
    this.flush();
  }

  private flush(): void {
    this.enter('up', undefined);
    const waiting = this.queue;
    this.queue = [];
    for (const message of waiting) {
      if (message.id !== undefined && message.kind === 'request') {
        const request = this.open.get(message.id);
        if (!request) continue;
        clearTimeout(request.timer);
        request.timer = undefined;
      }
      this.transport?.send(message);
    }
  }

  private watchStart(): void {
    clearTimeout(this.startTimer);
    const seconds = Math.round(this.options.startMs / 1000);
    this.startTimer = setTimeout(
      () => this.drop(`${this.options.name} did not start within ${seconds} s`),
      this.options.startMs,
    );
  }

  private started(): void {
    clearTimeout(this.startTimer);
    this.options.backoff.note('ok');
  }

  // --- rebuild ------------------------------------------------------------------------------------------------------

  private async rebuild(transport: Transport): Promise<boolean> {
    const { initialize, initialized } = this.memory;
    if (!initialize) return true;
    const answer = await this.ask(transport, withId(initialize, this.ownId()));
    if (!answer || isError(answer)) return false;
    if (initialized) transport.send(initialized);
    await Promise.all(this.memory.replay().map((request) => this.ask(transport, withId(request, this.ownId()))));
    if (this.transport !== transport) return false;
    this.tellLost();
    void this.compareLists(transport);
    return true;
  }

  /** The client learns that what the server held in memory is gone, if it takes log messages at all. */
  private tellLost(): void {
    const result = this.memory.initializeResult;
    if (!result?.bytes.includes('"logging"')) return;
    const data = `${this.options.name} was restarted; what it held in memory is gone`;
    this.deliverSoon(notificationMessage('notifications/message', { level: 'warning', logger: 'mcp-overlay', data }));
  }

  /** list_changed follows only where a list differs from what the client saw. */
  private async compareLists(transport: Transport): Promise<void> {
    const announced = new Set<string>();
    for (const { kind, pages } of this.memory.listsSeen()) {
      let cursor: string | undefined;
      let same = true;
      for (const page of [...pages]) {
        const params = cursor === undefined ? {} : { cursor };
        const answer = await this.ask(transport, requestMessage(this.ownId(), kind.method, params));
        if (!answer || isError(answer)) return;
        same &&= digestOfAnswer(answer) === page;
        const { result } = parseMessage(answer) as { result?: { nextCursor?: unknown } };
        cursor = typeof result?.nextCursor === 'string' ? result.nextCursor : undefined;
        if (!same || cursor === undefined) break;
      }
      if (!same && !announced.has(kind.changed)) {
        announced.add(kind.changed);
        this.deliverSoon(notificationMessage(kind.changed));
      }
    }
  }

  private ownId(): string {
    return `${OWN_ID}${this.nextOwnId++}"`;
  }

  private ask(transport: Transport, request: Message): Promise<Message | undefined> {
    return new Promise((resolve) => {
      if (request.id !== undefined) this.ownRequests.set(request.id, resolve);
      transport.send(request);
    });
  }

  // --- from the server ----------------------------------------------------------------------------------------------

  private fromServer(message: Message): void {
    if (message.kind === 'response') {
      this.fromServerResponse(message);
      return;
    }
    if (message.kind === 'request' && message.id !== undefined) {
      // A restarted server counts its ids from the start again: the client must not see one twice.
      const shown = this.generation === 0 ? message.id : `"${this.generation}:${message.id.replace(/"/g, '')}"`;
      this.serverRequests.set(shown, message.id);
      this.deliver(shown === message.id ? message : withId(message, shown));
      return;
    }
    this.deliver(message);
  }

  private fromServerResponse(message: Message): void {
    const id = message.id ?? 'null';
    const own = this.ownRequests.get(id);
    if (own) {
      this.ownRequests.delete(id);
      own(message);
      return;
    }
    const request = this.open.get(id);
    // An answer nobody asked for, or a second one: dropped, a client would choke on it.
    if (!request || this.rebuilding) return;
    this.memory.answered(message);
    this.settle(id);
    if (request.message.method === 'initialize' && this.memory.established) this.started();
    this.deliver(message);
  }

  private fromServerFault(fault: Fault): void {
    const id = fault.id;
    if (id === undefined || fault.kind === 'notification' || !(this.open.has(id) || this.ownRequests.has(id))) {
      this.options.onStray?.(fault);
      return;
    }
    const text = `the answer of ${this.options.name} was not passed on: ${describeFault(fault)}`;
    const name = fault.code === 'message_too_large' ? 'message_too_large' : 'internal_error';
    this.fromServerResponse(
      errorMessage(id, name, text, { ...this.options.facts, fault: fault.code, bytes: fault.bytes }),
    );
  }

  private answerServer(message: Message): boolean {
    const shown = message.id ?? 'null';
    const id = this.serverRequests.get(shown);
    // Answers to a server that is gone, and answers nobody asked for, end here.
    if (id === undefined || this.transport === undefined) return true;
    this.serverRequests.delete(shown);
    return this.transport.send(id === shown ? message : withId(message, id));
  }

  // --- wait ---------------------------------------------------------------------------------------------------------

  private wait(request: OpenRequest): boolean {
    this.queue.push(request.message);
    request.timer ??= setTimeout(() => this.expire(request.message), this.options.waitMs);
    return true;
  }

  private waitNotification(message: Message): boolean {
    if (message.method === 'notifications/cancelled' && this.cancelQueued(message)) return true;
    // A rebuilt session replays `initialized` itself; what an old server was told does not concern a new one.
    if (!this.memory.established || this.phase === 'suspended') this.queue.push(message);
    return true;
  }

  private cancelQueued(message: Message): boolean {
    const value = parseMessage(message) as { params?: { requestId?: unknown } };
    const id = JSON.stringify(value.params?.requestId ?? null);
    const at = this.queue.findIndex((queued) => queued.kind === 'request' && queued.id === id);
    if (at < 0) return false;
    this.queue.splice(at, 1);
    this.settle(id);
    return true;
  }

  private expire(message: Message): void {
    if (message.id === undefined) return;
    this.queue = this.queue.filter((queued) => queued !== message);
    this.settle(message.id);
    this.deliver(this.unavailableError(message.id));
  }

  private unavailableError(id: string): Message {
    const since = new Date(this.since).toISOString();
    const text = `${this.options.name} has not been reachable since ${since}: ${this.reason ?? 'it is still starting'}`;
    return errorMessage(id, this.options.unavailable, text, { ...this.options.facts, since });
  }

  // --- lose ---------------------------------------------------------------------------------------------------------

  private broke(reason: string): void {
    if (this.phase === 'closed') return;
    this.transport = undefined;
    this.attempt = undefined;
    this.lose(reason);
    this.retryLater(reason);
  }

  /** The transport lives but is of no use: end it, and go on as if it had broken. */
  private drop(reason: string): void {
    const transport = this.transport;
    this.broke(reason);
    void transport?.close({ code: 'away', reason });
  }

  private lose(reason: string): void {
    this.generation += 1;
    clearTimeout(this.startTimer);
    for (const [id, resolve] of this.ownRequests) {
      this.ownRequests.delete(id);
      resolve(undefined);
    }
    for (const shown of this.serverRequests.keys()) {
      const params = { requestId: JSON.parse(shown) as unknown, reason };
      this.deliver(notificationMessage('notifications/cancelled', params));
    }
    this.serverRequests.clear();
    this.enter('opening', reason);
    const queued = new Set(this.queue);
    const again: Message[] = [];
    for (const [id, request] of [...this.open]) {
      if (queued.has(request.message)) continue;
      if (isRepeatable(request.message.method ?? '') && !request.repeated) {
        request.repeated = true;
        request.timer ??= setTimeout(() => this.expire(request.message), this.options.waitMs);
        again.push(request.message);
        continue;
      }
      this.settle(id);
      this.deliver(this.unknownOutcome(request.message, id, reason));
    }
    this.queue = [...again, ...this.queue];
  }

  private unknownOutcome(message: Message, id: string, reason: string): Message {
    const text = isRepeatable(message.method ?? '')
      ? `${this.options.name} failed twice while it answered ${message.method}: ${reason}`
      : `outcome unknown: ${this.options.name} was lost while this call was open (${reason}); it may or may not have run, and is not run again`;
    const name = isRepeatable(message.method ?? '') ? this.options.unavailable : 'outcome_unknown';
    return errorMessage(id, name, text, this.options.facts);
  }

  private retryLater(reason: string): void {
    this.enter('waiting', reason);
    this.options.backoff.note('crash');
    this.retryTimer = setTimeout(() => void this.openTransport(), this.options.backoff.next());
  }

  // --- end ----------------------------------------------------------------------------------------------------------

  private fail(reason: string): void {
    this.enter('failed', reason);
    const graceMs = this.open.size > 0 ? 0 : (this.options.failGraceMs ?? 0);
    this.retryTimer = setTimeout(() => void this.close({ code: 'failed', reason }), graceMs);
  }

  private async closeNow(reason: CloseReason): Promise<void> {
    const transport = this.transport;
    this.transport = undefined;
    if (reason.code !== 'done') this.reason = reason.reason;
    const open = [...this.open.keys()];
    for (const id of open) {
      this.settle(id);
      this.deliver(this.unavailableError(id));
    }
    this.enter('closed', this.reason);
    clearTimeout(this.retryTimer);
    clearTimeout(this.startTimer);
    this.abort.abort();
    for (const resolve of this.ownRequests.values()) resolve(undefined);
    this.ownRequests.clear();
    await transport?.close(reason);
    this.handlers?.closed(reason);
  }

  private settle(id: string): void {
    clearTimeout(this.open.get(id)?.timer);
    this.open.delete(id);
    this.memory.forget(id);
    if (this.open.size === 0) for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  private enter(phase: SteadyState['phase'], reason: string | undefined): void {
    // `since` says when the trouble began, so it stays through the attempts to end it.
    const trouble = (p: SteadyState['phase']): boolean => p !== 'up';
    if (trouble(phase) !== trouble(this.phase) || phase === 'closed') this.since = this.now();
    this.phase = phase;
    this.reason = reason;
    this.options.onState?.(this.state);
  }

  private deliver(message: Message): void {
    this.handlers?.message(message);
  }

  private deliverSoon(message: Message): void {
    queueMicrotask(() => this.deliver(message));
  }
}

export function describeFault(fault: Fault): string {
  const size = `${fault.bytes} bytes`;
  switch (fault.code) {
    case 'message_too_large':
      return `it is too large (${size})`;
    case 'too_deep':
      return 'its JSON is nested too deeply';
    case 'too_many_tokens':
      return 'its JSON has too many values';
    case 'invalid_utf8':
      return 'it is not valid UTF-8';
    case 'batch':
      return 'it is a batch, which MCP no longer has';
    case 'not_json_rpc':
      return 'it is JSON but no JSON-RPC message';
    default:
      return 'it is not valid JSON';
  }
}
