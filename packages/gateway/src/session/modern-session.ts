// The modern requests of one client through the gateway: each stands alone, tells who asks and what it can do, and becomes a
// call. Backends are greeted with what the first request tells; lists and names are kept for each set of capabilities,
// because servers of the legacy era list by them. Subscriptions: ./modern-listens.ts.

import {
  type CloseReason,
  canonical,
  envelopeOf,
  errorMessage,
  faultReply,
  isRepeatable,
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
import type { CallAudit } from '../audit/calls.ts';
import type { Backend } from '../backend/backend.ts';
import { BackendSession, refusal } from '../backend/backend-session.ts';
import type { HealthRecord } from '../backend/health.ts';
import { type Call, newTrail, type Reply, type RpcError } from '../call/call.ts';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import { limited, type Refusal } from '../call/limited.ts';
import type { Next } from '../call/stage.ts';
import { pipeline } from '../pipeline.ts';
import type { Access } from '../policy/access.ts';
import type { CallerLimits } from '../policy/allowances.ts';
import { Catalog } from '../routing/catalog.ts';
import { listsOf } from '../routing/fan-out.ts';
import { prefixedTaskIds, singleTaskIds, type TaskIds } from '../routing/task-ids.ts';
import { prefixedUris, UNCHANGED, type UriNaming } from '../routing/uris.ts';
import type { SessionScrub } from '../scrub/session-scrub.ts';
import { discovered } from './discover.ts';
import { paramsOf } from './from-backend.ts';
import { ModernListens } from './modern-listens.ts';
import { type OpenCall, OpenCalls } from './open-calls.ts';
import { pinnedFor, type SessionPins } from './pinning.ts';
import { scrubFor } from './scrubbing.ts';
import type { EraSession } from './session.ts';
import { callAudit, type SessionOriginInfo, type SessionSettings } from './settings.ts';
import { SlowBackends } from './slow-backends.ts';

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
  private readonly access: Access;
  private readonly caller: CallerLimits | undefined;
  /** Those of which this client may have anything. */
  private readonly backends: readonly BackendSession[];
  private readonly uris: UriNaming;
  private readonly tasks: TaskIds;
  private readonly single: boolean;
  private readonly listens: ModernListens;
  private readonly views = new Map<string, View>();
  private readonly open = new OpenCalls();
  private readonly audit: CallAudit | undefined;
  /** Those that asked for log lines. */
  private readonly logging = new Set<OpenCall>();
  private readonly slow: SlowBackends;
  private readonly scrub: SessionScrub | undefined;
  private readonly pinned: SessionPins | undefined;
  private readonly unlisten: () => void;
  /** What the first request told. */
  private first: JsonObject = {};
  /** Of all views together. */
  private readonly gauge = { open: 0 };
  private waitUntil: number | undefined;
  private numbers = 0;
  private draining = false;
  private closing: Promise<void> | undefined;
  private resolveClosed: () => void = () => {};

  constructor(client: Transport, info: SessionOriginInfo, settings: SessionSettings) {
    this.client = client;
    this.info = info;
    this.settings = settings;
    this.scrub = scrubFor(settings, info);
    this.pinned = this.pinnedFor(() => this.first);
    this.unlisten =
      settings.pins?.onDecided(() => {
        for (const { catalog } of this.views.values()) catalog.rejudge();
      }) ?? (() => {});
    this.slow = new SlowBackends(client, (backend) =>
      settings.log.warn({ session: info.number, backend }, 'backend does not read'),
    );
    this.closed = new Promise((resolve) => {
      this.resolveClosed = resolve;
    });
    const { backends } = settings;
    this.audit = callAudit(settings, info);
    const [only] = backends;
    this.single = backends.length === 1 && only !== undefined;
    this.uris = this.single ? UNCHANGED : prefixedUris(backends.map(({ backend }) => backend.id));
    this.tasks = this.single && only ? singleTaskIds(only.backend.id) : prefixedTaskIds();
    this.access = settings.accessFor(info.principal, info.number);
    this.caller = settings.limitsFor?.(info.principal);
    this.backends = backends
      .filter(({ backend }) => this.access.reaches(backend.id))
      .map(({ backend, health }) => this.openBackend(backend, health));
    this.listens = new ModernListens({
      audit: this.audit,
      backends: this.backends,
      access: this.access,
      single: this.single,
      uris: this.uris,
      tasks: this.tasks,
      patienceMs: settings.listWaitMs,
      record: async (params) => (this.audit ? recordListen(this.audit, LISTEN, params) : async () => true),
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

  close(reason?: CloseReason): Promise<void> {
    this.closing ??= this.closeNow(reason);
    return this.closing;
  }

  // --- from the client ----------------------------------------------------------------------------------------------

  private fromClient(message: Message): void {
    if (message.kind === 'request') void this.request(message);
    else if (message.method === 'notifications/cancelled') this.cancelled(paramsOf(message));
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
      const passage = this.caller?.enter();
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
    const call = this.open.add(id, method, meta?.progressToken);
    if (meta?.[META.logLevel] !== undefined) this.logging.add(call);
    try {
      const reply = await this.reply(this.numbered(message), params, call);
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
      if (this.single && only && !only.welcome) await only.settled;
      return { result: discovered(this.backends, this.settings.own, this.single, this.access.personal, this.pinned) };
    }
    this.calls += 1;
    return this.viewFor(params).handle({ method, params, message, cancel: open.cancel, trail: open.trail });
  }

  private async refuseListen(id: string, params: JsonObject, refused: Refusal): Promise<void> {
    if (this.audit) await recordRefusal(this.audit, LISTEN, params, refused.limit);
    this.send(replyMessage(id, limited(newTrail(), refused)));
  }

  private numbered(request: Message): Message {
    if (request.call !== undefined || isRepeatable(request.method ?? '')) return request;
    this.numbers += 1;
    return { ...request, call: this.numbers };
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
    const { settings, backends, uris, tasks, access } = this;
    const { naming, limits } = settings;
    const pinned = this.pinnedFor(() => envelope);
    const catalog = new Catalog({
      backends,
      naming,
      uris,
      access,
      limits,
      pinned,
      look: this.scrub,
      envelope,
      listed: (id, { member }, why) => {
        if (why !== undefined) settings.log.warn({ backend: id, list: member, why }, 'list incomplete');
        settings.backends.find(({ backend }) => backend.id === id)?.health.listed(member, why);
      },
      hid: (backend, { member }, why) => settings.log.warn({ backend, list: member, why }, 'list incomplete'),
      patienceMs: settings.listWaitMs,
      pageMs: settings.callTimeoutMs,
      late: (kind) => this.listens.announce(kind),
    });
    const handle = pipeline({
      audit: this.audit,
      // A single server's answers pass as they are, where nobody is told apart.
      states:
        settings.stateSeal && (access.personal || !this.single)
          ? { seal: settings.stateSeal, principal: this.info.principal.id }
          : undefined,
      era: 'modern',
      backends,
      catalog,
      naming,
      uris,
      tasks,
      access,
      caller: this.caller,
      scrub: this.scrub,
      unchanged: this.single,
      gauge: settings.gauge,
      sessionGauge: this.gauge,
      limits,
      callTimeoutMs: settings.callTimeoutMs,
      patienceMs: settings.listWaitMs,
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
    const { settings, info } = this;
    return new BackendSession({
      backend,
      health,
      seen: (greeting, from) => {
        const pinned = this.pinned?.greeted(from, greeting) ?? greeting;
        return this.scrub?.welcome(backend.id, pinned) ?? pinned;
      },
      origin: {
        session: info.handOn,
        via: info.via,
        era: 'modern',
        principal: info.principal.id,
        caller: info.principal,
      },
      connectTimeoutMs: backend.config.connectTimeoutMs ?? settings.connectTimeoutMs,
      log: settings.log,
      events: {
        request: (from, message) => from.respond(refusal(message.id ?? 'null', 'servers of this revision do not ask')),
        notification: (from, message) => {
          const seen = this.scrub ? this.scrub.message(from.id, message) : message;
          if (seen) this.fromBackend(from, seen);
        },
        joined: (from) => this.joined(from),
        full: (from) => void this.slow.waitFor(from),
        back: (from) => {
          for (const { catalog } of this.views.values()) {
            catalog.recheck(from);
            for (const kind of catalog.takeMissed(from.id)) this.changed(from, kind);
          }
        },
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
    if (Date.now() < (this.waitUntil ?? 0)) return;
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
    const unknown = this.single ? this.backends : this.backends.filter((backend) => !pinned?.tells(backend, kind));
    await within(leftMs, Promise.all(unknown.map((backend) => backend.settled)));
  }

  private fromBackend(backend: BackendSession, message: Message): void {
    if (this.listens.notification(backend, message)) return;
    if (message.method === 'notifications/progress') {
      if (this.open.progressed(backend, paramsOf(message).progressToken)) this.send(message);
    } else if (message.method === 'notifications/message') {
      const asked = [...this.logging].some(({ trail }) => trail.backend === backend.id);
      if (asked) this.send(message);
    } else if (this.single && message.method !== 'notifications/cancelled') {
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
    if (reason?.code === 'away') for (const answer of this.open.unknown(reason.reason)) this.send(answer);
    this.listens.close();
    this.unlisten();
    for (const call of this.open.values()) this.open.abandon(call, 'the session ended');
    await Promise.all([this.client.close(reason), ...this.backends.map((backend) => backend.close())]);
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
