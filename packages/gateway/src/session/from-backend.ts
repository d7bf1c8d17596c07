// What servers start by themselves enters a session here: requests to the client under ids of the session's own, and
// notifications. One request belongs to one backend; its answer goes there and nowhere else.

import {
  CLIENT_CAPABILITY,
  errorMessage,
  LIST_KINDS,
  type ListKind,
  type Message,
  notificationMessage,
  parseMessage,
  requestMessage,
  resultMessage,
  stringifyExact,
  withId,
} from '@mcp-overlay/relay';
import { type Ask, type RecordedAsk, recordAsk, recordQuestion } from '../audit/asks.ts';
import type { CallAudit } from '../audit/calls.ts';
import type { BackendSession } from '../backend/backend-session.ts';
import type { TargetKind } from '../call/call.ts';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import type { Access } from '../policy/access.ts';
import { BACKEND_META } from '../routing/questions.ts';
import { RELATED, type TaskIds } from '../routing/task-ids.ts';
import type { UriNaming } from '../routing/uris.ts';

/** Several changes at once, as when backends join, become one notification a kind. */
const LIST_CHANGED_DEBOUNCE_MS = 20;

/** Tasks that servers had the client run in one session; of later ones the status is not told. */
const MAX_CLIENT_TASKS = 10_000;

export interface FromBackendOptions {
  readonly single: boolean;
  readonly access: Pick<Access, 'mayAsk' | 'shows' | 'reaches'>;
  readonly uris: UriNaming;
  readonly tasks: TaskIds;
  readonly audit: CallAudit | undefined;
  clientCapabilities(): JsonObject;
  send(message: Message): void;
  listChanged(backend: BackendSession, kind: ListKind): void;
  /** Whether this progress token belongs to an open call of this backend; then the call lives. */
  progressed(backend: BackendSession, token: unknown): boolean;
}

const TARGETS: Readonly<Record<string, TargetKind>> = { tools: 'tool', prompts: 'prompt', resources: 'resource' };

interface Asked {
  readonly backend: BackendSession;
  readonly id: string;
  readonly progressToken: unknown;
  recorded: RecordedAsk | undefined;
}

export class FromBackend {
  private readonly options: FromBackendOptions;
  private readonly asked = new Map<string, Asked>();
  private readonly changed = new Map<string, NodeJS.Timeout>();
  /** Tasks of the client, by their ids: for which server they run. */
  private readonly clientTasks = new Map<string, BackendSession>();
  private nextId = 0;

  constructor(options: FromBackendOptions) {
    this.options = options;
  }

  request(backend: BackendSession, message: Message): void {
    const method = message.method ?? '';
    const id = message.id ?? 'null';
    const needed = CLIENT_CAPABILITY[method];
    const may = this.options.access.mayAsk(backend.id, method);
    const params = asObject((parseMessage(message) as { params?: unknown }).params);
    const { audit } = this.options;
    const ask = { backend: backend.id, method, params: params ?? {}, denied: !may };
    if (audit && !may) void recordQuestion(audit, ask);
    if (!may && needed === undefined) {
      backend.respond(errorMessage(id, 'method_not_found', `Method not found: ${method}`));
      return;
    }
    // What a rule denies is what the client cannot do.
    if (needed !== undefined && (!may || this.options.clientCapabilities()[needed] === undefined)) {
      backend.respond(errorMessage(id, 'method_not_found', `the client has no ${needed} capability`));
      return;
    }
    const shown = String(this.nextId++);
    const progressToken = asObject(params?._meta)?.progressToken;
    const asked: Asked = { backend, id, progressToken, recorded: undefined };
    this.asked.set(shown, asked);
    if (audit) void this.recordThenShow(audit, ask, shown, asked, message);
    else this.show(shown, asked, message, params ?? {});
  }

  private async recordThenShow(
    audit: CallAudit,
    ask: Ask,
    shown: string,
    asked: Asked,
    message: Message,
  ): Promise<void> {
    const recorded = await recordAsk(audit, ask);
    if (recorded && this.asked.get(shown) === asked) {
      asked.recorded = recorded;
      this.show(shown, asked, message, ask.params);
      return;
    }
    // Taken back meanwhile, or it cannot be recorded.
    if (recorded) void recorded.answered(undefined);
    else if (this.asked.delete(shown)) asked.backend.respond(notAsked(asked.id));
  }

  private show(shown: string, { backend, progressToken }: Asked, message: Message, params: JsonObject): void {
    if (this.options.single) {
      this.options.send(withId(message, shown));
      return;
    }
    // Tokens of two backends may be equal; the shown id is unique among them.
    const token = progressToken === undefined ? {} : { progressToken: Number(shown) };
    const shownParams = this.options.tasks.publishRelated(backend.id, params);
    const _meta = { ...asObject(shownParams._meta), ...token, [BACKEND_META]: backend.id };
    this.options.send(requestMessage(shown, message.method ?? '', { ...params, _meta }));
  }

  /** The client's answer to a server's request; what nobody asked for ends here. */
  answer(message: Message): void {
    const asked = message.id === undefined ? undefined : this.asked.get(message.id);
    if (!asked || message.id === undefined) return;
    // It guessed the id of what it was not shown yet.
    if (this.options.audit && !asked.recorded) return;
    this.asked.delete(message.id);
    const answer = this.options.single ? withId(message, asked.id) : this.native(message, asked);
    if (asked.recorded === undefined) {
      asked.backend.respond(answer);
      return;
    }
    void asked.recorded
      .answered(answer)
      .then((recorded) => asked.backend.respond(recorded ? answer : notAsked(asked.id)));
  }

  /** Ids of tasks in the client's answer: those of the server's own tasks made native, the client's remembered. */
  private native(message: Message, { backend, id }: Asked): Message {
    if (!message.bytes.includes('task')) return withId(message, id);
    const result = asObject((parseMessage(message) as { result?: unknown }).result);
    if (!result) return withId(message, id);
    const own = asString(asObject(result.task)?.taskId);
    if (own !== undefined && this.clientTasks.size < MAX_CLIENT_TASKS) this.clientTasks.set(own, backend);
    const changed = this.options.tasks.nativeRelated(backend.id, result);
    return changed === result ? withId(message, id) : resultMessage(id, changed);
  }

  /** News of a task that the client runs for a server: that server's alone. */
  clientTaskStatus(params: JsonObject): boolean {
    if (this.options.single) return false;
    this.clientTasks.get(asString(params.taskId) ?? '')?.notify('notifications/tasks/status', params);
    return true;
  }

  /** Progress of the client on a server's request goes to that server. */
  clientProgress(params: JsonObject): boolean {
    if (this.options.single) return false;
    const asked = this.asked.get(String(params.progressToken));
    asked?.backend.notify('notifications/progress', { ...params, progressToken: asked.progressToken });
    return true;
  }

  notification(backend: BackendSession, message: Message): void {
    const kinds = LIST_KINDS.filter((kind) => kind.changed === message.method);
    if (kinds.length > 0) {
      for (const kind of kinds) if (this.mayHave(backend, kind)) this.listChanged(backend, kind);
      return;
    }
    switch (message.method) {
      case 'notifications/progress':
        if (this.options.progressed(backend, paramsOf(message).progressToken)) this.related(backend, message);
        return;
      case 'notifications/cancelled':
        this.cancelled(backend, paramsOf(message));
        return;
      case 'notifications/resources/updated':
        this.updated(backend, message);
        return;
      case 'notifications/tasks/status':
        this.rewritten(message, this.options.tasks.publish(backend.id, paramsOf(message)));
        return;
      default:
        this.related(backend, message);
    }
  }

  listChanged(backend: BackendSession, kind: ListKind): void {
    this.options.listChanged(backend, kind);
    this.announce(kind);
  }

  /** The client is told to list anew. */
  announce(kind: ListKind): void {
    if (this.changed.has(kind.changed)) return;
    const timer = setTimeout(() => {
      this.changed.delete(kind.changed);
      this.options.send(notificationMessage(kind.changed));
    }, LIST_CHANGED_DEBOUNCE_MS);
    this.changed.set(kind.changed, timer);
  }

  close(): void {
    for (const timer of this.changed.values()) clearTimeout(timer);
    this.changed.clear();
    for (const { recorded } of this.asked.values()) void recorded?.answered(undefined);
    this.asked.clear();
  }

  /** News of what this client may have nothing of are none. */
  private mayHave(backend: BackendSession, { capability }: ListKind): boolean {
    return this.options.access.reaches(backend.id, TARGETS[capability]);
  }

  private cancelled(backend: BackendSession, params: JsonObject): void {
    const id = stringifyExact(params.requestId ?? null);
    for (const [shown, asked] of this.asked) {
      if (asked.backend !== backend || asked.id !== id) continue;
      this.asked.delete(shown);
      // Neither recorded nor shown yet: then the client never sees it.
      if (this.options.audit && !asked.recorded) return;
      void asked.recorded?.answered(undefined);
      this.options.send(notificationMessage('notifications/cancelled', { ...params, requestId: Number(shown) }));
      return;
    }
  }

  private updated(backend: BackendSession, message: Message): void {
    const params = paramsOf(message);
    const uri = asString(params.uri);
    if (uri !== undefined && !this.options.access.shows(backend.id, 'resource', uri)) return;
    const shown = uri === undefined ? params : { ...params, uri: this.options.uris.toPublic(backend.id, uri) };
    this.rewritten(message, shown.uri === uri ? params : shown);
  }

  /** Passes it on, under the public id of the task that it may belong to. */
  private related(backend: BackendSession, message: Message): void {
    if (this.options.single || !message.bytes.includes(RELATED)) this.options.send(message);
    else this.rewritten(message, this.options.tasks.publishRelated(backend.id, paramsOf(message)));
  }

  private rewritten(message: Message, params: JsonObject): void {
    const same = this.options.single || message.method === undefined;
    this.options.send(same ? message : notificationMessage(message.method ?? '', params));
  }
}

/** Neither question nor answer passes unrecorded. */
function notAsked(id: string): Message {
  return errorMessage(id, 'audit_unavailable', 'the gateway cannot write its audit log, and nothing passes unrecorded');
}

export function paramsOf(message: Message): JsonObject {
  return asObject((parseMessage(message) as { params?: unknown }).params) ?? {};
}
