// What the backends of one session list: every page of every backend, in the order of the configuration, under public
// names. The last walk answers where a public name leads; lists themselves are walked anew each time a client asks.
// A backend that is slow with a list holds up nobody: what is known of it is shown, and what comes later is announced.

import {
  LIST_KINDS,
  LISTS,
  type Limits,
  type ListKind,
  type Message,
  parseMessage,
  UNCACHED,
  within,
} from '@mcp-overlay/relay';
import type { BackendSession } from '../backend/backend-session.ts';
import type { TargetKind } from '../call/call.ts';
import { asArray, asObject, asString, type JsonObject } from '../call/json.ts';
import type { Access } from '../policy/access.ts';
import { type CacheHints, hintsOf, mergeHints } from './cache-hints.ts';
import { type NameTable, type Naming, nameAll } from './names.ts';
import { rewriterFor } from './rewrite.ts';
import type { UriNaming } from './uris.ts';

const MAX_PAGES = 10_000;

export interface Entry {
  readonly backend: string;
  readonly native: string;
  readonly item: JsonObject;
  /** It is not shown, for this reason: nobody approved it as it is now. Its name is taken all the same. */
  readonly withheld?: string;
}

type Shown = readonly [name: string | undefined, entry: Entry];

/** Before they are heard, what is known of backends; afterwards what of their lists is shown. */
export interface Pinned {
  judge(backend: BackendSession, kind: ListKind, entries: readonly Entry[]): readonly Entry[];
  /** undefined: such a list was never seen. */
  known(backend: BackendSession, kind: ListKind): readonly JsonObject[] | undefined;
  /** Calls wait until a list was looked at. */
  readonly strictCalls: boolean;
}

/** What came of a backend's list, or of one item of it; `why` undefined: the list came whole. */
export type CatalogNote = (backend: string, kind: ListKind, why: string | undefined) => void;

export interface ItemLook {
  /** What of an item is shown; undefined: nothing, as if it were not there. */
  item(backend: string, list: string, item: JsonObject): JsonObject | undefined;
  /** Whether that could ever be nothing. */
  mayHide(backend: string): boolean;
}

export interface CatalogOptions {
  readonly backends: readonly BackendSession[];
  readonly naming: Naming;
  readonly uris: UriNaming;
  readonly access: Pick<Access, 'personal' | 'shows'>;
  readonly listed: CatalogNote;
  readonly hid: CatalogNote;
  readonly limits: ListLimits;
  /** Tools that are none, by backend, shown beside those that are. */
  readonly decoys?: ReadonlyMap<string, readonly { readonly name: string; readonly item: JsonObject }[]> | undefined;
  /** Absent: lists are shown as they come. */
  readonly pinned?: Pinned | undefined;
  readonly look?: ItemLook | undefined;
  /** `_meta` of our requests to modern backends: on whose behalf. */
  readonly envelope?: JsonObject;
  /** How long one list waits for slow backends. */
  readonly patienceMs: number;
  /** How long one page may take. */
  readonly pageMs: number;
  /** A list that was shown without this backend, or with its old items, has others now. */
  readonly late: (kind: ListKind) => void;
}

export type ListLimits = Pick<Limits, 'toolsPerBackend' | 'definitionBytes'>;

export class Catalog {
  private readonly options: CatalogOptions;
  /** What the client was shown last, by list kind, in words. */
  private readonly told = new Map<ListKind, string>();
  /** By list kind and backend: what the last walk found. */
  private readonly seen = new Map<string, readonly Entry[]>();
  /** By the same key: as the backend sent it. */
  private readonly live = new Map<string, { readonly backend: BackendSession; readonly entries: readonly Entry[] }>();
  /** By the same key: shown from what is known, the backend was not heard yet. */
  private readonly cold = new Set<string>();
  /** By the same key: the server was lost and is back; what it lists now was not looked at. */
  private readonly stale = new Set<string>();
  private readonly besides = new Map<string, JsonObject>();
  /** By the same key: how long the last walk's pages may be kept, and by whom. */
  private readonly kept = new Map<string, CacheHints>();
  private readonly tables = new Map<ListKind, NameTable<Entry>>();
  /** By the same key: walks under way. */
  private readonly walks = new Map<string, Promise<void>>();
  /** By backend: lists that were asked for while it was restarting. */
  private readonly missed = new Map<string, Set<ListKind>>();

  constructor(options: CatalogOptions) {
    this.options = options;
  }

  /** All items of all backends that are up, under public names and URIs. */
  async list(kind: ListKind): Promise<readonly JsonObject[]> {
    await this.walkAll(this.options.backends, [kind]);
    const shown = this.shown(kind);
    this.told.set(kind, wordsOf(shown));
    return shown.map(([name, entry]) => this.public(kind, entry, name));
  }

  /** Where a public name leads; walks the lists once if it is not known. */
  async find(kind: typeof LISTS.tools | typeof LISTS.prompts, name: string): Promise<Entry | undefined> {
    const known = this.tables.get(kind)?.shown.get(name);
    if (known && !this.stale.has(keyOf(kind, known.backend))) return known;
    const unseen = this.options.backends.filter((backend) => backend.up && !this.seen.has(keyOf(kind, backend.id)));
    if (unseen.length > 0) await this.walkAll(unseen, [kind]);
    const named = this.named(kind, name);
    const lost = this.options.backends.find(({ id }) => id === named?.backend && this.stale.has(keyOf(kind, id)));
    await lost?.ready();
    if (lost) await this.walkAll([lost], [kind]);
    const found = this.named(kind, name);
    const unread = found && this.options.pinned?.strictCalls && this.stale.has(keyOf(kind, found.backend));
    return unread ? { ...found, withheld: 'unread' } : found;
  }

  private named(kind: ListKind, name: string): Entry | undefined {
    return this.table(kind).shown.get(name) ?? this.bare(kind, name);
  }

  /** The pages of MCP Apps call tools by their server's own names: accepted where exactly one backend has it, never listed. */
  private bare(kind: ListKind, name: string): Entry | undefined {
    if (kind !== LISTS.tools) return undefined;
    const [entry, other] = this.entries(kind).filter(({ native }) => native === name);
    return other ? undefined : entry;
  }

  /** Whether that tool is listed and is none; undefined: there are no decoys. */
  get isDecoy(): ((backend: string, native: string) => Promise<boolean>) | undefined {
    return (this.options.decoys?.size ?? 0) === 0 ? undefined : (backend, native) => this.lists(backend, native);
  }

  /** What a single backend says beside the items of its list (`_meta`); several could not be told apart. */
  beside(kind: ListKind): JsonObject {
    const [only, other] = this.options.backends;
    return only && !other ? (this.besides.get(keyOf(kind, only.id)) ?? {}) : {};
  }

  /** How long the whole list may be kept: as long as every part of it. */
  hints(kind: ListKind): CacheHints {
    const { backends } = this.options;
    const declared = backends.filter((backend) => !backend.welcome || backend.has(kind.capability));
    const hints = mergeHints(declared.map(({ id }) => this.kept.get(keyOf(kind, id)) ?? UNCACHED));
    return this.options.access.personal ? { ...hints, cacheScope: 'private' } : hints;
  }

  hidden(kind: ListKind): NameTable<Entry>['hidden'] {
    return this.table(kind).hidden;
  }

  /** Backends that own a URI that carries no backend: it was in a list, or a template of theirs fits. */
  async owners(uri: string): Promise<readonly string[]> {
    const kinds = [LISTS.resources, LISTS.resourceTemplates];
    const missing = this.options.backends.filter((b) => b.up && !this.seen.has(keyOf(LISTS.resources, b.id)));
    await this.walkAll(missing, kinds);
    const owners = new Set<string>();
    for (const entry of kinds.flatMap((kind) => this.entries(kind))) {
      if (entry.withheld !== undefined) continue;
      const listed = asString(entry.item.uri);
      const template = asString(entry.item.uriTemplate);
      if (listed === uri || (template !== undefined && fitsTemplate(template, uri))) owners.add(entry.backend);
    }
    return [...owners];
  }

  /** Why a single backend's own item is not served; its calls need no name looked up. */
  async withheld(backend: BackendSession, kind: ListKind, native: string): Promise<string | undefined> {
    const { pinned } = this.options;
    if (!pinned) return undefined;
    const key = keyOf(kind, backend.id);
    const unread = pinned.strictCalls && (!this.seen.has(key) || this.cold.has(key));
    if (unread || this.stale.has(key)) {
      await backend.ready();
      await this.walkAll([backend], [kind]);
      const still = pinned.strictCalls && (!this.seen.has(key) || this.stale.has(key));
      if (still && backend.has(kind.capability)) return 'unread';
    }
    return this.seen.get(key)?.find((entry) => entry.native === native && entry.withheld !== undefined)?.withheld;
  }

  /** It was lost and is back: what was listed before is compared with what it lists now, before it is called. */
  recheck(backend: BackendSession): void {
    if (!this.options.pinned) return;
    for (const kind of [LISTS.tools, LISTS.prompts, LISTS.resourceTemplates]) {
      const key = keyOf(kind, backend.id);
      const before = this.seen.get(key);
      if (!before) continue;
      this.stale.add(key);
      void this.walk(backend, kind).then(() => {
        if (!sameItems(before, this.seen.get(key))) this.options.late(kind);
      });
    }
  }

  /** Decisions were made: what is shown is judged anew. */
  rejudge(): void {
    for (const [key, { backend, entries }] of this.live) {
      const kind = LIST_KINDS.find(({ method }) => keyOf({ method }, backend.id) === key);
      const before = this.seen.get(key);
      if (!kind || !before || this.cold.has(key)) continue;
      const now = this.options.pinned?.judge(backend, kind, entries) ?? entries;
      this.seen.set(key, now);
      this.tables.delete(kind);
      if (!sameItems(before, now)) this.options.late(kind);
    }
  }

  /** What the client may see has changed, or how it is shown: where it would list something else now, it is told. */
  relist(): void {
    for (const [kind, before] of this.told) {
      this.tables.delete(kind);
      if (wordsOf(this.shown(kind)) !== before) this.options.late(kind);
    }
  }

  /** The list of a backend that joins was shown before: whether it is to be told as changed is found out. */
  isCold(backend: string, kind: ListKind): boolean {
    return this.cold.has(keyOf(kind, backend));
  }

  /** Whether a single backend's own item is one that is not shown (`look`); its calls need no name looked up. */
  async isHidden(backend: BackendSession, kind: ListKind, native: string): Promise<boolean> {
    const { look } = this.options;
    if (!look?.mayHide(backend.id)) return false;
    const key = keyOf(kind, backend.id);
    if (!this.seen.has(key)) {
      await backend.ready();
      await this.walkAll([backend], [kind]);
    }
    const entries = (this.seen.get(key) ?? []).filter((entry) => judgedName(kind, entry) === native);
    return entries.some(({ item }) => look.item(backend.id, kind.member, item) === undefined);
  }

  /** The backend's list is not what it was. */
  forget(backend: string, kind: ListKind): void {
    if (this.options.pinned && this.seen.has(keyOf(kind, backend))) this.stale.add(keyOf(kind, backend));
    this.seen.delete(keyOf(kind, backend));
    this.cold.delete(keyOf(kind, backend));
    this.walks.delete(keyOf(kind, backend));
    this.tables.delete(kind);
  }

  /** Lists that were shown without this backend because it was away. */
  takeMissed(backend: string): readonly ListKind[] {
    const kinds = [...(this.missed.get(backend) ?? [])];
    this.missed.delete(backend);
    return kinds;
  }

  /** What a list has, under public names where it has names. */
  private shown(kind: ListKind): readonly Shown[] {
    const named = kind === LISTS.tools || kind === LISTS.prompts;
    const all = named ? [...this.table(kind).shown] : this.entries(kind).map((entry): Shown => [undefined, entry]);
    return all.filter(([, { withheld }]) => withheld === undefined);
  }

  private async walkAll(backends: readonly BackendSession[], kinds: readonly ListKind[]): Promise<void> {
    const { patienceMs, late } = this.options;
    const heard = backends.filter((backend) => !kinds.every((kind) => this.showKnown(backend, kind)));
    const walks = heard.flatMap((backend) =>
      kinds.map((kind) => ({ kind, key: keyOf(kind, backend.id), walk: this.walk(backend, kind) })),
    );
    // Nothing else could be shown meanwhile.
    const patience = this.options.backends.length === 1 ? Number.POSITIVE_INFINITY : patienceMs;
    if (await within(patience, Promise.all(walks.map(({ walk }) => walk)))) return;
    for (const { kind, key, walk } of walks) {
      const shown = this.seen.get(key);
      void walk.then(() => {
        if (!sameItems(shown, this.seen.get(key))) late(kind);
      });
    }
  }

  /** Of a backend that is still starting what is known is shown at once; it is asked as soon as it is there. */
  private showKnown(backend: BackendSession, kind: ListKind): boolean {
    const key = keyOf(kind, backend.id);
    if (this.cold.has(key)) return backend.starting;
    const items = !backend.starting || this.seen.has(key) ? undefined : this.options.pinned?.known(backend, kind);
    if (!items) return false;
    const entries = items.map((item) => ({ backend: backend.id, native: nativeName(item), item }));
    this.cold.add(key);
    // It may be another by the time that it is started: it is looked at before it is called.
    if (backend.asleep) this.stale.add(key);
    this.seen.set(key, entries);
    this.tables.delete(kind);
    void backend.settled
      .then(() => (this.cold.has(key) ? this.walk(backend, kind) : undefined))
      .then(() => {
        // It failed, or has no such list: what is not there is not shown.
        if (this.cold.delete(key)) {
          this.seen.delete(key);
          this.tables.delete(kind);
        }
        if (!sameItems(entries, this.seen.get(key))) this.options.late(kind);
      });
    return true;
  }

  /** One walk at a time: whoever asks meanwhile gets what it finds. */
  private walk(backend: BackendSession, kind: ListKind): Promise<void> {
    const key = keyOf(kind, backend.id);
    const known = this.walks.get(key);
    if (known) return known;
    if (!backend.up) this.miss(backend, kind);
    if (!backend.up || !backend.has(kind.capability)) return Promise.resolve();
    const { limits, pageMs, listed, envelope } = this.options;
    const walking = walkPages(backend, kind, limits, pageMs, {
      envelope,
      beside: (beside) => void this.besides.set(key, beside),
      hints: (hints) => void this.kept.set(key, hints),
    });
    const walk: Promise<void> = walking.then((found) => {
      // Forgotten meanwhile, and begun anew: what the newer one finds counts.
      const newest = this.walks.get(key);
      if (newest && newest !== walk) return newest;
      this.walks.delete(key);
      listed(backend.id, kind, typeof found === 'string' ? found : undefined);
      if (typeof found === 'string') return undefined;
      this.live.set(key, { backend, entries: found });
      this.cold.delete(key);
      this.stale.delete(key);
      this.seen.set(key, this.options.pinned?.judge(backend, kind, found) ?? found);
      this.tables.delete(kind);
      return undefined;
    });
    this.walks.set(key, walk);
    return walk;
  }

  /** One that never joined is announced when it joins. */
  private miss(backend: BackendSession, kind: ListKind): void {
    if (this.seen.has(keyOf(kind, backend.id)) || (!backend.welcome && !this.options.pinned)) return;
    this.missed.set(backend.id, new Set([...(this.missed.get(backend.id) ?? []), kind]));
  }

  private table(kind: ListKind): NameTable<Entry> {
    const known = this.tables.get(kind);
    if (known) return known;
    const table = nameAll(this.entries(kind), this.options.naming);
    this.tables.set(kind, table);
    for (const { item, name, why } of table.hidden) this.options.hid(item.backend, kind, `${name} is hidden: ${why}`);
    return table;
  }

  private entries(kind: ListKind): readonly Entry[] {
    const { backends, access, look } = this.options;
    return backends.flatMap((backend) => {
      const all = this.seen.get(keyOf(kind, backend.id)) ?? [];
      const entries = look
        ? all.filter(
            ({ item, withheld }) => withheld !== undefined || look.item(backend.id, kind.member, item) !== undefined,
          )
        : all;
      const shown = entries.filter((entry) => access.shows(backend.id, kindOf(kind), judgedName(kind, entry)));
      const any = kind === LISTS.tools && shown.some(({ withheld }) => withheld === undefined);
      return any ? [...shown, ...this.decoysBeside(backend.id, all)] : shown;
    });
  }

  /** A tool that really exists is never hidden by one that does not. */
  private decoysBeside(backend: string, all: readonly Entry[]): readonly Entry[] {
    const decoys = this.options.decoys?.get(backend) ?? [];
    return decoys
      .filter(({ name }) => !all.some(({ native }) => native === name))
      .map(({ name, item }) => ({ backend, native: name, item }));
  }

  private async lists(backend: string, native: string): Promise<boolean> {
    if (!this.options.decoys?.get(backend)?.some(({ name }) => name === native)) return false;
    const session = this.options.backends.find(({ id }) => id === backend);
    if (session && !this.seen.has(keyOf(LISTS.tools, backend))) await this.walkAll([session], [LISTS.tools]);
    const listed = this.entries(LISTS.tools).find((entry) => entry.backend === backend && entry.native === native);
    return this.options.decoys.get(backend)?.some(({ item }) => item === listed?.item) ?? false;
  }

  private public(kind: ListKind, { backend, item }: Entry, name: string | undefined): JsonObject {
    const shown = this.options.look?.item(backend, kind.member, item) ?? item;
    return rewriterFor(this.options.uris, backend).item(shown, name);
  }
}

export interface WalkHooks {
  readonly envelope?: JsonObject | undefined;
  readonly beside?: (beside: JsonObject) => void;
  readonly hints?: (hints: CacheHints) => void;
}

/** Every page of one list, or why it cannot be had. Caps are never met by cutting silently. */
export async function walkPages(
  backend: BackendSession,
  kind: ListKind,
  limits: ListLimits,
  pageMs: number,
  hooks: WalkHooks = {},
): Promise<readonly Entry[] | string> {
  const entries: Entry[] = [];
  const cursors = new Set<string>();
  let cursor: string | undefined;
  const hints: CacheHints[] = [];
  let bytes = 0;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await askPage(backend, kind, cursor, pageMs, hooks.envelope);
    if (!answer) return `${kind.method}: no answer within ${pageMs / 1000} s`;
    const { result: raw, error } = parseMessage(answer) as { result?: unknown; error?: unknown };
    const result = asObject(raw);
    if (!result) return `${kind.method} failed: ${asString(asObject(error)?.message) ?? 'no result'}`;
    bytes += answer.bytes.length;
    if (page === 0) {
      const { [kind.member]: _items, nextCursor: _next, ...beside } = result;
      hooks.beside?.(beside);
    }
    hints.push(hintsOf(result));
    for (const raw of asArray(result[kind.member]) ?? []) {
      const item = asObject(raw);
      if (item) entries.push({ backend: backend.id, native: nativeName(item), item });
    }
    if (entries.length > limits.toolsPerBackend) return `${kind.method}: more than ${limits.toolsPerBackend} items`;
    if (bytes > limits.definitionBytes) return `${kind.method}: more than ${limits.definitionBytes} bytes`;
    // An empty string is a cursor like any other; a missing one is the end.
    cursor = asString(result.nextCursor);
    if (cursor === undefined) {
      hooks.hints?.(mergeHints(hints));
      return entries;
    }
    if (cursors.has(cursor)) return `${kind.method}: the backend's pages go round in a circle`;
    cursors.add(cursor);
  }
  return `${kind.method}: more than ${MAX_PAGES} pages`;
}

async function askPage(
  backend: BackendSession,
  kind: ListKind,
  cursor: string | undefined,
  pageMs: number,
  envelope: JsonObject | undefined,
): Promise<Message | undefined> {
  const params = { ...(cursor === undefined ? {} : { cursor }), ...(envelope ? { _meta: envelope } : {}) };
  const { id, answer } = backend.ask(kind.method, params);
  if (await within(pageMs, answer)) return answer;
  backend.cancel(id, 'the list took too long');
  return undefined;
}

function wordsOf(shown: readonly Shown[]): string {
  return shown.map(([name, { backend, native }]) => name ?? `${backend} ${native}`).join('\n');
}

function sameItems(a: readonly Entry[] | undefined, b: readonly Entry[] | undefined): boolean {
  const shown = (entries: readonly Entry[] | undefined) =>
    JSON.stringify(entries?.flatMap(({ item, withheld }) => (withheld === undefined ? [item] : [])));
  return a === b || shown(a) === shown(b);
}

function nativeName(item: JsonObject): string {
  return asString(item.name) ?? asString(item.uri) ?? asString(item.uriTemplate) ?? '';
}

/** What rules know it by: its URI, where it has one. */
function judgedName(kind: ListKind, { native, item }: Entry): string {
  if (kind === LISTS.resources) return asString(item.uri) ?? '';
  return kind === LISTS.resourceTemplates ? (asString(item.uriTemplate) ?? '') : native;
}

function kindOf(kind: ListKind): TargetKind {
  if (kind === LISTS.tools) return 'tool';
  return kind === LISTS.prompts ? 'prompt' : 'resource';
}

function keyOf(kind: Pick<ListKind, 'method'>, backend: string): string {
  return `${kind.method} ${backend}`;
}

/** RFC 6570 level 1 as far as ownership needs it: the literal parts occur in order, first and last anchored. */
function fitsTemplate(template: string, uri: string): boolean {
  const parts = template.split(/\{[^{}]*\}/);
  const first = parts[0] ?? '';
  if (parts.length === 1) return uri === first;
  const last = parts[parts.length - 1] ?? '';
  if (!uri.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = uri.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return uri.length - last.length >= at && uri.endsWith(last);
}
