// One configuration in force: everything that follows from a file, made whole and checked before anything of it is used, and
// never changed after. What goes on over generations (the share, the log, children of backends that stayed as they were) is in
// the world that it is built in. ./reload.ts puts one in the place of another.

import type { BackendConfig, GatewayConfig, ResolveOptions } from '@mcp-overlay/config';
import { grantsOf, type Issuers, openIssuers, type Principal, type TokenBook } from '@mcp-overlay/overlay';
import type { Pins } from './pins/open.ts';
import { type Access, accessOf } from './policy/access.ts';
import type { Allowances } from './policy/allowances.ts';
import { bothOf, NO_ACCESS } from './policy/both.ts';
import { type ToolFilter, toolFilter } from './policy/filter.ts';
import { limitsNow, nextAllowances, openAllowances } from './policy/open-allowances.ts';
import { openPolicy } from './policy/open-policy.ts';
import type { Policy } from './policy/policy.ts';
import { enabled, same } from './reload/changes.ts';
import { credentialsOf, type SeenSecrets } from './reload/credentials.ts';
import type { Scrubbing } from './scrub/open.ts';
import type { SessionSettings } from './session/settings.ts';
import type { ShareRules } from './share.ts';
import { openShareBooks, type ShareBooks } from './share-tokens.ts';
import type { WantedShare } from './shares.ts';

type OneBackend = SessionSettings['backends'][number];

/** Under which configuration a session is. */
export class Origin {
  generation: Generation | undefined;

  get number(): number {
    return this.generation?.number ?? 0;
  }
}

export interface Generation {
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly config: GatewayConfig;
  readonly policy: Policy;
  /** Of sessions over the gateway's own share. */
  readonly settings: SessionSettings;
  readonly allowances: Allowances | undefined;
  readonly issuers: Issuers | undefined;
  readonly books: ShareBooks;
  readonly pins: Pins | undefined;
  /** Sessions that began under it go on under a later one, where that changes nothing of what they are made of. */
  readonly origin: Origin;
  /** What this configuration alone lets somebody do who came over the share of a view. */
  accessOf(view: string | undefined, principal: Principal, session: number): Access;
  /** undefined: that view has no share here. */
  rulesOf(view: string | undefined): ShareRules | undefined;
  /** Of the gateway's own share. */
  readonly rules: ShareRules;
  readonly views: readonly WantedShare[];
}

/** What outlives every configuration. */
export interface World {
  /** The one in force; undefined: before the first. */
  now: Generation | undefined;
  readonly secrets: ResolveOptions;
  readonly seen: SeenSecrets;
  readonly scrub: Scrubbing | undefined;
  /** Once there are some they stay, for those that began with them. */
  pins: Pins | undefined;
  readonly surroundings: Parameters<typeof openAllowances>[1];
  handRole(id: string): string | undefined;
  /** `keep`: a backend that is the same in the configuration before goes on. */
  settingsOf(
    config: GatewayConfig,
    more: { readonly pins: Pins | undefined; readonly keep: (config: BackendConfig) => OneBackend | undefined },
  ): SessionSettings;
  openPins(config: GatewayConfig): Promise<Pins | undefined>;
}

export interface Draft {
  readonly generation: Generation;
  /** Backends whose servers were given secrets, or a place in them, that are others now. */
  readonly renewed: ReadonlySet<string>;
  /** Of these: whose configuration says the same as before. */
  readonly rotated: ReadonlySet<string>;
  /** Sessions of the generation before go on under this one. */
  readonly carries: boolean;
  /** Synchronous: whoever asks before it sees the old, whoever asks after it the new. */
  apply(): void;
  /** Of the generation before: what nobody uses any more. */
  retire(): Promise<void>;
  discard(): Promise<void>;
}

/** Rejects with what is wrong, and then nothing has changed. */
export async function buildGeneration(world: World, config: GatewayConfig, before?: Generation): Promise<Draft> {
  const policy = await openPolicy(config, { handRole: world.handRole });
  const goesOn = (one: BackendConfig): OneBackend | undefined => kept(one, config, before);
  const read = before && (await world.seen.read(enabled(config), world.secrets, (one) => goesOn(one) !== undefined));
  const rotated = new Set(enabled(config).flatMap((one) => (read?.rotated(one) ? [one.id] : [])));
  const applyScrub = before && (await world.scrub?.prepare(config));
  const allowances = before
    ? await nextAllowances(config, before, world.surroundings)
    : await openAllowances(config, world.surroundings);
  const books = await openShareBooks(config, config.share.token, world.secrets, before?.books);
  const issuers = await issuersFor(config, world, before);
  // The last that may fail but for the settings: what is open looks at its file until it is closed.
  const { pins, apply: applyPins } = await pinsFor(world, config);
  let settings: SessionSettings;
  try {
    settings = world.settingsOf(config, {
      pins,
      keep: (one) => (rotated.has(one.id) ? undefined : goesOn(one)),
    });
  } catch (error) {
    if (pins !== world.pins) await pins?.close();
    throw error;
  }
  const number = (before?.number ?? 0) + 1;
  const generation = join(world, { number, config, policy, settings, allowances, issuers, books, pins });
  const carriesOn = before !== undefined && carries(before, generation);
  return {
    generation,
    rotated,
    renewed: new Set([...rotated, ...(before ? recredentialed(before.config, config) : [])]),
    carries: carriesOn,
    apply: () => {
      world.now = generation;
      if (pins) world.pins = pins;
      applyScrub?.();
      applyPins();
      read?.commit();
    },
    retire: async () => {
      const old = before?.allowances;
      if (old && !allowances?.continues(old)) await old.close();
    },
    discard: async () => {
      const old = new Set(before?.settings.backends.map(({ backend }) => backend));
      await Promise.all(settings.backends.map(({ backend }) => !old.has(backend) && backend.close?.(DISCARDED)));
      if (allowances && !before?.allowances?.continues(allowances)) await allowances.close();
      if (pins && pins !== world.pins) await pins.close();
    },
  };
}

const DISCARDED = { code: 'done', reason: 'the configuration was not taken over' };

type Parts = Pick<
  Generation,
  'number' | 'config' | 'policy' | 'settings' | 'allowances' | 'issuers' | 'books' | 'pins'
>;

function join(world: World, parts: Parts): Generation {
  const { config, policy, books } = parts;
  const filters = filtersOf(config);
  const policies = new Map<string | undefined, Policy>([[undefined, policy]]);
  for (const { view } of policy.shares) policies.set(view, policy.through(view));
  const origin = new Origin();
  const settingsFor = (view: string | undefined): SessionSettings => ({
    ...parts.settings,
    origin,
    accessFor: (principal, session) => {
      const of = remembered((one: Generation | undefined) => one?.accessOf(view, principal, session) ?? NO_ACCESS);
      return bothOf(
        () => of(origin.generation),
        () => of(world.now),
      );
    },
    limitsFor: (principal) => limitsNow(() => world.now?.allowances, principal),
  });
  const rulesFor = (view: string | undefined, policy: Policy, book: TokenBook): ShareRules => ({
    settings: settingsFor(view),
    // Whom the gateway's own share admits by name is not meant by a view: that lets in whom its roles do.
    grants: grantsOf(view === undefined ? config.share.grants : []),
    hosts: config.share.hosts,
    admits: (principal) => policy.ruled && policy.rolesOf(principal).length > 0,
    rolesOf: (principal) => policy.rolesOf(principal),
    access: { book, issuers: parts.issuers, rules: policy.ruled },
  });
  const own = rulesFor(undefined, policy, books.own);
  const views = new Map<string, ShareRules>();
  for (const [view, policy] of policies) {
    const book = view === undefined ? undefined : books.views.get(view)?.book;
    if (view !== undefined && book) views.set(view, rulesFor(view, policy, book));
  }
  const generation: Generation = {
    ...parts,
    settings: own.settings,
    since: Date.now(),
    origin,
    accessOf: (view, principal, session) => {
      const policy = policies.get(view);
      return policy ? accessOf(policy, filters, principal, session) : NO_ACCESS;
    },
    rules: own,
    rulesOf: (view) => (view === undefined ? own : views.get(view)),
    views: policy.shares.flatMap(({ view, token }) => {
      const rules = views.get(view);
      return rules ? [{ view, token, rules }] : [];
    }),
  };
  origin.generation = generation;
  return generation;
}

/** A session that began when there was another backend keeps it for a while: no filter of now speaks of that one. */
function filtersOf({ backends }: GatewayConfig): Pick<ReadonlyMap<string, ToolFilter>, 'get'> {
  const filters = new Map(backends.map((backend) => [backend.id, toolFilter(backend.tools)]));
  const unfiltered = toolFilter(undefined);
  return { get: (id) => filters.get(id) ?? unfiltered };
}

/** Of the last few. */
function remembered<K, V>(make: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    if (known.size > 2) known.clear();
    const made = make(key);
    known.set(key, made);
    return made;
  };
}

async function pinsFor(world: World, config: GatewayConfig): Promise<{ pins: Pins | undefined; apply: () => void }> {
  const { pins: known } = world;
  const backends = enabled(config);
  const mode = config.pins?.mode ?? 'first-use';
  const wanted = backends.some(({ pins = mode }) => pins !== 'off');
  if (!known) return { pins: wanted ? await world.openPins(config) : undefined, apply: () => {} };
  return { pins: wanted ? known : undefined, apply: await known.prepare({ config: config.pins, backends }) };
}

async function issuersFor(
  config: GatewayConfig,
  { surroundings: { log } }: World,
  before: Generation | undefined,
): Promise<Issuers | undefined> {
  if (before && same(before.config.issuers, config.issuers)) return before.issuers;
  return config.issuers.length === 0 ? undefined : openIssuers({ issuers: config.issuers, log });
}

/** The same object goes on, with its servers and what is known of them. */
function kept(one: BackendConfig, config: GatewayConfig, before: Generation | undefined): OneBackend | undefined {
  if (!before || waitOf(one, config) !== waitOf(one, before.config)) return undefined;
  const found = before.settings.backends.find(({ backend }) => backend.id === one.id);
  return found && same(served(found.backend.config), served(one)) ? found : undefined;
}

function waitOf({ connectTimeoutMs }: BackendConfig, { aggregator }: GatewayConfig): number {
  return connectTimeoutMs ?? aggregator.connectTimeoutMs;
}

/** What of a backend its servers, and calls of it, depend on. */
function served(config: BackendConfig): Partial<BackendConfig> {
  const { name: _name, tools: _tools, prefix: _prefix, scrub: _scrub, pins: _pins, ...rest } = config;
  return rest;
}

function recredentialed(before: GatewayConfig, after: GatewayConfig): readonly string[] {
  const now = new Map(enabled(after).map((backend) => [backend.id, credentialsOf(backend)]));
  return enabled(before)
    .filter((backend) => now.has(backend.id) && now.get(backend.id) !== credentialsOf(backend))
    .map(({ id }) => id);
}

/** Whether sessions of the one go on under the other: what they are made of is there as it was, under the same names. What is
 *  there besides they gain, and what they may do follows the rules. */
function carries(before: Generation, after: Generation): boolean {
  const [old, now] = [before.settings, after.settings];
  const kept = new Set(now.backends.map(({ backend }) => backend));
  const goOn = old.backends.every(
    ({ backend }) => kept.has(backend) && old.naming.prefixOf(backend.id) === now.naming.prefixOf(backend.id),
  );
  // With one alone nothing is told apart, and it speaks for itself.
  const alike = (old.backends.length === 1) === (now.backends.length === 1);
  const words = ({ own, limits, callTimeoutMs, connectTimeoutMs, listWaitMs }: SessionSettings): string =>
    JSON.stringify([own, limits, callTimeoutMs, connectTimeoutMs, listWaitMs]);
  const same = old.pins === now.pins && old.alarms === now.alarms && words(old) === words(now);
  return goOn && alike && same;
}
