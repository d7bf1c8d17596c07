// The pins of a running gateway: a book, its lock file, and whoever has to know when something changes. The file is read
// again when it changes, so that `approve` works beside a running gateway, and what stands there wins.

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { BackendConfig, PinsConfig } from '@mcp-overlay/config';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import type { GatewayLog } from '../call/log.ts';
import {
  type BackendFacts,
  decodeLock,
  EMPTY_LOCK,
  encodeLockInSteps,
  type Lock,
  type ProgramFacts,
  readLockFile,
  writeLockFile,
} from './lock-file.ts';
import {
  PIN_LISTS,
  type Pin,
  PinBook,
  type PinKey,
  type PinList,
  type PinMode,
  type PinNews,
  type Verdict,
  type Waiting,
} from './pin-book.ts';
import { programOf, sameProgram, unpinned } from './program.ts';

/** Whoever approved waits no longer than that. */
const LOOK_MS = 500;
/** Lists that come together are written together: when none came for that long … */
const WRITE_MS = 50;
/** … or when the first one waited that long; and of the time, a small part is spent on it. */
const WRITE_AT_MOST_MS = 1000;
const WRITE_SHARE = 20;
const INSTRUCTIONS = 'instructions';

/** What a configuration says of pins. */
export interface PinsSources {
  /** Absent: nothing is configured. */
  readonly config: PinsConfig | undefined;
  readonly backends: readonly BackendConfig[];
}

export interface OpenPinsOptions extends PinsSources {
  /** Where the lock file is. */
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: GatewayLog;
  /** For the record. */
  news?(event: PinEvent): void;
  readonly now?: () => Date;
  /** false: the file stays as it is. */
  readonly keep?: boolean;
}

export type PinEvent =
  | {
      readonly what: 'recorded';
      readonly backend: string;
      readonly list: string;
      readonly count: number;
      readonly digest: string;
    }
  | {
      readonly what: 'changed' | 'unapproved';
      readonly backend: string;
      readonly list: string;
      readonly name: string;
      readonly was: string | undefined;
      readonly now: string;
    }
  | { readonly what: 'program'; readonly backend: string; readonly was: string; readonly now: string }
  | { readonly what: 'upgrade'; readonly backend: string; readonly was: string; readonly now: string };

export interface PinsStatus {
  readonly file: string;
  readonly mode: PinMode;
  readonly configured: boolean;
  readonly definitions: number;
  readonly waiting: readonly {
    readonly backend: string;
    readonly list: string;
    readonly name: string;
    readonly hash: string;
    readonly why: string;
  }[];
  /** Backends whose program is another than the one that is kept. */
  readonly programs: readonly string[];
  readonly trouble?: string;
}

export interface Pins {
  /** What is done with a list, or with the instructions; undefined: this backend is not pinned. */
  judge(backend: string, list: string, client: string, items: readonly JsonObject[]): Verdict[] | undefined;
  /** Its greeting, without instructions that were changed. */
  greeted(backend: string, client: string, welcome: JsonObject): JsonObject;
  /** Its greeting as far as it is known; undefined: such a client was never greeted. */
  greeting(backend: string, client: string): JsonObject | undefined;
  /** Before it was heard: what was approved for such a client. */
  known(backend: string, list: string, client: string): readonly JsonObject[] | undefined;
  /** Calls wait until the list of their backend was looked at. */
  readonly strictCalls: boolean;
  waiting(): readonly (Waiting & { readonly pins: readonly Pin[] })[];
  all(): readonly Pin[];
  decide(key: PinKey, hash: string, state: Pin['state'], by: string): Promise<Pin | undefined>;
  /** Decisions were made. Returns how to stop listening. */
  onDecided(listener: () => void): () => void;
  status(): PinsStatus;
  /** Looks at what another configuration runs. What comes of it puts that in force, for every session. */
  prepare(config: PinsSources): Promise<() => void>;
  /** Resolves when what is known is in the file. */
  saved(): Promise<void>;
  close(): Promise<void>;
}

/** Rejects with a PinError. */
export async function openPins(options: OpenPinsOptions): Promise<Pins> {
  const { file } = options;
  const text = await readLockFile(file);
  const pins = new OpenPins(options, text, text === undefined ? EMPTY_LOCK : decodeLock(text, file));
  (await pins.prepare(options))();
  return pins;
}

class OpenPins implements Pins {
  strictCalls = false;
  #sources: PinsSources;
  readonly #options: OpenPinsOptions;
  readonly #book: PinBook;
  readonly #facts: Map<string, BackendFacts>;
  #modes: ReadonlyMap<string, PinMode | 'off'> = new Map();
  readonly #listeners = new Set<() => void>();
  readonly #programs = new Map<string, ProgramFacts>();
  /** Backends that were heard in this run. */
  readonly #heard = new Set<string>();
  readonly #others = new Set<string>();
  readonly #looking: NodeJS.Timeout;
  /** As it was read or written last. */
  #text: string | undefined;
  #stamp = '';
  #dirty = false;
  #writing: NodeJS.Timeout | undefined;
  #waitsSince = 0;
  #restUntil = 0;
  #work: Promise<void> = Promise.resolve();
  #trouble: string | undefined;
  #closed = false;

  constructor(options: OpenPinsOptions, text: string | undefined, lock: Lock) {
    const { now } = options;
    this.#options = options;
    this.#sources = options;
    this.#text = text;
    this.#facts = new Map(lock.facts);
    this.#book = new PinBook({
      mode: (backend) => (this.#modes.get(backend) === 'strict' ? 'strict' : 'first-use'),
      now,
      news: (news) => this.#tell(news),
    });
    this.#book.load(lock.pins, lock.clients);
    this.#looking = setInterval(() => void this.#then(() => this.#look()), LOOK_MS).unref();
  }

  async prepare({ config, backends }: PinsSources): Promise<() => void> {
    const { env, log } = this.#options;
    const mode = config?.mode ?? 'first-use';
    const modes = new Map(backends.map((backend) => [backend.id, backend.pins ?? mode]));
    const before = this.#sources === this.#options ? [] : this.#sources.backends;
    const programs = new Map<string, ProgramFacts | undefined>();
    for (const { id, transport } of backends) {
      // Of what goes on running it is known.
      const known = before.some((one) => one.id === id && JSON.stringify(one.transport) === JSON.stringify(transport));
      if (known || modes.get(id) === 'off') continue;
      const why = unpinned(transport);
      if (why !== undefined) log.warn({ backend: id, why }, 'backend has no fixed version');
      programs.set(id, await programOf(transport, env));
    }
    return () => {
      // One that is gone has sessions for a while, and they are not to see more of it for that.
      const all = new Map([...this.#modes, ...modes]);
      const judgedAlike = [...this.#modes].every(([id, mode]) => all.get(id) === mode);
      this.#sources = { config, backends };
      this.#modes = all;
      this.strictCalls = config !== undefined || backends.some(({ pins }) => pins !== undefined);
      for (const [id, program] of programs) {
        // It is another server now: the next greeting is looked at as the first one is.
        this.#heard.delete(id);
        if (program) this.#programs.set(id, program);
        else this.#programs.delete(id);
      }
      // Each session looks at its lists again, which takes time; whoever puts this in force has none.
      if (!judgedAlike) setImmediate(() => this.#decided());
    };
  }

  judge(backend: string, list: string, client: string, items: readonly JsonObject[]): Verdict[] | undefined {
    if (this.#isOff(backend) || !isPinList(list)) return undefined;
    return this.#book.judge({ backend, list, client, items });
  }

  greeted(backend: string, client: string, welcome: JsonObject): JsonObject {
    if (this.#isOff(backend)) return welcome;
    this.#hear(backend, welcome);
    // None are pinned too: where there were none, new ones are a change.
    const text = asString(welcome.instructions) ?? '';
    const [verdict] = this.#book.judge({ backend, list: INSTRUCTIONS, client, items: [{ name: INSTRUCTIONS, text }] });
    if (!verdict || 'serve' in verdict || text === '') return welcome;
    const { instructions: _changed, ...rest } = welcome;
    return rest;
  }

  greeting(backend: string, client: string): JsonObject | undefined {
    const capabilities = this.#facts.get(backend)?.capabilities;
    const [instructions] = this.known(backend, INSTRUCTIONS, client) ?? [];
    if (capabilities === undefined || instructions === undefined) return undefined;
    return { capabilities, instructions: instructions.text };
  }

  known(backend: string, list: string, client: string): readonly JsonObject[] | undefined {
    return this.#isOff(backend) || !isPinList(list) ? undefined : this.#book.known(backend, list, client);
  }

  waiting(): readonly (Waiting & { readonly pins: readonly Pin[] })[] {
    return this.#book.waiting();
  }

  all(): readonly Pin[] {
    return this.#book.pins();
  }

  async decide(key: PinKey, hash: string, state: Pin['state'], by: string): Promise<Pin | undefined> {
    let pin: Pin | undefined;
    await this.#then(async () => {
      await this.#look();
      pin = this.#book.decide(key, hash, state, by);
      if (pin === undefined) return;
      const program = this.#programs.get(key.backend);
      if (this.#others.delete(key.backend) && program) this.#learn(key.backend, { program });
      this.#dirty = true;
      await this.#write();
      this.#decided();
    });
    if (pin !== undefined && this.#trouble !== undefined) throw new Error(this.#trouble);
    return pin;
  }

  onDecided(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  status(): PinsStatus {
    const { file } = this.#options;
    const { config } = this.#sources;
    return {
      file,
      mode: config?.mode === 'strict' ? 'strict' : 'first-use',
      configured: this.strictCalls,
      definitions: this.#book.pins().length,
      waiting: this.#book.waiting().map(({ backend, list, name, hash, why }) => ({ backend, list, name, hash, why })),
      programs: [...this.#others],
      ...(this.#trouble !== undefined && { trouble: this.#trouble }),
    };
  }

  async saved(): Promise<void> {
    await this.#then(() => this.#write());
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#looking);
    clearTimeout(this.#writing);
    await this.saved();
  }

  #isOff(backend: string): boolean {
    return (this.#modes.get(backend) ?? 'off') === 'off';
  }

  /** Once in a run: is it the server that was here before? */
  #hear(backend: string, { serverInfo, _meta, protocolVersion, capabilities }: JsonObject): void {
    if (this.#heard.has(backend)) return;
    this.#heard.add(backend);
    const { name, version } =
      asObject(serverInfo) ?? asObject(asObject(_meta)?.['io.modelcontextprotocol/serverInfo']) ?? {};
    const server = { name: asString(name) ?? '', version: asString(version) ?? '' };
    const program = this.#programs.get(backend);
    const known = this.#facts.get(backend);
    const changed = known?.program && program && !sameProgram(known.program, program);
    const renamed = known?.server && (known.server.name !== server.name || known.server.version !== server.version);
    if (!this.strictCalls && (changed || renamed)) {
      // Nobody asked for pins, so what announces itself as another version is taken as one.
      this.#book.anew(backend);
      const was = words(known?.server, known?.program);
      this.#news({ what: 'upgrade', backend, was, now: words(server, program) });
    } else if (changed && known?.program && program) {
      this.#others.add(backend);
      this.#news({ what: 'program', backend, was: words(undefined, known.program), now: words(undefined, program) });
    }
    const kept = changed && this.strictCalls ? known?.program : program;
    this.#learn(backend, {
      server,
      protocol: asString(protocolVersion),
      capabilities: asObject(capabilities) ?? {},
      program: kept,
    });
  }

  #learn(backend: string, facts: BackendFacts): void {
    this.#facts.set(backend, { ...this.#facts.get(backend), ...facts });
    this.#later();
  }

  #tell({ backend, list, recorded, withheld }: PinNews): void {
    this.#later();
    if (recorded.length > 0) {
      const digest = `sha256:${createHash('sha256')
        .update(
          recorded
            .map(({ hash }) => hash)
            .sort()
            .join('\n'),
        )
        .digest('hex')}`;
      this.#news({ what: 'recorded', backend, list, count: recorded.length, digest });
    }
    for (const { name, why: what, was, hash: now } of withheld) this.#news({ what, backend, list, name, was, now });
  }

  #news(event: PinEvent): void {
    const { what, ...fields } = event;
    const { log } = this.#options;
    if (what === 'recorded') log.debug(fields, 'definitions recorded');
    else if (what === 'upgrade') log.info(fields, 'backend has another version, its definitions are recorded anew');
    else if (what === 'program') log.warn(fields, 'backend is another program than the one that was approved');
    else
      log.warn(
        fields,
        what === 'changed'
          ? 'definition changed, it is hidden until it is approved'
          : 'definition is hidden until it is approved',
      );
    this.#options.news?.(event);
  }

  #later(): void {
    this.#dirty = true;
    if (this.#closed) return;
    const now = performance.now();
    if (this.#writing === undefined) this.#waitsSince = now;
    clearTimeout(this.#writing);
    const latest = this.#waitsSince + WRITE_AT_MOST_MS - now;
    const ms = Math.max(Math.min(WRITE_MS, latest), this.#restUntil - now, 0);
    this.#writing = setTimeout(() => void this.#then(() => this.#write()), ms);
  }

  /** One thing at a time. */
  #then(step: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(step).catch((error: unknown) => this.#fail(error));
    return this.#work;
  }

  async #write(): Promise<void> {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    if (!this.#dirty || this.#options.keep === false) return;
    await this.#look();
    this.#dirty = false;
    const since = performance.now();
    const text = await encodeLockInSteps(this.#lock());
    if (text !== this.#text) {
      await writeLockFile(this.#options.file, text);
      this.#text = text;
      this.#stamp = await this.#stampNow();
    }
    const until = performance.now();
    this.#restUntil = until + Math.min(WRITE_AT_MOST_MS, WRITE_SHARE * (until - since));
    this.#trouble = undefined;
  }

  #lock(): Lock {
    const ids = new Set([...this.#facts.keys(), ...this.#modes.keys()]);
    const clients = [...ids].flatMap((id) =>
      PIN_LISTS.map((list) => [id, list, this.#book.clientsOf(id, list)] as const),
    );
    return { facts: this.#facts, pins: this.#book.pins(), clients };
  }

  /** What somebody else wrote is taken over; what was recorded since and is not there is recorded when it is shown again. */
  async #look(): Promise<void> {
    const stamp = await this.#stampNow();
    if (stamp === this.#stamp) return;
    const text = await readLockFile(this.#options.file);
    this.#stamp = stamp;
    if (text === undefined || text === this.#text) return;
    const lock = decodeLock(text, this.#options.file);
    const mine = this.#book.pins();
    const theirs = new Set(lock.pins.map(idOf));
    const fresh = this.#dirty ? mine.filter((pin) => !theirs.has(idOf(pin))) : [];
    this.#book.load([...lock.pins, ...fresh], this.#dirty ? [...lock.clients, ...this.#lock().clients] : lock.clients);
    for (const [id, facts] of lock.facts) this.#facts.set(id, { ...this.#facts.get(id), ...facts });
    this.#text = text;
    this.#trouble = undefined;
    this.#options.log.info({ file: this.#options.file }, 'lock file read again');
    this.#decided();
  }

  async #stampNow(): Promise<string> {
    const stats = await stat(this.#options.file, { bigint: true }).catch(() => undefined);
    return stats ? `${stats.ino} ${stats.mtimeNs} ${stats.size}` : '';
  }

  #decided(): void {
    for (const listener of this.#listeners) listener();
  }

  #fail(error: unknown): void {
    const trouble = error instanceof Error ? error.message : String(error);
    if (trouble !== this.#trouble) this.#options.log.warn({ error: trouble }, 'lock file');
    this.#trouble = trouble;
  }
}

/** Of what a server made this list: by whose credential, in which era, for which capabilities. */
export function clientKind(...parts: readonly (string | undefined)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** Short enough to be typed, long enough not to be met by chance. */
export function shortHash(hash: string): string {
  return hash.slice('sha256:'.length, 'sha256:'.length + 16);
}

function isPinList(list: string): list is PinList {
  return (PIN_LISTS as readonly string[]).includes(list);
}

function idOf({ backend, list, name }: PinKey): string {
  return JSON.stringify([backend, list, name]);
}

function words(server: BackendFacts['server'], program: ProgramFacts | undefined): string {
  const parts = [
    server && `${server.name} ${server.version}`,
    program?.package,
    program?.file,
    program && `command ${program.command}`,
  ];
  return parts.filter((part) => part !== undefined && part.trim() !== '').join(', ');
}
