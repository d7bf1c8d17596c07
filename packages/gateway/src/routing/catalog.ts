// What the backends of one session list: every page of every backend, in the order of the configuration, under public
// names. The last walk answers where a public name leads; lists themselves are walked anew each time a client asks.

import { LIMITS, LISTS, type ListKind, parseMessage } from '@mcp-overlay/relay';
import type { BackendSession } from '../backend/backend-session.ts';
import { asArray, asObject, asString, type JsonObject } from '../call/json.ts';
import type { ToolFilter } from '../policy/filter.ts';
import { type NameTable, type Naming, nameAll } from './names.ts';
import { rewriterFor } from './rewrite.ts';
import type { UriNaming } from './uris.ts';

const MAX_PAGES = 10_000;

export interface Entry {
  readonly backend: string;
  readonly native: string;
  readonly item: JsonObject;
}

/** Facts about a backend whose list is not shown, for logs and `check`. */
export type CatalogNote = (backend: string, kind: ListKind, why: string) => void;

export interface CatalogOptions {
  readonly backends: readonly BackendSession[];
  readonly naming: Naming;
  readonly uris: UriNaming;
  readonly filters: ReadonlyMap<string, ToolFilter>;
  readonly note: CatalogNote;
}

export class Catalog {
  private readonly options: CatalogOptions;
  /** By list kind and backend: what the last walk found. */
  private readonly seen = new Map<string, readonly Entry[]>();
  private readonly tables = new Map<ListKind, NameTable<Entry>>();

  constructor(options: CatalogOptions) {
    this.options = options;
  }

  /** All items of all backends that are up, under public names and URIs. */
  async list(kind: ListKind): Promise<readonly JsonObject[]> {
    await Promise.all(this.options.backends.map((backend) => this.walk(backend, kind)));
    if (kind === LISTS.tools || kind === LISTS.prompts) {
      return [...this.table(kind).shown].map(([name, entry]) => this.public(entry, name));
    }
    return this.entries(kind).map((entry) => this.public(entry, undefined));
  }

  /** Where a public name leads; walks the lists once if it is not known. */
  async find(kind: typeof LISTS.tools | typeof LISTS.prompts, name: string): Promise<Entry | undefined> {
    const known = this.tables.get(kind)?.shown.get(name);
    if (known) return known;
    const missing = this.options.backends.filter((backend) => backend.up && !this.seen.has(keyOf(kind, backend.id)));
    if (missing.length === 0) return this.table(kind).shown.get(name);
    await Promise.all(missing.map((backend) => this.walk(backend, kind)));
    return this.table(kind).shown.get(name);
  }

  hidden(kind: ListKind): NameTable<Entry>['hidden'] {
    return this.table(kind).hidden;
  }

  /** Backends that own a URI that carries no backend: it was in a list, or a template of theirs fits. */
  async owners(uri: string): Promise<readonly string[]> {
    const kinds = [LISTS.resources, LISTS.resourceTemplates];
    const missing = this.options.backends.filter((b) => b.up && !this.seen.has(keyOf(LISTS.resources, b.id)));
    await Promise.all(missing.flatMap((backend) => kinds.map((kind) => this.walk(backend, kind))));
    const owners = new Set<string>();
    for (const entry of kinds.flatMap((kind) => this.entries(kind))) {
      const listed = asString(entry.item.uri);
      const template = asString(entry.item.uriTemplate);
      if (listed === uri || (template !== undefined && fitsTemplate(template, uri))) owners.add(entry.backend);
    }
    return [...owners];
  }

  /** The backend's list is not what it was. */
  forget(backend: string, kind: ListKind): void {
    this.seen.delete(keyOf(kind, backend));
    this.tables.delete(kind);
  }

  private async walk(backend: BackendSession, kind: ListKind): Promise<void> {
    if (!backend.up || !backend.has(kind.capability)) return;
    const found = await walkPages(backend, kind);
    if (typeof found === 'string') {
      this.options.note(backend.id, kind, found);
      return;
    }
    this.seen.set(keyOf(kind, backend.id), found);
    this.tables.delete(kind);
  }

  private table(kind: ListKind): NameTable<Entry> {
    const known = this.tables.get(kind);
    if (known) return known;
    const table = nameAll(this.entries(kind), this.options.naming);
    this.tables.set(kind, table);
    for (const { item, name, why } of table.hidden) this.options.note(item.backend, kind, `${name} is hidden: ${why}`);
    return table;
  }

  private entries(kind: ListKind): readonly Entry[] {
    const { backends, filters } = this.options;
    return backends.flatMap((backend) => {
      const entries = this.seen.get(keyOf(kind, backend.id)) ?? [];
      const filter = kind === LISTS.tools ? filters.get(backend.id) : undefined;
      return filter ? entries.filter((entry) => filter(entry.native) !== undefined) : entries;
    });
  }

  private public(entry: Entry, name: string | undefined): JsonObject {
    return rewriterFor(this.options.uris, entry.backend).item(entry.item, name);
  }
}

/** Every page of one list, or why it cannot be had. Caps are never met by cutting silently. */
export async function walkPages(backend: BackendSession, kind: ListKind): Promise<readonly Entry[] | string> {
  const entries: Entry[] = [];
  const cursors = new Set<string>();
  let cursor: string | undefined;
  let bytes = 0;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await backend.ask(kind.method, cursor === undefined ? {} : { cursor }).answer;
    const { result: raw, error } = parseMessage(answer) as { result?: unknown; error?: unknown };
    const result = asObject(raw);
    if (!result) return `${kind.method} failed: ${asString(asObject(error)?.message) ?? 'no result'}`;
    bytes += answer.bytes.length;
    for (const raw of asArray(result[kind.member]) ?? []) {
      const item = asObject(raw);
      if (item) entries.push({ backend: backend.id, native: nativeName(item), item });
    }
    if (entries.length > LIMITS.toolsPerBackend) return `${kind.method}: more than ${LIMITS.toolsPerBackend} items`;
    if (bytes > LIMITS.definitionBytes) return `${kind.method}: more than ${LIMITS.definitionBytes} bytes`;
    // An empty string is a cursor like any other; a missing one is the end.
    cursor = asString(result.nextCursor);
    if (cursor === undefined) return entries;
    if (cursors.has(cursor)) return `${kind.method}: the backend's pages go round in a circle`;
    cursors.add(cursor);
  }
  return `${kind.method}: more than ${MAX_PAGES} pages`;
}

function nativeName(item: JsonObject): string {
  return asString(item.name) ?? asString(item.uri) ?? asString(item.uriTemplate) ?? '';
}

function keyOf(kind: ListKind, backend: string): string {
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
