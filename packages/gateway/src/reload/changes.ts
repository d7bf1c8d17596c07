// What is different between two configurations, in the words of the file: for whoever reloads, and for the log.

import type { BackendConfig, GatewayConfig } from '@mcp-overlay/config';
import { naming } from '../routing/names.ts';

export interface Change {
  /** `backend`, `role`, … or the section of the file. */
  readonly what: string;
  /** '' for a whole section. */
  readonly name: string;
  /** `added`, `removed`, or what of it changed. */
  readonly change: string;
}

/** `rotated`: ids of backends whose secrets are others now. */
export function changesBetween(
  before: GatewayConfig,
  after: GatewayConfig,
  rotated: ReadonlySet<string> = new Set(),
): readonly Change[] {
  const policy = ({ policy }: GatewayConfig) => policy;
  const rules = (config: GatewayConfig) => [...(policy(config)?.roles ?? [])].map(([name, rules]) => ({ name, rules }));
  const sections = SECTIONS.filter(([, of]) => !same(of(before), of(after)));
  return [
    ...named('backend', enabled(before), enabled(after), ({ id }) => id, rotated),
    ...named('role', rules(before), rules(after), ({ name }) => name),
    ...named('identity', policy(before)?.identities ?? [], policy(after)?.identities ?? [], ({ name }) => name),
    ...named('view', policy(before)?.views ?? [], policy(after)?.views ?? [], ({ name }) => name),
    ...sections.map(([what]) => ({ what, name: '', change: 'changed' })),
  ];
}

/** By id of each backend that runs: what goes before its names. */
export type Prefixes = Readonly<Record<string, string>>;

export function prefixesOf(config: Pick<GatewayConfig, 'backends' | 'aggregator'>): Prefixes {
  const running = enabled(config);
  const { prefixOf } = naming(running, config.aggregator.separator);
  return Object.fromEntries(running.map(({ id }) => [id, prefixOf(id)]));
}

/** Names that clients know and that are others from now on: agents and prompts that have them written down are told. */
export function renamings(before: Prefixes, after: Prefixes): readonly string[] {
  const [old, now] = [Object.keys(before).length, Object.keys(after).length];
  const why =
    old === 1 && now > 1
      ? ', because it is not the only backend any more'
      : old > 1 && now === 1
        ? ', because it is the only backend now'
        : '';
  return Object.entries(after)
    .filter(([id, prefix]) => Object.hasOwn(before, id) && before[id] !== prefix)
    .map(([id, prefix]) => `names of backend ${id} change from ${before[id]}NAME to ${prefix}NAME${why}`);
}

/** Those that run. */
export function enabled({ backends }: Pick<GatewayConfig, 'backends'>): readonly BackendConfig[] {
  return backends.filter(({ disabled }) => !disabled);
}

/** By the key of the file. What only comes with another is left to that one. */
const SECTIONS: readonly (readonly [string, (config: GatewayConfig) => unknown])[] = [
  ['share.grants', ({ share }) => share.grants],
  ['share.hosts', ({ share }) => share.hosts],
  ['aggregator', ({ aggregator }) => aggregator],
  ['limits', ({ limits, allowances }) => [limits, allowances]],
  ['enforce', ({ policy }) => policy?.enforce ?? true],
  ['issuers', ({ issuers }) => issuers],
  ['tokens.max_ttl', ({ tokens }) => tokens.maxTtlMs],
  ['scrub', ({ scrub }) => scrub],
  ['pins', ({ pins }) => pins],
  ['reload', ({ reload }) => reload],
];

function named<T extends object>(
  what: string,
  before: readonly T[],
  after: readonly T[],
  nameOf: (one: T) => string,
  rotated: ReadonlySet<string> = new Set(),
): readonly Change[] {
  const old = new Map(before.map((one) => [nameOf(one), one]));
  const now = new Set(after.map(nameOf));
  const changes: Change[] = [];
  for (const one of after) {
    const name = nameOf(one);
    const known = old.get(name);
    if (!known) changes.push({ what, name, change: 'added' });
    else if (!same(known, one)) changes.push({ what, name, change: `changed: ${changedKeys(known, one).join(', ')}` });
    else if (rotated.has(name)) changes.push({ what, name, change: 'a secret of it is another one' });
  }
  for (const name of old.keys()) if (!now.has(name)) changes.push({ what, name, change: 'removed' });
  return changes;
}

function changedKeys(before: object, after: object): readonly string[] {
  const [a, b] = [before as Record<string, unknown>, after as Record<string, unknown>];
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].filter((key) => !same(a[key], b[key])).map(inFile);
}

const IN_FILE: Readonly<Record<string, string>> = {
  connectTimeoutMs: 'connect_timeout',
  callTimeoutMs: 'call_timeout',
};

function inFile(key: string): string {
  return IN_FILE[key] ?? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Alike in all but where it stands in the file. */
export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a, plain) === JSON.stringify(b, plain);
}

function plain(key: string, value: unknown): unknown {
  if (key === 'spot') return undefined;
  return value instanceof Map ? [...value] : value;
}
