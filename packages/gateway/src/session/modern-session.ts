// The modern requests of one client through the gateway: each stands alone, tells who asks and what it can do, and becomes a
// call. Backends are greeted with what the first request tells; lists and names are kept for each set of capabilities,
// because servers of the legacy era list by them. Subscriptions: ./modern-listens.ts.

import {
  type CloseReason,
  canonical,
  envelopeOf,
  errorMessage,
  faultReply,
  LEGACY_ONLY,
  LISTEN,
  type ListKind,
  leaving,
  META,
  type Message,
  asObject as objectIn,
  refuseEnvelope,
  resultMessage,
  stringifyExact,
  type Transport,
  toMessage,
  withId,
  within,
} from '@mcp-overlay/relay';
import { recordListen, recordRefusal } from '../audit/aside.ts';
import { type DroppedNotifications, droppedNotifications } from '../audit/dropped.ts';
import type { Backend } from '../backend/backend.ts';
import { type BackendSession, refusal } from '../backend/backend-session.ts';
import type { HealthRecord } from '../backend/health.ts';
import { type Call, newTrail, type Reply, type RpcError } from '../call/call.ts';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import { limited, type Refusal } from '../call/limited.ts';
import type { Next } from '../call/stage.ts';
import { pipeline } from '../pipeline.ts';
import { Catalog } from '../routing/catalog.ts';
import { listsOf } from '../routing/fan-out.ts';
import type { OwnTasks } from '../routing/task-owners.ts';
import { CallNumbers } from './call-numbers.ts';
import { discovered } from './discover.ts';
import { paramsOf } from './from-backend.ts';
import { type Ground, groundOf } from './ground.ts';
import { isHarmless } from './harmless.ts';
import { ModernListens } from './modern-listens.ts';
import { type OpenCall, OpenCalls } from './open-calls.ts';
import { pinnedFor, type SessionPins } from './pinning.ts';
import type { EraSession } from './session.ts';
import type { SessionOriginInfo, SessionSettings } from './settings.ts';

/** Sets of capabilities that one client asks with; the oldest is forgotten and made anew when it comes back. */
const MAX_VIEWS = 16;
/** Up to 2025-11-25; a modern server must not send it. */
const LEGACY_NOT_FOUND = -32002;

/** What clients with the same capabilities see. */
interface View {
  readonly catalog: Catalog;
  readonly handle: Next<Call>;
}

export class ModernSession implements EraSession {
  calls = 0;
  readonly closed: Promise<void>;
  private readonly client: Transport;
  private readonly info: SessionOriginInfo;
  private readonly settings: SessionSettings;
  private readonly ground: Ground;
  /** Those of which this client may have anything. */
  private readonly backends: BackendSession[];
  private readonly ownTasks: OwnTasks | undefined;
  private readonly listens: ModernListens;
  private readonly views = new Map<string, View>();
  readonly open = new OpenCalls();
  private readonly dropped: DroppedNotifications;
  /** Those that asked for log lines. */
  private readonly logging = new Set<OpenCall>();
  private readonly pinned: SessionPins | undefined;
  /** Those that it did not begin with. */
  private readonly gained = new Set<BackendSession>();
  private readonly unlisten: () => void;
  /** What the first request told. */
  private first: JsonObject = {};
  /** Of all views together. */
  private readonly gauge = { open: 0 };
  private waitUntil: number | undefined;
  private readonly numbers = new CallNumbers();
  private draining = false;
  private closing: Promise<void> | undefined;
  private resolveClosed: () => void = () => {};

  constructor(client: Transport, info: SessionOriginInfo, settings: SessionSettings) {
    this.client = client;
    this.info = info;
    this.settings = settings;
    const ground = groundOf(client, info, settings);
    this.ground = ground;
    this.pinned = this.pinnedFor(() => this.first);
    this.unlisten =
      settings.pins?.onDecided(() => {
        for (const { catalog } of this.views.values()) catalog.rejudge();
      }) ?? (() => {});
    this.closed = new Promise((resolve) => {
      this.resolveClosed = resolve;
    });
    const { single, access, uris, tasks, audit } = ground;
    this.dropped = droppedNotifications(audit);
    this.backends = ground.openBackends((backend, health) => this.openBackend(backend, health));
    this.ownTasks = settings.taskOwners?.of(info.principal.id);
    this.listens = new ModernListens({
      ownTasks: this.ownTasks,
      audit,
      backends: this.backends,
      access,
      single,
      uris,
      tasks,
      patienceMs: settings.listWaitMs,
      record: async (params) => (audit ? recordListen(audit, LISTEN, params) : async () => true),
      send: (message) => this.send(message),
      listChanged: (backend, kind) => this.forget(backend.id, kind),
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

  backendStates() {
    return this.backends.map(({ id, state }) => ({ id, phase: state.phase, reason: state.reason }));
  }

  drain(): Promise<void> {
    this.draining = true;
    return this.open.idle();
  }

  relist(): void {
    for (const { catalog } of this.views.values()) catalog.relist();
  }

  gain(now: SessionSettings): void {
    if (this.closing) return;
    for (const backend of this.ground.gain(now, (backend, health) => this.openBackend(backend, health))) {
      this.backends.push(backend);
      this.gained.add(backend);
      if (this.waitUntil !== undefined) void backend.greet('server/discover', { _meta: this.first });
    }
  }

  close(reason?: CloseReason): Promise<void> {
    this.closing ??= this.closeNow(reason);
    return this.closing;
  }

  // --- from the client ----------------------------------------------------------------------------------------------

  private fromClient(message: Message): void {
    if (message.kind === 'request') void this.request(message);
    else if (message.method === 'notifications/cancelled') this.cancelled(paramsOf(message));
    else if (message.kind === 'notification') this.drop(message);
  }

  /** This era knows no other of clients. */
  private drop(message: Message): void {
    const { method = '' } = message;
    if (!isHarmless(method)) this.dropped.note({ method, params: paramsOf(message), code: 'method_not_found' });
  }

  private async request(message: Message): Promise<void> {
    const { id = 'null', method = '' } = message;
    const params = paramsOf(message);
    const wrong = this.refuses(id, method, params);
    if (wrong) {
      this.send(wrong);
      return;
    }
    this.greet(params);
    if (method === LISTEN) {
      const passage = this.ground.caller?.enter();
      if (passage && 'refused' in passage) {
        await this.refuseListen(id, params, passage.refused);
        return;
      }
      // It counts as a request, and is not held against calls that are open.
      passage?.release();
      const view = this.viewFor(params);
      void this.listens.open(id, params, (uri) => view.catalog.owners(uri));
      return;
    }
    const meta = asObject(params._meta);
    const call = this.open.add(id, message, meta?.progressToken);
    if (meta?.[META.logLevel] !== undefined) this.logging.add(call);
    try {
      const reply = await this.reply(this.numbers.numbered(message), params, call);
      if (!call.abandoned) this.send(replyMessage(id, reply));
    } catch (error) {
      this.settings.log.warn({ method, error: String(error) }, 'internal error');
      this.send(errorMessage(id, 'internal_error', 'the gateway failed while it handled this request'));
    } finally {
      this.logging.delete(call);
      this.open.delete(id, call);
    }
  }

  private refuses(id: string, method: string, params: JsonObject): Message | undefined {
    const error = (value: RpcError): Message => replyMessage(id, { error: value });
    if (this.open.has(id) || this.listens.has(id)) {
      return errorMessage(id, 'invalid_request', `request id ${id} is already in use`);
    }
    const envelope = refuseEnvelope(params);
    if (envelope) return error(envelope);
    if (LEGACY_ONLY.has(method)) return error({ code: -32601, message: `Method not found: ${method}` });
    if (!this.draining) return undefined;
    return leaving(id, 'the gateway');
  }

  private async reply(message: Message, params: JsonObject, open: OpenCall): Promise<Reply> {
    const { method = '' } = message;
    if (method === 'server/discover') {
      await this.waitForBackends();
      const [only] = this.backends;
      // A single backend that is not there yet has nothing to tell, and nobody else has.
      if (this.ground.single && only && !only.welcome) await only.settled;
      return {
        result: discovered(
          this.backends,
          this.settings.own,
          this.ground.single,
          this.ground.access.personal,
          this.pinned,
        ),
      };
    }
    this.calls += 1;
    return this.viewFor(params).handle({ method, params, message, cancel: open.cancel, trail: open.trail });
  }

  private async refuseListen(id: string, params: JsonObject, refused: Refusal): Promise<void> {
    if (this.ground.audit) await recordRefusal(this.ground.audit, LISTEN, params, refused.limit);
    this.send(replyMessage(id, limited(newTrail(), refused)));
  }

  private cancelled(params: JsonObject): void {
    const id = stringifyExact(params.requestId ?? null);
    if (this.listens.cancel(id)) return;
    this.open.abandon(this.open.get(id), asString(params.reason) ?? 'the client cancelled');
  }

  // --- what is seen -------------------------------------------------------------------------------------------------

  private viewFor(params: JsonObject): View {
    const key = canonical(envelopeOf(params).capabilities);
    const known = this.views.get(key);
    if (known) return known;
    const view = this.makeView(envelopeMeta(params));
    this.views.set(key, view);
    const [oldest] = this.views.keys();
    if (this.views.size > MAX_VIEWS && oldest !== undefined) this.views.delete(oldest);
    return view;
  }

  private makeView(envelope: JsonObject): View {
    const { settings, backends, ground } = this;
    const pinned = this.pinnedFor(() => envelope);
    const catalog = new Catalog({
      ...ground.catalog,
      backends,
      pinned,
      envelope,
      late: (kind) => this.listens.announce(kind),
    });
    const handle = pipeline({
      ...ground.pipeline,
      era: 'modern',
      backends,
      catalog,
      // A single server's answers pass as they are, where nobody is told apart.
      states:
        settings.stateSeal && (ground.access.personal || !ground.single)
          ? { seal: settings.stateSeal, principal: this.info.principal.id }
          : undefined,
      ownTasks: this.ownTasks,
      sessionGauge: this.gauge,
      waitForBackends: (kind) => this.waitForBackends(kind, pinned),
    });
    return { catalog, handle };
  }

  private pinnedFor(envelope: () => JsonObject): SessionPins | undefined {
    return pinnedFor(this.settings.pins, 'modern', this.info.principal, () => ({
      version: envelope()[META.version],
      capabilities: envelope()[META.clientCapabilities],
    }));
  }

  private forget(backend: string, kind: ListKind): void {
    for (const { catalog } of this.views.values()) catalog.forget(backend, kind);
  }

  // --- backends -----------------------------------------------------------------------------------------------------

  private openBackend(backend: Backend, health: HealthRecord): BackendSession {
    return this.ground.openBackend('modern', { backend, health }, this.pinned, {
      request: (from, message) => from.respond(refusal(message.id ?? 'null', 'servers of this revision do not ask')),
      notification: (from, message) => {
        const seen = this.ground.scrub ? this.ground.scrub.message(from.id, message) : message;
        if (seen) this.fromBackend(from, seen);
      },
      joined: (from) => this.joined(from),
      full: (from) => void this.ground.slow.waitFor(from),
      back: (from) => {
        for (const { catalog } of this.views.values()) {
          catalog.recheck(from);
          for (const kind of catalog.takeMissed(from.id)) this.changed(from, kind);
        }
      },
    });
  }

  private greet(params: JsonObject): void {
    if (this.waitUntil !== undefined) return;
    this.waitUntil = Date.now() + this.settings.listWaitMs;
    this.first = envelopeMeta(params);
    for (const backend of this.backends) void backend.greet('server/discover', { _meta: envelopeMeta(params) });
  }

  private joined(backend: BackendSession): void {
    this.listens.joined(backend);
    // Lists wait for it, unless they were there before it.
    if (Date.now() < (this.waitUntil ?? 0) && !this.gained.has(backend)) return;
    for (const kind of listsOf(backend)) {
      const cold = [...this.views.values()].some(({ catalog }) => catalog.isCold(backend.id, kind));
      if (!cold) this.changed(backend, kind);
    }
  }

  private changed(backend: BackendSession, kind: ListKind): void {
    this.forget(backend.id, kind);
    this.listens.announce(kind);
  }

  private async waitForBackends(kind?: ListKind, pinned = this.pinned): Promise<void> {
    const leftMs = (this.waitUntil ?? 0) - Date.now();
    if (leftMs <= 0) return;
    const unknown = this.ground.single
      ? this.backends
      : this.backends.filter((backend) => !pinned?.tells(backend, kind));
    await within(leftMs, Promise.all(unknown.map((backend) => backend.settled)));
  }

  private fromBackend(backend: BackendSession, message: Message): void {
    if (this.listens.notification(backend, message)) return;
    if (message.method === 'notifications/progress') {
      if (this.open.progressed(backend, paramsOf(message).progressToken)) this.send(message);
    } else if (message.method === 'notifications/message') {
      const asked = [...this.logging].some(({ trail }) => trail.backend === backend.id);
      if (asked) this.send(message);
    } else if (this.ground.single && message.method !== 'notifications/cancelled') {
      this.send(message);
    }
  }

  private send(message: Message): void {
    if (this.client.send(message)) return;
    for (const backend of this.backends) backend.pause();
    void this.client.drained().then(() => {
      for (const backend of this.backends) backend.resume();
    });
  }

  private async closeNow(reason: CloseReason | undefined): Promise<void> {
    for (const answer of this.open.end(reason, this.backends)) this.send(answer);
    this.listens.close();
    this.dropped.close();
    this.unlisten();
    // Hosts behind us and ledgers keep what they have, unless the session was ended on purpose.
    await Promise.all([this.client.close(reason), ...this.backends.map((backend) => backend.close(reason))]);
    this.resolveClosed();
  }
}

/** Who asks and what it can do, for requests of ours on its behalf. */
function envelopeMeta(params: JsonObject): JsonObject {
  const meta = objectIn(params._meta) ?? {};
  return Object.fromEntries(
    [META.version, META.clientInfo, META.clientCapabilities].flatMap((key) =>
      meta[key] === undefined ? [] : [[key, meta[key]]],
    ),
  );
}

function replyMessage(id: string, reply: Reply): Message {
  if ('answer' in reply) return withId(reply.answer, id);
  if ('result' in reply) return resultMessage(id, { resultType: 'complete', ...reply.result });
  const { error } = reply;
  const said = error.code === LEGACY_NOT_FOUND ? { ...error, code: -32602 } : error;
  return withId(toMessage({ jsonrpc: '2.0', id: 0, error: said }), id);
}
