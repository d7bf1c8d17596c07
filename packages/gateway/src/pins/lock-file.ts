// The lock file: what is known of each backend, and every definition in full. Reading is linear and checks each hash; writing
// replaces the file whole, or not at all. Backends are sorted, definitions stand in the order they were first listed in, each
// member on a line of its own, so that a change is a change of few lines in version control.

import { open, rename, rm } from 'node:fs/promises';
import { changeableBy } from '@mcp-overlay/config';
import { asArray, asObject, asString, type JsonObject } from '../call/json.ts';
import { definitionOf } from './definition.ts';
import { PinError } from './errors.ts';
import { PIN_LIMITS } from './limits.ts';
import { lockInvalid, readYaml, Written, writeYaml } from './lock-yaml.ts';
import { PIN_LISTS, type Pin, type PinList } from './pin-book.ts';

const HEAD = `# What the servers behind this gateway say of themselves, as it was seen first or approved. mcp-gateway writes it; look at
# it in version control, and change it with mcp-gateway approve. docs/PINS.md explains it.
`;
const VERSION = 1;

/** What is kept of a backend besides its definitions. */
export interface BackendFacts {
  readonly server?: { readonly name: string; readonly version: string } | undefined;
  readonly protocol?: string | undefined;
  readonly capabilities?: JsonObject | undefined;
  /** What is run for it: see program.ts. */
  readonly program?: ProgramFacts | undefined;
}

export interface ProgramFacts {
  readonly command: string;
  readonly package?: string | undefined;
  readonly file?: string | undefined;
}

export interface Lock {
  readonly facts: ReadonlyMap<string, BackendFacts>;
  readonly pins: readonly Pin[];
  readonly clients: readonly (readonly [backend: string, list: PinList, kinds: readonly string[]])[];
}

export const EMPTY_LOCK: Lock = { facts: new Map(), pins: [], clients: [] };

/** undefined: there is no file. Rejects with a PinError. */
export async function readLockFile(path: string): Promise<string | undefined> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw lockInvalid(path, undefined, `cannot be read (${error.code})`);
  });
  if (handle === undefined) return undefined;
  await using file = handle;
  const stats = await file.stat();
  if (!stats.isFile() || stats.size > PIN_LIMITS.lockBytes) {
    throw lockInvalid(path, undefined, `is no file of at most ${PIN_LIMITS.lockBytes} bytes`);
  }
  if (changeableBy(stats) === 'everybody') {
    const hint = `chmod o-w ${path}`;
    throw new PinError('lock_open_to_others', `everybody on this machine may change the lock file ${path}`, hint);
  }
  return file.readFile('utf8');
}

/** Rejects `lock_unwritable`; the file is then what it was. */
export async function writeLockFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.new`;
  try {
    if (Buffer.byteLength(text) > PIN_LIMITS.lockBytes) throw Object.assign(new Error(), { code: 'EFBIG' });
    {
      await using handle = await open(draft, 'wx', 0o644);
      await handle.writeFile(text);
      await handle.sync();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    const { code } = error as NodeJS.ErrnoException;
    const hint = 'name another place in pins.file';
    throw new PinError('lock_unwritable', `the lock file ${path} cannot be written (${code})`, hint);
  }
}

/** A pin is never changed, only replaced: its text is made once. */
const texts = new WeakMap<Pin, string>();
/** The indent of an entry in the file. */
const ENTRY_INDENT = 8;
/** Others have the thread in between. */
const STEP_MS = 4;

export function encodeLock(lock: Lock): string {
  const { facts, pins, clients } = lock;
  const byList = new Map<string, string[]>();
  for (const pin of pins) {
    const key = listKey(pin.backend, pin.list);
    const known = byList.get(key);
    if (known) known.push(textOf(pin));
    else byList.set(key, [textOf(pin)]);
  }
  const kindsOf = new Map(clients.map(([id, list, kinds]) => [listKey(id, list), kinds]));
  const ids = [
    ...new Set([...facts.keys(), ...pins.map(({ backend }) => backend), ...clients.map(([id]) => id)]),
  ].sort();
  const backends = ids.map((id) => {
    const { server, protocol, program, capabilities } = facts.get(id) ?? {};
    const lists = PIN_LISTS.map((list) => {
      const kinds = kindsOf.get(listKey(id, list)) ?? [];
      const entries = byList.get(listKey(id, list)) ?? [];
      const pinned = entries.length === 0 ? [] : new Written(entries);
      return [list, kinds.length + entries.length === 0 ? undefined : { clients: [...kinds], pinned }] as const;
    });
    return [id, { server, protocol, program, capabilities, ...Object.fromEntries(lists) }] as const;
  });
  return `${HEAD}${writeYaml({ version: VERSION, backends: Object.fromEntries(backends) })}`;
}

/** The same, a few milliseconds at a time: thousands of definitions that come at once hold up nobody. */
export async function encodeLockInSteps(lock: Lock): Promise<string> {
  let since = performance.now();
  for (const pin of lock.pins) {
    textOf(pin);
    if (performance.now() - since < STEP_MS) continue;
    await new Promise(setImmediate);
    since = performance.now();
  }
  return encodeLock(lock);
}

function textOf(pin: Pin): string {
  const known = texts.get(pin);
  if (known !== undefined) return known;
  const text = writeYaml([entryOf(pin)], ENTRY_INDENT);
  texts.set(pin, text);
  return text;
}

function listKey(backend: string, list: PinList): string {
  return `${list} ${backend}`;
}

function entryOf({ name, state, hash, by, at, clients, item }: Pin): object {
  return { name, state, hash, by, at, clients, definition: item };
}

/** Throws `lock_invalid`: nothing of a broken file is believed. */
export function decodeLock(text: string, path: string): Lock {
  const { version, backends } = asObject(readYaml(text, path)) ?? {};
  const wrong = (what: string): PinError => lockInvalid(path, undefined, what);
  if (version !== VERSION) throw wrong('is no lock file of this version');
  const facts = new Map<string, BackendFacts>();
  const pins: Pin[] = [];
  const clients: [string, PinList, string[]][] = [];
  for (const [backend, value] of Object.entries(asObject(backends) ?? {})) {
    const its = asObject(value) ?? {};
    facts.set(backend, factsOf(its));
    for (const list of PIN_LISTS) {
      const section = asObject(its[list]);
      if (!section) continue;
      clients.push([backend, list, textsOf(section.clients)]);
      for (const entry of asArray(section.pinned) ?? []) {
        const pin = pinOf(backend, list, asObject(entry) ?? {});
        if (typeof pin === 'string') throw wrong(pin);
        pins.push(pin);
      }
    }
  }
  checkOnce(pins, wrong);
  return { facts, pins, clients };
}

function pinOf(backend: string, list: PinList, entry: JsonObject): Pin | string {
  const [name, hash, at, by] = [entry.name, entry.hash, entry.at, entry.by].map(asString);
  const { state, definition } = entry;
  const item = asObject(definition);
  const what = `${list} ${JSON.stringify(name ?? '')} of ${backend}`;
  if (name === undefined || hash === undefined || at === undefined || by === undefined || item === undefined) {
    return `${what} lacks a member, or has one of another kind`;
  }
  if (state !== 'approved' && state !== 'denied') return `${what} is neither approved nor denied`;
  if (definitionOf(item).hash !== hash)
    return `${what} has a definition that is not the one of its hash: it was edited by hand`;
  const kinds = entry.clients === undefined ? undefined : textsOf(entry.clients);
  return { backend, list, name, item, hash, state, at, by, ...(kinds && { clients: kinds }) };
}

function checkOnce(pins: readonly Pin[], wrong: (what: string) => PinError): void {
  const seen = new Set<string>();
  for (const { backend, list, name, hash } of pins) {
    const key = JSON.stringify([backend, list, name, hash]);
    if (seen.has(key)) throw wrong(`${list} ${JSON.stringify(name)} of ${backend} is there twice`);
    seen.add(key);
  }
}

function factsOf({ server, protocol, program, capabilities }: JsonObject): BackendFacts {
  const { name, version } = asObject(server) ?? {};
  const { command, package: resolved, file } = asObject(program) ?? {};
  return {
    ...(asObject(server) && { server: { name: asString(name) ?? '', version: asString(version) ?? '' } }),
    ...(asObject(capabilities) && { capabilities: asObject(capabilities) }),
    ...(asString(protocol) !== undefined && { protocol: asString(protocol) }),
    ...(asString(command) !== undefined && {
      program: { command: asString(command) ?? '', package: asString(resolved), file: asString(file) },
    }),
  };
}

function textsOf(value: unknown): string[] {
  return (asArray(value) ?? []).flatMap((one) => asString(one) ?? []);
}
