// Public names of tools and prompts. Injective: one public name leads to one (backend, native name) or to nothing.
// Clients accept only ^[a-zA-Z0-9_-]{1,64}$ without loss (measured on real agents), so longer names are shortened with a
// hash of the whole, which is the same after every restart.

import { createHash } from 'node:crypto';

const MAX_LENGTH = 64;
const HASH_LENGTH = 8;

export interface Named {
  readonly backend: string;
  readonly native: string;
}

export interface NameTable<T extends Named> {
  /** In the order of the input. */
  readonly shown: ReadonlyMap<string, T>;
  readonly hidden: readonly { readonly item: T; readonly name: string; readonly why: string }[];
}

export interface Naming {
  /** What goes before a backend's names; '' where they stay as they are. */
  prefixOf(backend: string): string;
}

export function naming(backends: readonly { id: string; prefix?: string | undefined }[], separator: string): Naming {
  const joint = separator.replace(/[^a-zA-Z0-9_-]/g, '_');
  const single = backends.length === 1;
  const prefixes = new Map(
    backends.map(({ id, prefix }) => [id, single ? (prefix ?? '') : (prefix ?? `${id}${joint}`)] as const),
  );
  return { prefixOf: (backend) => prefixes.get(backend) ?? '' };
}

/** Names all items of one kind. Two of one backend that meet get a hash each; two backends that meet are both hidden. */
export function nameAll<T extends Named>(items: readonly T[], naming: Naming): NameTable<T> {
  const wanted = new Map<string, T[]>();
  for (const item of items) {
    const name = publicName(naming.prefixOf(item.backend), item.native);
    const others = wanted.get(name);
    if (others) others.push(item);
    else wanted.set(name, [item]);
  }
  const final = new Map<string, T[]>();
  const place = (name: string, item: T): void => {
    final.set(name, [...(final.get(name) ?? []), item]);
  };
  for (const [name, group] of wanted) {
    const meetsItself = new Set(group.map((item) => item.backend)).size < group.length;
    for (const item of group) {
      const exact = naming.prefixOf(item.backend) + item.native === name;
      place(meetsItself && !exact ? withHash(name, naming.prefixOf(item.backend) + item.native) : name, item);
    }
  }
  return decide(items, final);
}

function decide<T extends Named>(items: readonly T[], final: ReadonlyMap<string, readonly T[]>): NameTable<T> {
  const nameOf = new Map<T, string>();
  const hidden: { item: T; name: string; why: string }[] = [];
  const folded = ownersByFold(final);
  for (const [name, group] of final) {
    const [first, ...rest] = group;
    const nearly = folded.get(name.toLowerCase()) ?? [];
    if (nearly.length > 1 && new Set(group.map((item) => item.backend)).size === 1) {
      // An agent, or who reads over its shoulder, takes one for the other.
      const why = `backends ${nearly.join(' and ')} both have it, but for upper and lower case`;
      for (const item of group) hidden.push({ item, name, why });
      continue;
    }
    if (first && rest.length === 0) {
      nameOf.set(first, name);
      continue;
    }
    const owners = [...new Set(group.map((item) => item.backend))];
    const twice = new Set(group.map((item) => `${item.backend} ${item.native}`)).size === 1;
    const why = owners.length > 1 ? `backends ${owners.join(' and ')} both have it` : 'the backend has it twice';
    // One name listed twice by one backend is one tool; else nobody could tell which is meant, so all are hidden.
    if (twice && first) nameOf.set(first, name);
    for (const item of twice ? rest : group) hidden.push({ item, name, why });
  }
  const shown = new Map<string, T>();
  for (const item of items) {
    const name = nameOf.get(item);
    if (name !== undefined) shown.set(name, item);
  }
  return { shown, hidden };
}

/** By the name in lower case. Names of one backend that differ by case alone are its own affair. */
function ownersByFold<T extends Named>(
  final: ReadonlyMap<string, readonly T[]>,
): ReadonlyMap<string, readonly string[]> {
  const owners = new Map<string, Set<string>>();
  for (const [name, group] of final) {
    const key = name.toLowerCase();
    const known = owners.get(key) ?? new Set();
    for (const { backend } of group) known.add(backend);
    owners.set(key, known);
  }
  return new Map([...owners].map(([key, ids]) => [key, [...ids]]));
}

function publicName(prefix: string, native: string): string {
  if (prefix === '') return native;
  const full = prefix + native;
  const legal = full.replace(/[^a-zA-Z0-9_-]/g, '_');
  return legal.length <= MAX_LENGTH ? legal : withHash(legal, full);
}

function withHash(legal: string, full: string): string {
  const hash = createHash('sha256').update(full).digest('hex').slice(0, HASH_LENGTH);
  return `${legal.slice(0, MAX_LENGTH - HASH_LENGTH - 1)}_${hash}`;
}
