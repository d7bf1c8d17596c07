// Subscriptions of modern clients over all backends: one `subscriptions/listen` of a client becomes one at each backend that
// it concerns, under the backend's own URIs and ids; what they tell is told under the client's. A backend that comes back
// is subscribed to again. Order: open -> acknowledged (once, for all) -> events -> the client's cancel, or our end.

import {
  ACKNOWLEDGED,
  endOfListen,
  errorMessage,
  FILTERS,
  LIST_KINDS,
  LISTEN,
  LISTS,
  type ListKind,
  META,
  type Message,
  notificationMessage,
  parseMessage,
  rawId,
  within,
} from '@mcp-overlay/relay';
import { recordQuestion } from '../audit/asks.ts';
import type { CallAudit } from '../audit/calls.ts';
import { questionsOf } from '../audit/questions.ts';
import type { BackendSession } from '../backend/backend-session.ts';
import type { TargetKind } from '../call/call.ts';
import { asArray, asObject, asString, type JsonObject } from '../call/json.ts';
import type { Access } from '../policy/access.ts';
import { tagQuestions } from '../routing/questions.ts';
import { rewriterFor } from '../routing/rewrite.ts';
import type { TaskIds } from '../routing/task-ids.ts';
import type { OwnTasks } from '../routing/task-owners.ts';
import type { UriNaming } from '../routing/uris.ts';
import { paramsOf } from './from-backend.ts';

/** Of one client: each is an open request at every backend. */
const MAX_LISTENS = 64;
/** A subscription that a backend ended is made again after this. */
const AGAIN_MS = 1000;

export interface ModernListensOptions {
  readonly backends: readonly BackendSession[];
  readonly access: Pick<Access, 'personal' | 'reaches' | 'shows' | 'mayAsk'>;
  readonly audit: CallAudit | undefined;
  readonly single: boolean;
  readonly uris: UriNaming;
  readonly tasks: TaskIds;
  readonly ownTasks?: OwnTasks | undefined;
  /** How long the acknowledgement waits for slow backends. */
  readonly patienceMs: number;
  /** Puts it on record before a server sees it; undefined: that cannot be done. The result records how it went. */
  record(params: JsonObject): Promise<((status: 'ok' | 'cancelled') => Promise<boolean>) | undefined>;
  send(message: Message): void;
  listChanged(backend: BackendSession, kind: ListKind): void;
}

const UNRECORDED = 'the gateway cannot write its audit log, and nothing passes unrecorded';
const TARGETS: Readonly<Record<string, TargetKind>> = {
  [LISTS.tools.changed]: 'tool',
  [LISTS.prompts.changed]: 'prompt',
  [LISTS.resources.changed]: 'resource',
};

type Owners = (uri: string) => Promise<readonly string[]>;

/** One client's subscription at one backend. */
interface Part {
  readonly backend: BackendSession;
  readonly filter: JsonObject;
  asked: string | undefined;
  honoured: JsonObject | undefined;
  acknowledged: () => void;
  again: NodeJS.Timeout | undefined;
}

interface Listen {
  readonly id: string;
  readonly wanted: JsonObject;
  readonly meta: JsonObject;
  readonly parts: Part[];
  /** Until it is acknowledged to the client. */
  early: Message[] | undefined;
  over: boolean;
}

export class ModernListens {
  private readonly options: ModernListensOptions;
  private readonly listens = new Map<string, Listen>();

  constructor(options: ModernListensOptions) {
    this.options = options;
  }

  has(id: string): boolean {
    return this.listens.has(id);
  }

  async open(id: string, params: JsonObject, owners: Owners): Promise<void> {
    const { send, record, patienceMs, backends } = this.options;
    if (this.listens.size >= MAX_LISTENS) {
      send(errorMessage(id, 'busy', `more than ${MAX_LISTENS} subscriptions of one client`));
      return;
    }
    const wanted = asObject(params.notifications) ?? {};
    const listen: Listen = { id, wanted, meta: asObject(params._meta) ?? {}, parts: [], early: [], over: false };
    this.listens.set(id, listen);
    const recorded = await record(params);
    if (!recorded) {
      this.end(listen, 'it cannot be recorded');
      send(errorMessage(id, 'audit_unavailable', UNRECORDED, { ran: false }));
      return;
    }
    await within(patienceMs, Promise.all(backends.map(({ settled }) => settled)));
    const filters = await this.split(wanted, owners);
    if (listen.over) {
      void recorded('cancelled');
      return;
    }
    const acks = backends.map((backend) => this.add(listen, backend, filters.get(backend.id) ?? {}));
    await within(patienceMs, Promise.all(acks));
    const { early } = listen;
    if (!(await recorded(listen.over ? 'cancelled' : 'ok'))) {
      this.end(listen, 'it cannot be recorded');
      send(errorMessage(id, 'audit_unavailable', UNRECORDED, { ran: true }));
      return;
    }
    if (listen.over || !early) return;
    listen.early = undefined;
    send(this.tagged(listen, ACKNOWLEDGED, { notifications: this.honoured(listen) }));
    for (const message of early) send(message);
  }

  /** Whether it belongs to a subscription. */
  notification(backend: BackendSession, message: Message): boolean {
    if (!message.bytes.includes(META.subscription)) return false;
    const params = paramsOf(message);
    const asked = String(asObject(params._meta)?.[META.subscription]);
    for (const listen of this.listens.values()) {
      const part = listen.parts.find((one) => one.backend === backend && one.asked === asked);
      if (!part) continue;
      if (message.method === ACKNOWLEDGED) this.acknowledge(listen, part, asObject(params.notifications) ?? {});
      else this.event(listen, part, message.method ?? '', params);
      break;
    }
    return true;
  }

  /** A list changed for a reason of ours: a backend came, or was slow. */
  announce(kind: ListKind): void {
    for (const listen of this.listens.values()) {
      if (listen.wanted[FILTERS[kind.changed] ?? ''] === true) this.tell(listen, kind.changed, {});
    }
  }

  /** A backend that was away when a subscription was opened. */
  joined(backend: BackendSession): void {
    for (const listen of this.listens.values()) {
      const part = listen.parts.find((one) => one.backend === backend);
      if (part && part.asked === undefined) void this.ask(listen, part);
      // It came into the configuration after the subscription was made.
      if (!part && listen.parts.length > 0) void this.add(listen, backend, this.lists(listen, backend.id));
    }
  }

  /** Whether there was one. */
  cancel(id: string): boolean {
    const listen = this.listens.get(id);
    if (!listen) return false;
    this.end(listen, 'the client cancelled');
    return true;
  }

  /** Says the end to every client that still listens. */
  close(): void {
    for (const listen of [...this.listens.values()]) {
      this.options.send(endOfListen(listen.id));
      this.end(listen, 'the session ended');
    }
  }

  private end(listen: Listen, reason: string): void {
    listen.over = true;
    this.listens.delete(listen.id);
    for (const { backend, asked, again } of listen.parts) {
      clearTimeout(again);
      if (asked !== undefined) backend.cancel(asked, reason);
    }
  }

  // --- at the backends ----------------------------------------------------------------------------------------------

  /** The part of a filter that concerns each backend, in its own words. */
  private async split(wanted: JsonObject, owners: Owners): Promise<ReadonlyMap<string, JsonObject>> {
    const { backends, single, uris, tasks } = this.options;
    const [only] = backends;
    if (single && only) return new Map([[only.id, this.permitted(only.id, this.onlyOwn(only.id, wanted))]]);
    const filters = new Map(backends.map(({ id }) => [id, {} as Record<string, unknown>]));
    for (const { id, welcome } of backends) {
      for (const [changed, member] of Object.entries(FILTERS)) {
        const declared = asObject(asObject(welcome?.capabilities)?.[changed.split('/')[1] ?? '']);
        // One that is not there yet is asked for everything.
        if (wanted[member] === true && this.mayHear(id, changed) && (!welcome || declared?.listChanged === true))
          filter(filters, id)[member] = true;
      }
    }
    for (const uri of strings(wanted.resourceSubscriptions)) {
      const owned = uris.toNative(uri) ?? (await this.owner(uri, owners));
      if (owned && this.options.access.shows(owned.backend, 'resource', owned.uri)) {
        push(filter(filters, owned.backend), 'resourceSubscriptions', owned.uri);
      }
    }
    for (const taskId of strings(wanted.taskIds)) {
      const owned = tasks.toNative(taskId);
      if (owned && this.mayFollow(owned.backend, owned.taskId)) {
        push(filter(filters, owned.backend), 'taskIds', owned.taskId);
      }
    }
    return filters;
  }

  private lists({ wanted }: Listen, backend: string): JsonObject {
    const members = Object.entries(FILTERS).filter(
      ([changed, member]) => wanted[member] === true && this.mayHear(backend, changed),
    );
    return Object.fromEntries(members.map(([, member]) => [member, true]));
  }

  /** What this client may not have is not subscribed to. */
  private permitted(backend: string, wanted: JsonObject): JsonObject {
    const { access } = this.options;
    if (!access.personal) return wanted;
    const kept: Record<string, unknown> = { ...wanted };
    for (const [changed, member] of Object.entries(FILTERS)) if (!this.mayHear(backend, changed)) delete kept[member];
    const uris = strings(wanted.resourceSubscriptions).filter((uri) => access.shows(backend, 'resource', uri));
    if (wanted.resourceSubscriptions !== undefined) kept.resourceSubscriptions = uris;
    if (wanted.taskIds !== undefined && !access.shows(backend, 'task', 'tasks/get')) delete kept.taskIds;
    return kept;
  }

  private mayFollow(backend: string, taskId: string): boolean {
    const { access, ownTasks } = this.options;
    return access.shows(backend, 'task', 'tasks/get') && (ownTasks?.mine(backend, taskId) ?? true);
  }

  private onlyOwn(backend: string, wanted: JsonObject): JsonObject {
    const { ownTasks } = this.options;
    if (!ownTasks || wanted.taskIds === undefined) return wanted;
    return { ...wanted, taskIds: strings(wanted.taskIds).filter((taskId) => ownTasks.mine(backend, taskId)) };
  }

  private mayHear(backend: string, changed: string): boolean {
    const kind = TARGETS[changed];
    return kind === undefined || this.options.access.reaches(backend, kind);
  }

  private async owner(uri: string, owners: Owners): Promise<{ backend: string; uri: string } | undefined> {
    const [backend, other] = await owners(uri);
    return backend === undefined || other !== undefined ? undefined : { backend, uri };
  }

  /** Resolves when the backend has agreed, or will not. */
  private add(listen: Listen, backend: BackendSession, filter: JsonObject): Promise<void> {
    const acknowledged = new Promise<void>((resolve) => {
      const part: Part = {
        backend,
        filter,
        asked: undefined,
        honoured: undefined,
        acknowledged: resolve,
        again: undefined,
      };
      listen.parts.push(part);
      if (Object.keys(filter).length === 0) resolve();
      else if (backend.welcome) void this.ask(listen, part);
    });
    return acknowledged;
  }

  private async ask(listen: Listen, part: Part): Promise<void> {
    if (listen.over || Object.keys(part.filter).length === 0) return;
    const { id, answer } = part.backend.ask(LISTEN, { notifications: part.filter, _meta: listen.meta });
    part.asked = id;
    const said = await answer;
    part.asked = undefined;
    part.acknowledged();
    if (listen.over || isRefused(said)) return;
    part.again = setTimeout(() => void this.ask(listen, part), AGAIN_MS);
  }

  /** The second time, it stands again: what changed in between nobody told. */
  private acknowledge(listen: Listen, part: Part, honoured: JsonObject): void {
    const again = part.honoured !== undefined;
    part.honoured = honoured;
    part.acknowledged();
    if (!again) return;
    for (const [changed, member] of Object.entries(FILTERS)) {
      if (honoured[member] === true) this.event(listen, part, changed, {});
    }
  }

  // --- to the client ------------------------------------------------------------------------------------------------

  /** What the client is promised: what a backend agreed to, and of lists what the gateway tells by itself. */
  private honoured(listen: Listen): JsonObject {
    const { single, uris, tasks } = this.options;
    const [only] = listen.parts;
    if (single) return only?.honoured ?? {};
    const honoured: Record<string, unknown> = {};
    for (const member of Object.values(FILTERS)) if (listen.wanted[member] === true) honoured[member] = true;
    for (const { backend, honoured: theirs = {} } of listen.parts) {
      for (const uri of strings(theirs.resourceSubscriptions)) {
        push(honoured, 'resourceSubscriptions', publicUri(listen, uris.toPublic(backend.id, uri), uri));
      }
      for (const taskId of strings(theirs.taskIds)) {
        push(honoured, 'taskIds', asString(tasks.publish(backend.id, { taskId }).taskId) ?? taskId);
      }
    }
    return honoured;
  }

  private event(listen: Listen, { backend }: Part, method: string, params: JsonObject): void {
    const { access, listChanged } = this.options;
    const named = asString(params.uri);
    if (!this.mayHear(backend.id, method) || (named !== undefined && !access.shows(backend.id, 'resource', named)))
      return;
    for (const kind of LIST_KINDS) if (kind.changed === method) listChanged(backend, kind);
    if (params.inputRequests !== undefined) void this.asks(listen, backend, method, params);
    else this.pass(listen, backend, method, params);
  }

  /** News of a task that asks: on record before it is told; what a rule denies is not. */
  private async asks(listen: Listen, backend: BackendSession, method: string, params: JsonObject): Promise<void> {
    const { audit, access } = this.options;
    const asked = questionsOf(params).map((one) => ({ ...one, denied: !access.mayAsk(backend.id, one.method) }));
    let pass = true;
    for (const { method, params, denied } of asked) {
      const recorded = !audit || (await recordQuestion(audit, { backend: backend.id, method, params, denied }));
      pass = pass && recorded && !denied;
    }
    if (pass && !listen.over) this.pass(listen, backend, method, params);
  }

  private pass(listen: Listen, backend: BackendSession, method: string, params: JsonObject): void {
    const { single, uris, tasks } = this.options;
    if (single) {
      this.tell(listen, method, params);
      return;
    }
    if (method === 'notifications/cancelled') return;
    const named = asString(params.uri);
    const renamed =
      named === undefined ? params : { ...params, uri: publicUri(listen, uris.toPublic(backend.id, named), named) };
    const shown = tagQuestions(backend.id, rewriterFor(uris, backend.id).result(renamed));
    this.tell(listen, method, tasks.publish(backend.id, shown));
  }

  private tell(listen: Listen, method: string, params: JsonObject): void {
    const message = this.tagged(listen, method, params);
    if (listen.early) listen.early.push(message);
    else this.options.send(message);
  }

  private tagged(listen: Listen, method: string, params: JsonObject): Message {
    const _meta = { ...asObject(params._meta), [META.subscription]: rawId(listen.id) };
    return notificationMessage(method, { ...params, _meta });
  }
}

/** A client that asked for a bare URI is told of that. */
function publicUri(listen: Listen, shown: string, native: string): string {
  const asked = strings(listen.wanted.resourceSubscriptions);
  return !asked.includes(shown) && asked.includes(native) ? native : shown;
}

function filter(filters: Map<string, Record<string, unknown>>, backend: string): Record<string, unknown> {
  return filters.get(backend) ?? {};
}

function push(target: Record<string, unknown>, key: string, value: string): void {
  target[key] = [...(asArray(target[key]) ?? []), value];
}

function strings(value: unknown): readonly string[] {
  return (asArray(value) ?? []).filter((item) => typeof item === 'string');
}

function isRefused(answer: Message): boolean {
  const error = asObject((parseMessage(answer) as { error?: unknown }).error);
  // Of ours: the backend is away, and comes back.
  return error !== undefined && asString(asObject(error.data)?.error) === undefined;
}
