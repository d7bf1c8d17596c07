// The definitions that were seen or approved, and what becomes of those that a server shows now. Pure: what is kept where is
// the lock file's business. Clients are served the approved copy, never the live text; a changed one is hidden until it is
// approved, and its old hash stays what it was, however often the server shows the new one.
// A server may list by what its client can do, or by whose credential it has: the first list of such a client is a first use
// of its own. It holds for clients of that kind alone.

import { asString, type JsonObject } from '../call/json.ts';
import { type Definition, definitionOf } from './definition.ts';
import { PIN_LIMITS } from './limits.ts';

export type PinMode = 'first-use' | 'strict';
/** `instructions` is a list of one. */
export const PIN_LISTS = ['instructions', 'tools', 'prompts', 'resourceTemplates'] as const;
export type PinList = (typeof PIN_LISTS)[number];
export type Withheld = 'changed' | 'denied' | 'unapproved';

export interface PinKey {
  readonly backend: string;
  readonly list: PinList;
  /** The server's own name, or URI template. */
  readonly name: string;
}

export interface Pin extends PinKey {
  readonly item: JsonObject;
  /** Of the item, see definition.ts. */
  readonly hash: string;
  readonly state: 'approved' | 'denied';
  /** ISO time. */
  readonly at: string;
  /** `first use`, or who decided. */
  readonly by: string;
  /** Kinds of clients it holds for; absent: all. */
  readonly clients?: readonly string[] | undefined;
}

export interface Waiting extends PinKey {
  readonly item: JsonObject;
  readonly hash: string;
  readonly why: Exclude<Withheld, 'denied'>;
  readonly client: string;
}

export type Verdict = { readonly serve: JsonObject } | { readonly withheld: Withheld };

export interface PinNews {
  readonly backend: string;
  readonly list: PinList;
  /** Seen for the first time, and kept. */
  readonly recorded: readonly Pin[];
  /** Changed, or new under `strict`; each told once. */
  readonly withheld: readonly (Waiting & { readonly was: string | undefined })[];
}

export interface PinBookOptions {
  mode(backend: string): PinMode;
  readonly now?: (() => Date) | undefined;
  readonly news?: ((news: PinNews) => void) | undefined;
}

export interface Judged {
  readonly backend: string;
  readonly list: PinList;
  /** Of which kind the client is, for which the server made this list. */
  readonly client: string;
  readonly items: readonly JsonObject[];
}

/** A look without a client (`check`, `approve`): what was recorded for any kind will do, and nothing is first use of a kind. */
export const NO_CLIENT = '';
export const FIRST_USE = 'first use';

interface ListPins {
  /** In the order in which they were first listed. */
  readonly byName: Map<string, Pin[]>;
  readonly clients: Set<string>;
}

export class PinBook {
  readonly #options: PinBookOptions;
  readonly #lists = new Map<string, ListPins>();
  /** What is shown now and withheld, by its key: what can be approved. */
  readonly #waiting = new Map<string, Waiting>();
  /** By hash: kinds of clients that were shown it last. An approval does not take it from them. */
  readonly #shownTo = new Map<string, Set<string>>();
  readonly #told = new Map<string, Set<string>>();

  constructor(options: PinBookOptions) {
    this.#options = options;
  }

  /** One verdict for each item, in order. A whole list at once: only then it is known what this kind of client was shown. */
  judge({ backend, list, client, items }: Judged): Verdict[] {
    const pins = this.#listOf(backend, list);
    const fresh = client !== NO_CLIENT && !pins.clients.has(client) && pins.clients.size < PIN_LIMITS.clients;
    const recorded: Pin[] = [];
    const withheld: (Waiting & { was: string | undefined })[] = [];
    const names = new Set<string>();
    const verdicts = items.map((item): Verdict => {
      const name = pinName(list, item);
      names.add(name);
      const shown = definitionOf(item);
      const verdict = this.#judgeOne({ backend, list, name }, item, shown, client, fresh, recorded);
      if ('withheld' in verdict && verdict.withheld !== 'denied') {
        const why = verdict.withheld;
        const waiting = { backend, list, name, item, hash: shown.hash, why, client };
        this.#wait(waiting);
        if (this.#tell(waiting)) withheld.push({ ...waiting, was: pins.byName.get(name)?.[0]?.hash });
      }
      return verdict;
    });
    this.#dropGone(backend, list, client, names);
    if (fresh) pins.clients.add(client);
    if (recorded.length > 0 || withheld.length > 0 || fresh) {
      this.#options.news?.({ backend, list, recorded, withheld });
    }
    return verdicts;
  }

  #judgeOne(
    key: PinKey,
    item: JsonObject,
    shown: Definition,
    client: string,
    fresh: boolean,
    recorded: Pin[],
  ): Verdict {
    const { byName } = this.#listOf(key.backend, key.list);
    const pins = byName.get(key.name) ?? [];
    if (pins.some(({ state }) => state === 'denied')) return { withheld: 'denied' };
    const match = pins.find(
      ({ hash, clients }) => hash === shown.hash && (!clients || client === NO_CLIENT || clients.includes(client)),
    );
    const id = idOf(key);
    if (match) {
      this.#shown(id, shown.hash, client);
      if (this.#waiting.get(id)?.client === client) this.#waiting.delete(id);
      return { serve: match.item };
    }
    this.#shownTo.get(`${id} ${pins[0]?.hash}`)?.delete(client);
    if (this.#options.mode(key.backend) === 'strict') return { withheld: pins.length > 0 ? 'changed' : 'unapproved' };
    const own = pins.some(({ clients }) => clients?.includes(client));
    // What others were shown as a change is one for this client too.
    const known = pins.length > 0 && (!fresh || own || this.#waiting.has(id));
    if (known) return { withheld: 'changed' };
    const same = pins.find(({ hash }) => hash === shown.hash);
    const pin: Pin = same
      ? { ...same, clients: [...(same.clients ?? []), client] }
      : {
          ...this.#decided(key, item, shown.hash, 'approved', FIRST_USE),
          ...(pins.length > 0 && { clients: [client] }),
        };
    byName.set(key.name, same ? pins.map((one) => (one === same ? pin : one)) : [...pins, pin]);
    recorded.push(pin);
    this.#shown(id, shown.hash, client);
    return { serve: pin.item };
  }

  /** undefined: nothing with this hash is there, so nobody can have looked at it. */
  decide(key: PinKey, hash: string, state: Pin['state'], by: string): Pin | undefined {
    const { byName } = this.#listOf(key.backend, key.list);
    const id = idOf(key);
    const pins = byName.get(key.name) ?? [];
    const waiting = this.#waiting.get(id);
    const seen = waiting?.hash === hash ? waiting : pins.find((pin) => pin.hash === hash);
    if (seen === undefined) return undefined;
    this.#waiting.delete(id);
    const pin = this.#decided(key, seen.item, hash, state, by);
    // What other kinds of clients are shown, and was approved, stays theirs.
    const others =
      state === 'denied'
        ? []
        : pins.filter(
            (one) =>
              one.hash !== hash && one.state !== 'denied' && (this.#shownTo.get(`${id} ${one.hash}`)?.size ?? 0) > 0,
          );
    byName.set(key.name, [pin, ...others]);
    this.#told.get(key.backend)?.delete(`${id} ${hash}`);
    return pin;
  }

  /** What was approved for this kind of client, in order; undefined: it was never shown this list. */
  known(backend: string, list: PinList, client: string): readonly JsonObject[] | undefined {
    const pins = this.#lists.get(listKey(backend, list));
    if (!pins?.clients.has(client)) return undefined;
    return [...pins.byName.values()].flatMap((all) => {
      if (all.some(({ state }) => state === 'denied')) return [];
      const pin = all.find(({ clients }) => clients?.includes(client)) ?? all.find(({ clients }) => !clients);
      return pin ? [pin.item] : [];
    });
  }

  /** Forgets what was only ever seen, not approved: the next list of this backend is a first use. */
  anew(backend: string): void {
    for (const list of PIN_LISTS) {
      const { byName, clients } = this.#listOf(backend, list);
      clients.clear();
      for (const [name, pins] of byName) {
        const kept = pins.filter(({ by }) => by !== FIRST_USE);
        if (kept.length > 0) byName.set(name, kept);
        else byName.delete(name);
      }
    }
  }

  waiting(): readonly (Waiting & { readonly pins: readonly Pin[] })[] {
    return [...this.#waiting.values()].map((one) => ({
      ...one,
      pins: this.#listOf(one.backend, one.list).byName.get(one.name) ?? [],
    }));
  }

  pins(): readonly Pin[] {
    return [...this.#lists.values()].flatMap(({ byName }) => [...byName.values()].flat());
  }

  clientsOf(backend: string, list: PinList): readonly string[] {
    return [...(this.#lists.get(listKey(backend, list))?.clients ?? [])];
  }

  /** As a file has it; what waits goes on waiting, but for what is decided there. */
  load(pins: Iterable<Pin>, clients: Iterable<readonly [string, PinList, readonly string[]]>): void {
    this.#lists.clear();
    for (const pin of pins) {
      const { byName } = this.#listOf(pin.backend, pin.list);
      byName.set(pin.name, [...(byName.get(pin.name) ?? []), pin]);
    }
    for (const [backend, list, kinds] of clients)
      for (const kind of kinds) this.#listOf(backend, list).clients.add(kind);
    for (const [id, { backend, list, name, hash }] of this.#waiting) {
      const decided = this.#listOf(backend, list)
        .byName.get(name)
        ?.some((pin) => pin.hash === hash || pin.state === 'denied');
      if (decided) this.#waiting.delete(id);
    }
  }

  #decided(key: PinKey, item: JsonObject, hash: string, state: Pin['state'], by: string): Pin {
    const { backend, list, name } = key;
    return { backend, list, name, item, hash, state, at: (this.#options.now?.() ?? new Date()).toISOString(), by };
  }

  #wait(waiting: Waiting): void {
    const id = idOf(waiting);
    if (this.#waiting.has(id) || this.#waiting.size < PIN_LIMITS.waiting) this.#waiting.set(id, waiting);
  }

  /** What the server does not list any more to this client cannot be approved. */
  #dropGone(backend: string, list: PinList, client: string, names: ReadonlySet<string>): void {
    for (const [id, one] of this.#waiting) {
      if (one.backend === backend && one.list === list && one.client === client && !names.has(one.name)) {
        this.#waiting.delete(id);
      }
    }
  }

  #tell({ hash, ...key }: Waiting): boolean {
    const told = this.#told.get(key.backend) ?? new Set();
    this.#told.set(key.backend, told);
    const what = `${idOf(key)} ${hash}`;
    if (told.has(what) || told.size >= PIN_LIMITS.told) return false;
    told.add(what);
    return true;
  }

  #shown(id: string, hash: string, client: string): void {
    const key = `${id} ${hash}`;
    const clients = this.#shownTo.get(key) ?? new Set();
    if (clients.size < PIN_LIMITS.clients) clients.add(client);
    this.#shownTo.set(key, clients);
  }

  #listOf(backend: string, list: PinList): ListPins {
    const key = listKey(backend, list);
    const known = this.#lists.get(key) ?? { byName: new Map(), clients: new Set() };
    this.#lists.set(key, known);
    return known;
  }
}

/** Two templates may have one name. */
function pinName(list: PinList, item: JsonObject): string {
  const [first, second] = list === 'resourceTemplates' ? [item.uriTemplate, item.name] : [item.name, item.uriTemplate];
  return asString(first) ?? asString(second) ?? '';
}

function idOf({ backend, list, name }: PinKey): string {
  return JSON.stringify([backend, list, name]);
}

function listKey(backend: string, list: PinList): string {
  return `${list} ${backend}`;
}
