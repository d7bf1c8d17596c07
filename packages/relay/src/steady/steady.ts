// A server session that outlives its transport: when a child dies, or a host no longer knows our link, a new transport is
// opened and the session rebuilt on it, in this order: lose (answer what cannot be known) -> open -> rebuild (initialize,
// log level, subscriptions) -> flush (what waited). The client's side sees one Transport that never breaks by itself.
// Invariant: every request taken from the client is answered exactly once, by the server or by us.

import { ACKNOWLEDGED, LISTEN } from '../eras/methods.ts';
import { faultReply } from '../faults.ts';
import { stringifyExact } from '../json-exact.ts';
import { errorMessage, notificationMessage, parseMessage } from '../json-rpc.ts';
import { LIMITS } from '../limits.ts';
import type { HostTerms } from '../link/preamble.ts';
import type { Fault, Message } from '../message.ts';
import { isRepeatable } from '../methods.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';
import { within } from '../wait.ts';
import { Listens } from './listens.ts';
import { lostAnswer, notPassedOn, unreachable } from './lost-answer.ts';
import { type Lost, lostMemory, lostWith } from './lost-memory.ts';
import { OpenRequests } from './open-requests.ts';
import type { SourceEvents, SteadyOptions, SteadyState } from './options.ts';
import { OwnRequests } from './own-requests.ts';
import { changedLists, rebuild } from './rebuild.ts';
import { isLeaving, RETRY_AFTER_MS, refusalOf, textOf, withHint } from './refusals.ts';
import { ServerRequests } from './server-requests.ts';
import { SessionMemory } from './session-memory.ts';

/** How long a close waits for an opening that was told to stop: a child's whole stop ladder. */
const OPENING_MS = 8000;

export class SteadySession implements Transport {
  private readonly memory = new SessionMemory();
  private readonly options: SteadyOptions;
  private readonly now: () => number;
  private readonly open = new OpenRequests();
  private readonly serverRequests = new ServerRequests();
  private readonly own = new OwnRequests();
  private readonly listens = new Listens();
  private handlers: TransportHandlers | undefined;
  private transport: Transport | undefined;
  private phase: SteadyState['phase'] = 'opening';
  private since: number;
  private reason: string | undefined;
  /** Of the last attempt: why waiting is of no use. */
  private refusal: string | undefined;
  private rebuilt = 0;
  /** What the host keeps; undefined: this is no host of ours. */
  terms: HostTerms | undefined;
  /** Numbers given to calls. */
  private calls = 0;
  /** Which opening the events of a transport belong to. */
  private attempt: symbol | undefined;
  /** The rebuild under way; a loss ends it, and the next one is another. */
  private rebuilding: symbol | undefined;
  /** Ends after the transport that it opened was taken over, or closed. */
  private opening: Promise<void> | undefined;
  private paused = false;
  private readonly abort = new AbortController();
  private retryTimer: NodeJS.Timeout | undefined;
  private startTimer: NodeJS.Timeout | undefined;
  private suspendTimer: NodeJS.Timeout | undefined;
  private draining = false;
  private closing: Promise<void> | undefined;

  constructor(options: SteadyOptions) {
    this.options = options;
    this.now = options.now ?? Date.now;
    this.since = this.now();
  }

  get state(): SteadyState {
    const { phase, since, reason, rebuilt, givenUp } = this;
    return { phase, since, reason, rebuilt, givenUp };
  }

  /** Whether what a server held in memory for whoever had this session before is gone. */
  get memoryLost(): Lost {
    return lostWith(this.terms);
  }

  /** Resolves when every request of the client is answered. */
  idle(): Promise<void> {
    return this.open.idle();
  }

  /** Takes no new requests; resolves when every open one is answered. */
  drain(): Promise<void> {
    this.draining = true;
    return this.open.idle();
  }

  start(handlers: TransportHandlers): void {
    this.handlers = handlers;
    this.opening = this.openTransport();
  }

  send(message: Message): boolean {
    if (this.phase === 'closed') return true;
    if (message.kind === 'response') return this.answerServer(message);
    if (message.kind === 'notification') return this.sendNotification(message);
    return this.sendRequest(this.options.numberCalls === true ? this.numbered(message) : message);
  }

  private sendRequest(message: Message): boolean {
    const refused = this.draining ? 'ending' : this.open.refuses(message);
    if (refused !== undefined) {
      this.deliverSoon(refusalOf(message.id ?? 'null', refused, this.options));
      return true;
    }
    this.memory.fromClient(message);
    this.open.add(message);
    if (this.phase === 'failed') queueMicrotask(() => void this.close({ code: 'failed', reason: this.reason ?? '' }));
    if (this.phase !== 'up') {
      if (this.hopeless) {
        queueMicrotask(() => this.expire(message));
        return true;
      }
      this.open.wait(message, this.options.waitMs, () => this.expire(message));
      return true;
    }
    if (this.handshakeOpen()) this.watchStart();
    return this.pass(message);
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
    this.terms = undefined;
    const attempt = Symbol('attempt');
    this.attempt = attempt;
    const current = (): boolean => this.attempt === attempt && this.phase !== 'closed';
    try {
      const transport = await this.options.open(this.sourceEvents(current), this.abort.signal);
      if (!current()) {
        await transport.close();
        return;
      }
      this.transport = transport;
      this.refusal = undefined;
      transport.start({
        message: (message) => {
          if (this.transport === transport) this.fromServer(message);
        },
        fault: (fault) => {
          if (this.transport === transport) this.fromServerFault(fault);
        },
        closed: (reason) => {
          if (this.transport === transport) this.broke(reason.reason, reason.notRun);
        },
      });
      if (this.paused) transport.pause();
      await this.establish(transport);
    } catch (error) {
      if (!current()) return;
      this.refusal = this.options.refusedWith?.(error);
      if (this.options.isFatal?.(error)) this.fail(textOf(error));
      else this.retryLater(this.refusal === undefined ? textOf(error) : withHint(error));
    }
  }

  private sourceEvents(current: () => boolean): SourceEvents {
    return {
      suspended: (reason, error) => {
        if (!current()) return;
        if (this.phase === 'suspended' && error !== undefined) this.refused(error);
        if (this.phase !== 'up') return;
        this.enter('suspended', reason);
        this.suspendTimer = setTimeout(() => this.giveUpOpen(reason), LIMITS.linkWindowMs);
      },
      agreed: (terms) => {
        if (current()) this.terms = terms;
      },
      resumed: () => {
        if (current() && this.phase === 'suspended') this.flush();
      },
      renewed: (notRun) => {
        if (!current() || !this.transport) return;
        this.lose(`${this.options.name} no longer knows this session`, notRun);
        void this.establish(this.transport);
      },
    };
  }

  /** What was sent may still be answered on the way, if it is mended; what waits for it need not. */
  private refused(error: unknown): void {
    this.refusal = this.options.refusedWith?.(error);
    if (this.refusal === undefined) return;
    this.enter('suspended', withHint(error));
    for (const message of this.open.waiting()) this.expire(message);
  }

  private async establish(transport: Transport): Promise<void> {
    this.watchStart();
    if (this.memory.established) {
      const round = Symbol('rebuild');
      this.rebuilding = round;
      const taken = await rebuild(transport, this.memory, this.own);
      if (this.rebuilding !== round || this.transport !== transport || this.phase === 'closed') return;
      this.rebuilding = undefined;
      if (!taken) {
        this.drop(`${this.options.name} refused to take the session up again`);
        return;
      }
      this.rebuilt += 1;
      this.started();
      this.tellRebuilt();
      void changedLists(transport, this.memory, this.own).then((changed) => {
        for (const method of changed) this.deliver(notificationMessage(method));
      });
    } else if (!this.handshakeOpen()) {
      clearTimeout(this.startTimer);
    }
    this.flush();
  }

  private flush(): void {
    this.enter('up', undefined);
    for (const message of this.open.flush()) this.pass(message);
  }

  /** To the server. What may have run is asked again only of a host that keeps outcomes. */
  private pass(message: Message): boolean {
    const { call, id = '' } = message;
    if (call !== undefined) {
      const { once, ledger } = this.terms ?? {};
      const stranger = once === undefined ? this.open.mayHaveRun(id) : this.open.isElsewhere(id, ledger);
      if (once !== undefined) this.open.sentOnce(id, once * 1000, ledger);
      if (stranger) {
        this.answerLost([message], `${this.options.name} came back without a memory of it`);
        return true;
      }
    }
    return this.transport?.send(message) ?? true;
  }

  private watchStart(): void {
    clearTimeout(this.startTimer);
    const { name, startMs } = this.options;
    this.startTimer = setTimeout(() => this.drop(`${name} did not start within ${startMs / 1000} s`), startMs);
  }

  private started(): void {
    clearTimeout(this.startTimer);
    this.options.backoff.note('ok');
  }

  /** The client learns that what the server held in memory is gone, if it takes log messages at all. */
  private tellRebuilt(): void {
    if (!this.memory.initializeResult?.bytes.includes('"logging"')) return;
    const said = lostMemory(this.options.name, this.memoryLost);
    if (said) this.deliverSoon(said);
  }

  // --- from the server ----------------------------------------------------------------------------------------------

  private fromServer(message: Message): void {
    if (message.kind === 'response') this.fromServerResponse(message);
    else if (message.kind === 'request') this.fromServerRequest(message);
    else if (message.method === ACKNOWLEDGED) for (const said of this.listens.acknowledged(message)) this.deliver(said);
    else this.deliver(this.serverRequests.notification(message));
  }

  private fromServerRequest(message: Message): void {
    if (this.serverRequests.full) {
      const text = 'the client has not answered so many questions of this server that it is asked no more';
      this.transport?.send(errorMessage(message.id ?? 'null', 'busy', text, { retryAfterMs: RETRY_AFTER_MS }));
      return;
    }
    this.deliver(this.serverRequests.shown(message));
  }

  private fromServerResponse(message: Message): void {
    if (this.own.answered(message)) return;
    const id = message.id ?? 'null';
    // An answer nobody asked for, or a second one: dropped, a client would choke on it.
    if (!this.open.has(id) || this.rebuilding) return;
    if (this.options.outlivesHosts === true && isLeaving(message)) {
      this.open.waitAgain(id, this.options.waitMs, (request) => this.expire(request));
      return;
    }
    const handshake = !this.memory.established;
    this.memory.answered(message);
    this.settle(id);
    // A modern server is known to work by its first answer, whatever it is.
    if (handshake && (this.memory.established || this.memory.initialize === undefined)) this.started();
    this.deliver(message);
  }

  private fromServerFault(fault: Fault): void {
    const { id, kind } = fault;
    // A question: nobody will hear it, and the server should not wait.
    const reply = kind === 'request' ? faultReply(fault) : undefined;
    if (reply !== undefined) this.transport?.send(reply);
    const answers = kind === 'response' || kind === 'unknown';
    if (id === undefined || !answers || !(this.open.has(id) || this.own.has(id))) {
      this.options.onStray?.(fault);
      return;
    }
    this.fromServerResponse(notPassedOn(id, fault, this.options));
  }

  // --- from the client, while there may be no server ----------------------------------------------------------------

  private answerServer(message: Message): boolean {
    const answer = this.serverRequests.answer(message);
    return answer === undefined || this.transport === undefined || this.transport.send(answer);
  }

  private sendNotification(message: Message): boolean {
    if (message.method === 'notifications/cancelled' && this.takenBack(message)) return true;
    this.memory.fromClient(message);
    if (this.phase === 'up') return this.transport?.send(message) ?? true;
    // A rebuilt session replays `initialized` itself; what an old server was told does not concern a new one.
    const forTheSameServer = !this.memory.established || this.phase === 'suspended';
    if (forTheSameServer && this.open.refuses(message) !== 'full') this.open.wait(message, 0, () => {});
    return true;
  }

  /** A server does not answer a request that was taken back (MCP: cancellation). true: it need not hear of it. */
  private takenBack(cancelled: Message): boolean {
    const { params } = parseMessage(cancelled) as { params?: { requestId?: unknown } };
    const id = stringifyExact(params?.requestId ?? null);
    // Initialize cannot be taken back.
    if (this.handshakeOpen() && id === this.memory.initialize?.id) return true;
    const waited = this.open.waits(id);
    this.settle(id);
    return waited;
  }

  private numbered(request: Message): Message {
    if (request.call !== undefined || isRepeatable(request.method ?? '')) return request;
    this.calls += 1;
    return { ...request, call: this.calls };
  }

  private get givenUp(): boolean {
    return this.phase === 'waiting' && this.options.backoff.state?.().circuit === 'open';
  }

  private get hopeless(): boolean {
    return this.givenUp || this.refusal !== undefined;
  }

  private expire(message: Message): void {
    const { id } = message;
    if (id === undefined || !this.open.has(id)) return;
    const answer = this.givenUpOn(message, id);
    this.settle(id);
    this.deliver(answer);
  }

  private givenUpOn(message: Message, id: string): Message {
    if (!this.open.mayHaveRun(id)) return unreachable(id, this.state, this.refusal, this.options);
    return this.lostAnswer(message, id, this.reason ?? 'nobody has an answer to it');
  }

  // --- lose ---------------------------------------------------------------------------------------------------------

  private broke(reason: string, notRun?: readonly string[]): void {
    if (this.phase === 'closed') return;
    this.transport = undefined;
    this.attempt = undefined;
    this.lose(reason, notRun);
    this.retryLater(reason);
  }

  /** The transport lives but is of no use: end it, and go on as if it had broken. */
  private drop(reason: string): void {
    const transport = this.transport;
    this.broke(reason);
    void transport?.close({ code: 'away', reason });
  }

  private lose(reason: string, notRun: readonly string[] = []): void {
    clearTimeout(this.startTimer);
    this.refusal = undefined;
    this.rebuilding = undefined;
    this.own.lose();
    for (const notice of this.serverRequests.lose(reason)) this.deliver(notice);
    this.enter('opening', reason);
    for (const id of notRun) this.open.notTaken(id);
    const mayRepeat = ({ method = '', id = '' }: Message): boolean =>
      isRepeatable(method) || notRun.includes(id) || this.open.askable(id);
    const { lost, again } = this.open.lose(mayRepeat);
    this.open.waitFirst(again, this.options.waitMs, (message) => this.expire(message));
    this.answerLost(lost, reason);
  }

  /** No host keeps a link for longer: what was open on it will not be heard of again. */
  private giveUpOpen(reason: string): void {
    this.answerLost(
      this.open.giveUp((message) => this.expire(message)),
      reason,
    );
  }

  private answerLost(lost: readonly Message[], reason: string): void {
    for (const message of lost) {
      const id = message.id ?? 'null';
      this.settle(id);
      this.deliver(this.lostAnswer(message, id, reason));
    }
  }

  private lostAnswer(message: Message, id: string, reason: string): Message {
    return lostAnswer(message, id, reason, this.options);
  }

  private retryLater(reason: string): void {
    this.options.backoff.note('crash');
    this.enter('waiting', reason);
    if (this.hopeless) for (const message of this.open.waiting()) this.expire(message);
    this.retryTimer = setTimeout(() => {
      this.opening = this.openTransport();
    }, this.options.backoff.next());
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
    for (const message of this.open.lose(() => false).lost) {
      if (isRepeatable(message.method ?? '') && message.method !== LISTEN) continue;
      const id = message.id ?? 'null';
      this.settle(id);
      this.deliver(this.lostAnswer(message, id, reason.reason));
    }
    for (const message of this.open.all()) {
      const id = message.id ?? 'null';
      const answer = this.givenUpOn(message, id);
      this.settle(id);
      this.deliver(answer);
    }
    this.enter('closed', this.reason);
    clearTimeout(this.retryTimer);
    clearTimeout(this.startTimer);
    this.abort.abort();
    this.own.lose();
    // What is only just being opened is ours too.
    await Promise.all([transport?.close(reason), this.opening && within(OPENING_MS, this.opening)]);
    this.handlers?.closed(reason);
  }

  private handshakeOpen(): boolean {
    return !this.memory.established && this.open.has(this.memory.initialize?.id ?? '');
  }

  private settle(id: string): void {
    if (this.handshakeOpen() && id === this.memory.initialize?.id) clearTimeout(this.startTimer);
    this.open.settle(id);
    this.listens.settle(id);
    this.memory.forget(id);
  }

  private enter(phase: SteadyState['phase'], reason: string | undefined): void {
    // `since` says when the trouble began, so it stays through the attempts to end it.
    if ((phase === 'up') !== (this.phase === 'up') || phase === 'closed') this.since = this.now();
    if (phase !== 'suspended') clearTimeout(this.suspendTimer);
    if (phase === 'up') this.refusal = undefined;
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
