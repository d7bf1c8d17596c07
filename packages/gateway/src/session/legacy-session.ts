// One legacy client's MCP session through the gateway: its messages become calls, its backends are its own, nothing of it
// reaches another session. Client requests go down the pipeline; what servers start comes in at ./from-backend.ts.

import {
  type CloseReason,
  errorMessage,
  faultReply,
  hasTwins,
  type ListKind,
  leaving,
  type Message,
  resultMessage,
  stringifyExact,
  type Transport,
  toMessage,
  withId,
  within,
} from '@mcp-overlay/relay';
import { recordNotification } from '../audit/aside.ts';
import { type DroppedNotifications, droppedNotifications } from '../audit/dropped.ts';
import type { Backend } from '../backend/backend.ts';
import type { BackendSession } from '../backend/backend-session.ts';
import type { HealthRecord } from '../backend/health.ts';
import type { Call, Reply } from '../call/call.ts';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import type { Next } from '../call/stage.ts';
import { TWINS } from '../call/twins.ts';
import { pipeline } from '../pipeline.ts';
import { Catalog } from '../routing/catalog.ts';
import { listsOf } from '../routing/fan-out.ts';
import { CallNumbers } from './call-numbers.ts';
import { FromBackend, paramsOf } from './from-backend.ts';
import { type Ground, groundOf } from './ground.ts';
import { welcome } from './handshake.ts';
import { isHarmless } from './harmless.ts';
import { type OpenCall, OpenCalls } from './open-calls.ts';
import { pinnedFor, type SessionPins } from './pinning.ts';
import { withheldQuestion } from './scrubbing.ts';
import type { SessionOriginInfo, SessionSettings } from './settings.ts';

export class LegacySession {
  readonly info: SessionOriginInfo;
  readonly openedAt = Date.now();
  calls = 0;
  private readonly client: Transport;
  private readonly settings: SessionSettings;
  private readonly ground: Ground;
  /** Those of which this client may have anything. */
  private readonly backends: BackendSession[];
  private readonly fromBackend: FromBackend;
  private readonly catalog: Catalog;
  private readonly handle: Next<Call>;
  readonly open = new OpenCalls();
  private readonly dropped: DroppedNotifications;
  private readonly pinned: SessionPins | undefined;
  private readonly unlisten: () => void;
  private initialize: JsonObject | undefined;
  private initialized = false;
  /** Capabilities that the client was told of. */
  private declared: JsonObject | undefined;
  private level: JsonObject | undefined;
  /** Backends that were away when it was set. */
  private readonly levelMissed = new Set<BackendSession>();
  /** Whose greeting was told before they were heard: only lists that were shown without them change when they join. */
  private readonly foretold = new Set<BackendSession>();
  private waitUntil = 0;
  private draining = false;
  private readonly numbers = new CallNumbers();
  private closing: Promise<void> | undefined;
  private resolveClosed: () => void = () => {};
  readonly closed: Promise<void>;

  constructor(client: Transport, info: SessionOriginInfo, settings: SessionSettings) {
    this.client = client;
    this.info = info;
    this.settings = settings;
    const ground = groundOf(client, info, settings);
    this.ground = ground;
    this.pinned = pinnedFor(settings.pins, 'legacy', info.principal, () => ({
      version: this.initialize?.protocolVersion,
      capabilities: this.initialize?.capabilities,
    }));
    this.closed = new Promise((resolve) => {
      this.resolveClosed = resolve;
    });
    const { single, access, uris, tasks, audit } = ground;
    this.dropped = droppedNotifications(audit);
    this.fromBackend = new FromBackend({
      audit,
      single,
      access,
      uris,
      tasks,
      clientCapabilities: () => asObject(this.initialize?.capabilities) ?? {},
      send: (message) => this.send(message),
      listChanged: (backend, kind) => this.catalog.forget(backend.id, kind),
      progressed: (backend, token) => this.open.progressed(backend, token),
    });
    this.backends = ground.openBackends((backend, health) => this.openBackend(backend, health));
    this.catalog = new Catalog({
      ...ground.catalog,
      backends: this.backends,
      pinned: this.pinned,
      late: (kind) => this.fromBackend.announce(kind),
    });
    this.unlisten = settings.pins?.onDecided(() => this.catalog.rejudge()) ?? (() => {});
    this.handle = pipeline({
      ...ground.pipeline,
      backends: this.backends,
      catalog: this.catalog,
      waitForBackends: (kind) => this.waitForBackends(kind),
    });
    client.start({
      message: (message) => this.fromClient(message),
      fault: (fault) => {
        const reply = faultReply(fault);
        if (reply) this.send(reply);
      },
      closed: (reason) => void this.close(reason),
    });
  }

  get openCalls(): number {
    return this.open.size;
  }

  backendStates(): { id: string; phase: string; reason: string | undefined }[] {
    return this.backends.map(({ id, state, asleep }) => {
      return { id, phase: asleep ? 'asleep' : state.phase, reason: state.reason };
    });
  }

  /** Takes no new requests; resolves when no call is open. */
  drain(): Promise<void> {
    this.draining = true;
    return this.open.idle();
  }

  relist(): void {
    this.catalog.relist();
  }

  gain(now: SessionSettings): void {
    if (this.closing) return;
    for (const backend of this.ground.gain(now, (backend, health) => this.openBackend(backend, health))) {
      this.backends.push(backend);
      if (this.initialize) void backend.greet('initialize', this.initialize);
    }
  }

  close(reason?: CloseReason): Promise<void> {
    this.closing ??= this.closeNow(reason);
    return this.closing;
  }

  // --- from the client ----------------------------------------------------------------------------------------------

  private fromClient(message: Message): void {
    if (message.kind === 'response') this.fromBackend.answer(message);
    else if (message.kind === 'notification') this.clientNotification(message);
    else void this.clientRequest(message);
  }

  private async clientRequest(message: Message): Promise<void> {
    const id = message.id ?? 'null';
    if (this.open.has(id)) {
      this.send(errorMessage(id, 'invalid_request', `request id ${id} is already in use`));
      return;
    }
    if (this.draining) {
      this.send(leaving(id, 'the gateway'));
      return;
    }
    const params = paramsOf(message);
    const call = this.open.add(id, message, asObject(params._meta)?.progressToken);
    try {
      const reply = await this.reply(this.numbers.numbered(message), params, call);
      if (!call.abandoned) this.send(replyMessage(id, reply));
    } catch (error) {
      this.settings.log.warn({ method: message.method, error: String(error) }, 'internal error');
      this.send(errorMessage(id, 'internal_error', 'the gateway failed while it handled this request'));
    } finally {
      this.open.delete(id, call);
    }
  }

  private async reply(message: Message, params: JsonObject, open: OpenCall): Promise<Reply> {
    const method = message.method ?? '';
    if (method === 'initialize') return this.handshake(params);
    if (method === 'ping') return { result: {} };
    if (!this.initialize) {
      const known = method !== 'server/discover';
      const text = known ? 'the session begins with initialize' : `Method not found: ${method}`;
      return { error: { code: known ? -32600 : -32601, message: text } };
    }
    this.calls += 1;
    if (method === 'logging/setLevel') this.setLevel(params);
    return this.handle({ method, params, message, cancel: open.cancel, trail: open.trail });
  }

  private setLevel(level: JsonObject): void {
    this.level = level;
    for (const backend of this.backends) if (!backend.up && this.takesLevel(backend)) this.levelMissed.add(backend);
  }

  /** Rules are asked for each server, as the pipeline asks them. */
  private takesLevel(backend: BackendSession): boolean {
    const { access } = this.ground;
    return backend.has('logging') && access.decide(backend.id, 'method', 'logging/setLevel', this.level).allow;
  }

  private async handshake(params: JsonObject): Promise<Reply> {
    // A proxy that puts several clients on one stdio server greets it for each of them: servers answer again, so do we.
    // What the first one declared stays in force.
    if (!this.initialize) {
      this.initialize = params;
      this.waitUntil = Date.now() + this.settings.listWaitMs;
      for (const backend of this.backends) {
        if (backend.mayWait && this.pinned?.tells(backend)) backend.greetLater('initialize', params);
        else void backend.greet('initialize', params);
      }
    }
    await this.waitForBackends();
    for (const backend of this.backends)
      if (this.pinned?.tells(backend) && (backend.asleep || !this.ground.single)) this.foretold.add(backend);
    const result = welcome(params, this.backends, this.settings.own, this.ground.single, this.pinned);
    this.declared = asObject(result.capabilities);
    return { result };
  }

  private clientNotification(message: Message): void {
    const params = paramsOf(message);
    switch (message.method) {
      case 'notifications/initialized':
        this.initialized = true;
        for (const backend of this.backends) if (backend.welcome) this.tellLost(backend);
        for (const backend of this.backends) if (backend.welcome) backend.notify('notifications/initialized', params);
        return;
      case 'notifications/cancelled':
        this.cancelled(this.open.get(stringifyExact(params.requestId ?? null)), asString(params.reason));
        return;
      case 'notifications/progress':
        if (this.fromBackend.clientProgress(params)) return;
        break;
      case 'notifications/tasks/status':
        if (this.fromBackend.clientTaskStatus(params)) return;
    }
    void this.passOn(message, params);
  }

  /** To every server. What is not MCP's own may have effects, as a call has. */
  private async passOn(message: Message, params: JsonObject): Promise<void> {
    const method = message.method ?? '';
    const harmless = isHarmless(method);
    const drop = (code: string, more: { backend?: string; why?: string }): void =>
      harmless ? undefined : this.dropped.note({ method, params, code, ...more });
    if (!harmless && hasTwins(message, params)) return drop('invalid_params', { why: TWINS });
    const passage = harmless ? undefined : this.ground.caller?.enter();
    if (passage && 'refused' in passage) return drop('limited', { why: passage.refused.limit });
    passage?.release();
    for (const backend of this.backends) {
      const { id } = backend;
      if (!backend.welcome) drop('backend_unavailable', { backend: id });
      else if (!this.mayNotify(id, method, params)) drop('rule', { backend: id });
      else {
        const pass = (): void => backend.notify(method, params);
        if (!this.ground.audit || harmless) pass();
        else await recordNotification(this.ground.audit, id, method, params, pass);
      }
    }
  }

  /** A call in the clothes of a notification would pass the rules for calls, and the filter of the backend's tools. */
  private mayNotify(backend: string, method: string, params: JsonObject): boolean {
    if (isHarmless(method)) return true;
    if (!this.ground.access.personal) {
      const { name } = params;
      return method !== 'tools/call' || (typeof name === 'string' && this.ground.access.shows(backend, 'tool', name));
    }
    return method.startsWith('notifications/') && this.ground.access.decide(backend, 'method', method, params).allow;
  }

  private cancelled(call: OpenCall | undefined, reason: string | undefined): void {
    // MCP: initialize cannot be cancelled.
    if (call?.method !== 'initialize') this.open.abandon(call, reason ?? 'the client cancelled');
  }

  // --- backends -----------------------------------------------------------------------------------------------------

  private openBackend(backend: Backend, health: HealthRecord): BackendSession {
    return this.ground.openBackend('legacy', { backend, health }, this.pinned, {
      request: (from, message) => {
        const seen = this.ground.scrub ? this.ground.scrub.message(from.id, message) : message;
        if (seen) this.fromBackend.request(from, seen);
        else from.respond(withheldQuestion(message));
      },
      notification: (from, message) => {
        const seen = this.ground.scrub ? this.ground.scrub.message(from.id, message) : message;
        if (seen) this.fromBackend.notification(from, seen);
      },
      joined: (from) => this.joined(from),
      full: (from) => void this.ground.slow.waitFor(from),
      back: (from) => {
        this.catalog.recheck(from);
        if (this.level && this.levelMissed.delete(from)) void from.ask('logging/setLevel', this.level);
        for (const kind of this.catalog.takeMissed(from.id)) this.fromBackend.listChanged(from, kind);
      },
    });
  }

  private joined(backend: BackendSession): void {
    if (this.initialized) {
      backend.notify('notifications/initialized');
      this.tellLost(backend);
    }
    if (this.level && this.takesLevel(backend)) void backend.ask('logging/setLevel', this.level);
    const missed = this.catalog.takeMissed(backend.id);
    if (Date.now() < this.waitUntil && !this.initialized) return;
    for (const kind of this.foretold.has(backend) ? missed : listsOf(backend)) {
      // What the client was not told of it does not ask for, until it begins anew.
      if (this.declared && this.declared[kind.capability] === undefined) continue;
      if (!this.catalog.isCold(backend.id, kind)) this.fromBackend.listChanged(backend, kind);
    }
  }

  /** A client that had this session before learns what of it is gone, if it takes log messages at all. */
  private tellLost(backend: BackendSession): void {
    const said = this.info.returning === true && this.declared?.logging !== undefined ? backend.memoryLost : undefined;
    if (said) this.send(said);
  }

  private async waitForBackends(kind?: ListKind): Promise<void> {
    const { backends, pinned } = this;
    const { single } = this.ground;
    const told = (backend: BackendSession): boolean =>
      (backend.asleep || !single) && pinned?.tells(backend, kind) === true;
    const unknown = backends.filter((backend) => !told(backend));
    // What is asked for and not known wakes it, and is worth as long a wait as at the beginning.
    const leftMs = unknown.some(({ asleep }) => asleep) ? this.settings.listWaitMs : this.waitUntil - Date.now();
    if (leftMs > 0) await within(leftMs, Promise.all(unknown.map((backend) => backend.ready())));
  }

  private send(message: Message): void {
    if (this.client.send(message)) return;
    for (const backend of this.backends) backend.pause();
    void this.client.drained().then(() => {
      for (const backend of this.backends) backend.resume();
    });
  }

  private async closeNow(reason: CloseReason | undefined): Promise<void> {
    this.fromBackend.close();
    this.dropped.close();
    this.unlisten();
    for (const answer of this.open.end(reason, this.backends)) this.send(answer);
    // Hosts behind us and ledgers keep what they have, unless the session was ended on purpose.
    await Promise.all([this.client.close(reason), ...this.backends.map((backend) => backend.close(reason))]);
    this.resolveClosed();
  }
}

function replyMessage(id: string, reply: Reply): Message {
  if ('answer' in reply) return withId(reply.answer, id);
  if ('result' in reply) return resultMessage(id, reply.result);
  return withId(toMessage({ jsonrpc: '2.0', id: 0, error: reply.error }), id);
}
