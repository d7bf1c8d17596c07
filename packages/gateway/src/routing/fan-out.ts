// Requests that concern every backend: lists are merged and paged anew, the log level goes to all who log and are not beyond
// the caller's rules, ping is ours.

import { createHash } from 'node:crypto';
import { type Era, LISTS, type ListKind, listKindOf, parseMessage, within } from '@mcp-overlay/relay';
import { argsOf, type CallAudit, factsOf, recordIntent } from '../audit/calls.ts';
import { notRecorded } from '../audit/intent.ts';
import type { BackendSession } from '../backend/backend-session.ts';
import type { Call, Reply } from '../call/call.ts';
import { deny, unknownTarget } from '../call/denial.ts';
import { asArray, asObject, asString, type JsonObject } from '../call/json.ts';
import type { Next, Stage } from '../call/stage.ts';
import type { Access } from '../policy/access.ts';
import type { Catalog } from './catalog.ts';
import type { TaskIds } from './task-ids.ts';

/** Of one page of ours: well below the message cap, so that any list can be had. */
const PAGE_BYTES = 4 * 1024 * 1024;
/** Followed by a digest of the list it belongs to and a place in it. */
const CURSOR_VERSION = 'v1:';
const DIGEST_LENGTH = 16;
/** Of one backend. */
const MAX_TASKS = 10_000;

export interface FanOutOptions {
  /** What the client speaks; the modern era says with each page how long it may be kept. Left out: legacy. */
  readonly era?: Era;
  readonly backends: readonly BackendSession[];
  readonly catalog: Catalog;
  readonly tasks: TaskIds;
  readonly access: Pick<Access, 'shows' | 'decide' | 'personal'>;
  /** One backend is configured: nothing has to be told apart. */
  readonly unchanged: boolean;
  /** How long one list waits for slow backends. */
  readonly patienceMs: number;
  readonly audit: CallAudit | undefined;
  /** Resolves when nothing more of this session's waiting budget is worth waiting for: of a list, for whom it is not known. */
  waitForBackends(kind?: ListKind): Promise<void>;
}

export function fanOut(options: FanOutOptions): Stage<Call> {
  const lists = new Map<ListKind, readonly JsonObject[]>();
  return (next: Next<Call>) => async (call) => {
    const kind = listKindOf(call.method);
    if (kind) return list(call, kind, options, lists);
    if (options.era === 'modern') return next(call);
    if (call.method === 'ping') return { result: {} };
    if (call.method === 'logging/setLevel') return setLevel(call, options);
    if (call.method === 'tasks/list' && !options.unchanged) return listTasks(options);
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
  if (cursor !== undefined) {
    const known = lists.get(kind) ?? [];
    const from = placeOf(cursor, known);
    if (from !== undefined) return page(kind, known, from, hintsOf(kind, options));
    return deny('invalid_params', 'this cursor is not one of ours, or its list has changed: list anew');
  }
  await options.waitForBackends(kind);
  const items = await options.catalog.list(kind);
  lists.set(kind, items);
  return page(kind, items, 0, { ...options.catalog.beside(kind), ...hintsOf(kind, options) });
}

function hintsOf(kind: ListKind, { era, catalog }: FanOutOptions): JsonObject {
  return era === 'modern' ? { resultType: 'complete', ...catalog.hints(kind) } : {};
}

/** At least one item, then as many as fit. */
function page(kind: ListKind, items: readonly JsonObject[], from: number, beside: JsonObject = {}): Reply {
  let bytes = 0;
  let to = from;
  for (; to < items.length; to += 1) {
    bytes += Buffer.byteLength(JSON.stringify(items[to]));
    if (to > from && bytes > PAGE_BYTES) break;
  }
  const part = { ...beside, [kind.member]: items.slice(from, to) };
  return { result: to < items.length ? { ...part, nextCursor: `${CURSOR_VERSION}${digestOf(items)}.${to}` } : part };
}

/** Where a cursor leads in this list; undefined if it was made for another. */
function placeOf(cursor: string, items: readonly JsonObject[]): number | undefined {
  const [, digest, place] = /^v1:([0-9a-f]+)\.([1-9]\d{0,8})$/.exec(cursor) ?? [];
  const from = Number(place);
  return from < items.length && digest === digestOf(items) ? from : undefined;
}

/** Only lists of several pages come here. */
function digestOf(items: readonly JsonObject[]): string {
  return createHash('sha256').update(JSON.stringify(items)).digest('hex').slice(0, DIGEST_LENGTH);
}

async function setLevel(call: Call, options: FanOutOptions): Promise<Reply> {
  const { audit, access } = options;
  const { method, params, trail } = call;
  const judged = options.backends.map((backend) => ({
    backend,
    decision: access.decide(backend.id, 'method', method, params),
  }));
  const allowed = judged.filter(({ decision }) => decision.allow);
  trail.target = { kind: 'method', name: method };
  trail.decision = (allowed[0] ?? judged[0])?.decision;
  if (access.personal && allowed.length === 0) return unknownTarget('method', method);
  if (audit && !(await recordIntent(audit, factsOf(call), argsOf(method, params), trail))) {
    return notRecorded();
  }
  const loggers = allowed.map(({ backend }) => backend).filter((backend) => backend.up && backend.has('logging'));
  const answers = await Promise.all(loggers.map((backend) => backend.ask(method, params).answer));
  const errors = answers.map((answer) => asObject((parseMessage(answer) as { error?: unknown }).error)).filter(Boolean);
  const [first] = errors;
  if (first && errors.length === answers.length) {
    return { error: { code: Number(first.code), message: String(first.message), data: first.data } };
  }
  return { result: {} };
}

async function listTasks(options: FanOutOptions): Promise<Reply> {
  await options.waitForBackends();
  const owners = options.backends.filter(
    (backend) => backend.up && backend.has('tasks') && options.access.shows(backend.id, 'task', 'tasks/list'),
  );
  const until = Date.now() + options.patienceMs;
  const lists = await Promise.all(
    owners.map(async (backend) => options.tasks.publish(backend.id, { tasks: await tasksOf(backend, until) })),
  );
  return { result: { tasks: lists.flatMap(({ tasks }) => asArray(tasks) ?? []) } };
}

/** What it tells until then: one that is slow with its tasks holds up nobody. */
async function tasksOf(backend: BackendSession, until: number): Promise<readonly unknown[]> {
  const tasks: unknown[] = [];
  let cursor: string | undefined;
  do {
    const { id, answer } = backend.ask('tasks/list', cursor === undefined ? {} : { cursor });
    if (!(await within(until - Date.now(), answer))) {
      backend.cancel(id, 'the list took too long');
      return tasks;
    }
    const { result: raw } = parseMessage(await answer) as { result?: unknown };
    const result = asObject(raw);
    const found = asArray(result?.tasks) ?? [];
    tasks.push(...found);
    // An empty page with a cursor could go on for ever.
    cursor = found.length === 0 ? undefined : asString(result?.nextCursor);
  } while (cursor !== undefined && tasks.length < MAX_TASKS);
  return tasks;
}

/** Lists whose change the client is told of, for a backend that came or went. */
export function listsOf(backend: BackendSession): readonly ListKind[] {
  return [LISTS.tools, LISTS.resources, LISTS.prompts].filter((kind) => backend.has(kind.capability));
}
