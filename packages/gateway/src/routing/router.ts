// Stage: whose is this call, and under which name of its own? Routing goes by table, names are never split to route.

import { LISTS } from '@mcp-overlay/relay';
import type { BackendSession } from '../backend/backend-session.ts';
import type { Call, Reply, RoutedCall, TargetKind } from '../call/call.ts';
import { deny, unknownTarget } from '../call/denial.ts';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import type { Stage } from '../call/stage.ts';
import type { Access } from '../policy/access.ts';
import type { Catalog } from './catalog.ts';
import type { Naming } from './names.ts';
import type { TaskIds } from './task-ids.ts';
import type { OwnTasks } from './task-owners.ts';
import type { UriNaming } from './uris.ts';

export interface RouterOptions {
  readonly backends: readonly BackendSession[];
  readonly catalog: Catalog;
  readonly naming: Naming;
  readonly uris: UriNaming;
  readonly tasks: TaskIds;
  /** Where several callers share a server. */
  readonly ownTasks?: OwnTasks | undefined;
  /** Ids of all that are configured, also of those that this client may have nothing of. */
  readonly configured?: readonly string[];
  readonly access?: Pick<Access, 'personal' | 'decide'>;
  /** One backend is configured: nothing has to be told apart. */
  readonly unchanged: boolean;
}

type Found = { readonly routed: Omit<RoutedCall, keyof Call> } | { readonly reply: Reply };

export function route(options: RouterOptions): Stage<Call, RoutedCall> {
  return (next) => async (call) => {
    const found = await locate(call, options);
    if ('reply' in found) return found.reply;
    const { backend: owner, target, native } = found.routed;
    const { id, backend } = owner;
    call.trail.backend = id;
    call.trail.target = target;
    call.trail.reachable = () => owner.up;
    // Nothing but initialize may reach a server that has not answered it.
    if (!owner.welcome) await owner.ready();
    if (!owner.welcome) return unavailable(owner);
    if (backend.config.callTimeoutMs !== undefined) {
      call.trail.callTimeoutMs = backend.config.callTimeoutMs;
      call.trail.onProgress?.();
    }
    return next({ ...call, backend: owner, target, native });
  };
}

async function locate(call: Call, options: RouterOptions): Promise<Found> {
  const { params } = call;
  switch (call.method) {
    case 'tools/call':
      return byName(call, options, 'tool', asString(params.name));
    case 'prompts/get':
      return byName(call, options, 'prompt', asString(params.name));
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return byUri(asString(params.uri), options, (uri) => ({ ...params, uri }));
    case 'completion/complete':
      return byReference(call, options);
    case 'tasks/get':
    case 'tasks/result':
    case 'tasks/update':
    case 'tasks/cancel':
      return byTask(call, options);
    default:
      return byMethod(call, options);
  }
}

async function byName(
  call: Call,
  options: RouterOptions,
  kind: 'tool' | 'prompt',
  name: string | undefined,
): Promise<Found> {
  if (name === undefined) return { reply: deny('invalid_params', `${call.method} needs a name`) };
  const only = single(options);
  const list = kind === 'tool' ? LISTS.tools : LISTS.prompts;
  if (only && options.naming.prefixOf(only.id) === '') {
    if (await options.catalog.isHidden(only, list, name)) return { reply: unknownTarget(kind, name) };
    const why = await options.catalog.withheld(only, list, name);
    return why === undefined ? to(only, kind, name, call.params) : withheld(only, kind, name, why);
  }
  const absent = absentOwner(options, name);
  if (absent) await absent.ready();
  const entry = await options.catalog.find(list, name);
  const backend = entry && backendOf(options, entry.backend);
  if (entry?.withheld !== undefined && backend) return withheld(backend, kind, name, entry.withheld);
  if (entry && backend) return to(backend, kind, entry.native, { ...call.params, name: entry.native });
  const owner = absentOwner(options, name);
  if (owner) return { reply: unavailable(owner) };
  noteDenied(call, options, kind, name);
  return { reply: unknownTarget(kind, name) };
}

/** For the record alone: whose it would be, going by its name, and what the rules say of it. The caller hears what it hears of
 *  anything unknown. */
function noteDenied({ params, trail }: Call, options: RouterOptions, kind: 'tool' | 'prompt', name: string): void {
  const { access, configured = [], naming } = options;
  if (!access?.personal) return;
  const prefixes = configured.map((id) => ({ id, prefix: naming.prefixOf(id) }));
  const [owner] = prefixes
    .filter(({ prefix }) => prefix !== '' && name.startsWith(prefix))
    .sort((a, b) => b.prefix.length - a.prefix.length);
  if (!owner) return;
  const target = { kind, name: name.slice(owner.prefix.length) };
  const decision = access.decide(owner.id, kind, target.name, asObject(params.arguments) ?? {});
  if (!decision.allow) Object.assign(trail, { backend: owner.id, target, decision });
}

async function byUri(
  uri: string | undefined,
  options: RouterOptions,
  withUri: (native: string) => JsonObject,
): Promise<Found> {
  if (uri === undefined) return { reply: deny('invalid_params', 'the request needs a uri') };
  const only = single(options);
  if (only) {
    const hidden = await options.catalog.isHidden(only, LISTS.resources, uri);
    return hidden ? { reply: unknownTarget('resource', uri) } : to(only, 'resource', uri, withUri(uri));
  }
  const owned = options.uris.toNative(uri);
  const named = owned && backendOf(options, owned.backend);
  if (owned && named) return to(named, 'resource', owned.uri, withUri(owned.uri));
  const owners = await options.catalog.owners(uri);
  const backend = owners.length === 1 && owners[0] !== undefined ? backendOf(options, owners[0]) : undefined;
  if (backend) return to(backend, 'resource', uri, withUri(uri));
  if (owners.length > 1) {
    // The first match would let one server shadow another.
    const text = `several backends have ${uri} (${owners.join(', ')}): ask for <backend>+<uri>`;
    return { reply: deny('invalid_params', text, { backends: owners }) };
  }
  return { reply: unknownTarget('resource', uri) };
}

async function byReference(call: Call, options: RouterOptions): Promise<Found> {
  const ref = asObject(call.params.ref);
  const name = asString(ref?.name);
  // What it completes is what rules are asked about: of another kind of reference they know nothing.
  if (options.access?.personal && !isKnown(ref)) {
    call.trail.decision = { allow: false, rule: 'default', why: 'the reference is neither a prompt nor a resource' };
    return { reply: deny('invalid_params', 'the request needs a ref of a prompt or a resource') };
  }
  if (ref?.type === 'ref/prompt' && name !== undefined) {
    const found = await byName(call, options, 'prompt', name);
    if ('reply' in found) return found;
    const { backend, target } = found.routed;
    return to(backend, 'prompt', target.name, { ...call.params, ref: { ...ref, name: target.name } });
  }
  return byUri(asString(ref?.uri), options, (uri) => ({ ...call.params, ref: { ...ref, uri } }));
}

function isKnown(ref: JsonObject | undefined): boolean {
  if (ref?.type === 'ref/prompt') return asString(ref.name) !== undefined;
  return ref?.type === 'ref/resource' && asString(ref.uri) !== undefined;
}

function byTask(call: Call, options: RouterOptions): Found {
  const taskId = asString(call.params.taskId);
  if (taskId === undefined) return { reply: deny('invalid_params', `${call.method} needs a taskId`) };
  const owned = options.tasks.toNative(taskId);
  const backend = owned && backendOf(options, owned.backend);
  const mine = owned && (options.ownTasks?.mine(owned.backend, owned.taskId) ?? true);
  if (!owned || !backend || !mine) return { reply: deny('invalid_params', `Unknown task: ${taskId}`) };
  return to(backend, 'task', owned.taskId, { ...call.params, taskId: owned.taskId });
}

/** What is not known passes to a single backend; several could not be told apart. */
function byMethod(call: Call, options: RouterOptions): Found {
  const only = single(options);
  return only ? to(only, 'method', call.method, call.params) : { reply: unknownTarget('method', call.method) };
}

function to(backend: BackendSession, kind: TargetKind, name: string, native: JsonObject): Found {
  return { routed: { backend, target: { kind, name }, native } };
}

function single(options: RouterOptions): BackendSession | undefined {
  return options.unchanged ? options.backends[0] : undefined;
}

function backendOf(options: RouterOptions, id: string): BackendSession | undefined {
  return options.backends.find((backend) => backend.id === id);
}

/** The name carries the prefix of a backend that is not there. */
function absentOwner(options: RouterOptions, name: string): BackendSession | undefined {
  return options.backends.find((backend) => {
    const prefix = options.naming.prefixOf(backend.id);
    return !backend.up && prefix !== '' && name.startsWith(prefix);
  });
}

/** What was denied answers like what was never there. */
function withheld({ id }: BackendSession, kind: 'tool' | 'prompt', name: string, why: string): Found {
  if (why === 'denied') return { reply: unknownTarget(kind, name) };
  const said = WITHHELD[why] ?? 'is not approved';
  const text = `${kind} ${name} of backend ${id} ${said}; its operator decides with: mcp-gateway approve`;
  return { reply: deny('refused', text, { code: 'pin', backend: id }) };
}

const WITHHELD: Readonly<Record<string, string>> = {
  changed: 'is not what was approved any more',
  unapproved: 'was not approved yet',
  unread: 'cannot be compared with what was approved, because its list cannot be had',
};

/** Named, with since when and why. */
function unavailable(owner: BackendSession): Reply {
  const since = new Date(owner.state.since).toISOString();
  const text = `backend ${owner.id} is not available since ${since}: ${owner.trouble}`;
  return deny('backend_unavailable', text, { backend: owner.id, since });
}
