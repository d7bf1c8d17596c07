// Requests that concern every backend: lists are merged and paged anew, the log level goes to all who log, ping is ours.

import { LISTS, type ListKind, listKindOf, parseMessage } from '@mcp-overlay/relay';
import type { BackendSession } from '../backend/backend-session.ts';
import type { Call, Reply } from '../call/call.ts';
import { deny } from '../call/denial.ts';
import { asArray, asObject, asString, type JsonObject } from '../call/json.ts';
import type { Next, Stage } from '../call/stage.ts';
import type { Catalog } from './catalog.ts';
import type { TaskIds } from './task-ids.ts';

/** Of one page of ours: well below the message cap, so that any list can be had. */
const PAGE_BYTES = 4 * 1024 * 1024;
const CURSOR_VERSION = 'v1:';

export interface FanOutOptions {
  readonly backends: readonly BackendSession[];
  readonly catalog: Catalog;
  readonly tasks: TaskIds;
  /** Resolves when nothing more of this session's waiting budget is worth waiting for. */
  waitForBackends(): Promise<void>;
}

export function fanOut(options: FanOutOptions): Stage<Call> {
  const lists = new Map<ListKind, readonly JsonObject[]>();
  return (next: Next<Call>) => async (call) => {
    const kind = listKindOf(call.method);
    if (kind) return list(call, kind, options, lists);
    if (call.method === 'ping') return { result: {} };
    if (call.method === 'logging/setLevel') return setLevel(call, options);
    if (call.method === 'tasks/list' && options.backends.length > 1) return listTasks(options);
    return next(call);
  };
}

async function list(
  call: Call,
  kind: ListKind,
  options: FanOutOptions,
  lists: Map<ListKind, readonly JsonObject[]>,
): Promise<Reply> {
  const cursor = asString(call.params.cursor);
  const from = cursor === undefined ? 0 : Number(cursor.slice(CURSOR_VERSION.length));
  const known = lists.get(kind);
  if (cursor !== undefined && !(cursor.startsWith(CURSOR_VERSION) && known && from > 0 && from < known.length)) {
    return deny('invalid_params', 'this cursor is not one of ours, or its list has changed: list anew');
  }
  let items = known ?? [];
  if (cursor === undefined) {
    await options.waitForBackends();
    items = await options.catalog.list(kind);
    lists.set(kind, items);
  }
  let bytes = 0;
  let to = from;
  while (to < items.length && (to === from || bytes < PAGE_BYTES)) bytes += JSON.stringify(items[to++]).length;
  const page = { [kind.member]: items.slice(from, to) };
  return { result: to < items.length ? { ...page, nextCursor: `${CURSOR_VERSION}${to}` } : page };
}

async function setLevel(call: Call, options: FanOutOptions): Promise<Reply> {
  const loggers = options.backends.filter((backend) => backend.up && backend.has('logging'));
  const answers = await Promise.all(loggers.map((backend) => backend.ask(call.method, call.params).answer));
  const errors = answers.map((answer) => asObject((parseMessage(answer) as { error?: unknown }).error)).filter(Boolean);
  const [first] = errors;
  if (first && errors.length === answers.length) {
    return { error: { code: Number(first.code), message: String(first.message), data: first.data } };
  }
  return { result: {} };
}

async function listTasks(options: FanOutOptions): Promise<Reply> {
  const owners = options.backends.filter((backend) => backend.up && backend.has('tasks'));
  const pages = await Promise.all(owners.map((backend) => backend.ask('tasks/list', {}).answer));
  const tasks = pages.flatMap((answer, at) => {
    const { result } = parseMessage(answer) as { result?: unknown };
    const found = asArray(asObject(result)?.tasks) ?? [];
    const backend = owners[at];
    return backend ? (asArray(options.tasks.publish(backend.id, { tasks: found }).tasks) ?? []) : [];
  });
  return { result: { tasks } };
}

/** Lists whose change the client is told of, for a backend that came or went. */
export function listsOf(backend: BackendSession): readonly ListKind[] {
  return [LISTS.tools, LISTS.resources, LISTS.prompts].filter((kind) => backend.has(kind.capability));
}
