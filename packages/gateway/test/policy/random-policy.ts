// Rules, people and requests by chance, from few enough words that they meet often.

import type { Principal } from '@mcp-overlay/overlay';
import type { PolicyRequest } from '../../src/policy/policy.ts';
import {
  CONDITIONS,
  type NaiveArg,
  type NaiveEffect,
  type NaivePolicy,
  type NaiveRule,
  type NaiveSelection,
} from './naive-policy.ts';
import { pick, type Random } from './sql/generated.ts';

const BACKENDS = ['fs', 'db', 'github'];
const BACKEND_GLOBS = ['*', 'fs', 'db', 'f*', 'git*'];
const NAMES = ['read_file', 'read', 'write_file', 'delete', 'list'];
const NAME_GLOBS = ['*', 'read*', '*file', 'list', 'w?ite_file', 'delete', '*e*', 'none'];
const URIS = ['file:///a/b', 'file:///a', 'memo://x', 'https://h/p'];
const URI_GLOBS = ['*', 'file:///a/*', 'memo:*', 'https://h/p'];
const METHODS = ['x/y', 'tasks/get', 'sampling/createMessage'];
const METHOD_GLOBS = ['*', 'x/*', 'tasks/*'];
const ROLES = ['r1', 'r2', 'r3'];
const VALUES = [
  'a',
  'b',
  '',
  1,
  2,
  true,
  null,
  '/data/x',
  '/data',
  '/etc',
  '/data/../etc',
  'x/y',
  ['a'],
  ['a', 'b'],
  [],
  { n: 1 },
  { n: 'a' },
  {},
  'drop\nit',
  'ziti:ann',
  'Ann',
];
const SCALARS = VALUES.filter((value) => typeof value !== 'object' || value === null);
const ARGS = ['n', 'p', 'q'];

export function randomPolicy(random: Random): NaivePolicy {
  const roles = Object.fromEntries(ROLES.map((role) => [role, times(random, 4, () => randomRule(random))]));
  const view = (): NaivePolicy['views'][string] => ({
    roles: some(random, ROLES),
    show: times(random, 2, () => randomSelection(random)),
  });
  return {
    enforce: random() < 0.9,
    roles,
    identities: {
      Ann: { is: ['ziti:ann', 'group:admins'], roles: some(random, ROLES) },
      'ziti:bob': { is: ['ziti:bob'], roles: some(random, ROLES) },
      'group:staff': { is: ['group:staff'], roles: some(random, ROLES) },
      owner: { is: ['owner'], roles: some(random, ROLES) },
      network: { is: ['network'], roles: random() < 0.3 ? some(random, ROLES) : [] },
      unproven: { is: ['unproven'], roles: random() < 0.3 ? some(random, ROLES) : [] },
    },
    views: random() < 0.3 ? { v1: view() } : {},
  };
}

export function randomPrincipal(random: Random): Principal {
  const groups = some(random, ['staff', 'admins']);
  const tokens = {
    ...(random() < 0.1 && { roles: some(random, ROLES) }),
    ...(random() < 0.1 && { restrictions: times(random, 3, () => randomRestriction(random)) }),
    ...(random() < 0.1 && { owner: true as const }),
  };
  const proven = (id: string): Principal => ({ id, name: 'Ann', proven: true, via: 'ziti', groups, ...tokens });
  return pick(random, [
    () => proven('ziti:ann'),
    () => proven('ziti:bob'),
    () => proven('ziti:zoe'),
    (): Principal => ({ id: 'owner', name: 'owner', proven: false, via: 'local', groups: [] }),
    (): Principal => ({ id: 'unproven', name: 'ziti:ann', proven: false, via: 'ziti', groups }),
  ])();
}

export function randomRequest(random: Random): PolicyRequest {
  const backend = pick(random, BACKENDS);
  const kind = pick(random, ['tool', 'tool', 'tool', 'tool', 'prompt', 'resource', 'method', 'task'] as const);
  const names = { tool: NAMES, prompt: NAMES, resource: URIS, method: METHODS, task: ['tasks/get'] }[kind];
  const given = kind === 'tool' || kind === 'prompt';
  const args = Object.fromEntries(
    given ? some(random, [...ARGS, 'gone']).map((name) => [name, pick(random, VALUES)]) : [],
  );
  return { backend, kind, name: pick(random, names), ...(random() < 0.8 && { args }) };
}

function randomRule(random: Random): NaiveRule {
  const effect: NaiveEffect = { ...randomSelection(random) };
  if ((effect.tools || effect.prompts) && !effect.resources && !effect.methods && random() < 0.5) {
    effect.args = Object.fromEntries(some(random, ARGS).map((name) => [name, randomArg(random, 2)]));
    if (random() < 0.3) effect.additional = pick(random, ['allow', 'deny']);
  }
  if (random() < 0.2) effect.when = pick(random, Object.keys(CONDITIONS));
  return { [random() < 0.7 ? 'allow' : 'deny']: effect, ...(random() < 0.15 && { enforce: false }) };
}

function randomRestriction(random: Random): NaiveSelection & { roles?: readonly string[] } {
  return { ...randomSelection(random, true), ...(random() < 0.5 && { roles: some(random, ROLES) }) };
}

function randomSelection(random: Random, ofToken = false): NaiveSelection {
  const it: NaiveSelection = {};
  if (random() < 0.5 && ofToken) it.backends = some(random, BACKEND_GLOBS);
  else if (random() < 0.5) it.backend = pick(random, BACKEND_GLOBS);
  else it.backends = some(random, BACKEND_GLOBS);
  if (ofToken) {
    it.backends ??= ['*'];
    delete it.backend;
  }
  if (random() < 0.75) it.tools = some(random, NAME_GLOBS);
  if (random() < 0.15) it.prompts = some(random, NAME_GLOBS);
  if (random() < 0.2) it.resources = some(random, URI_GLOBS);
  if (random() < 0.1 && !ofToken) it.methods = some(random, METHOD_GLOBS);
  return it;
}

function randomArg(random: Random, depth: number): NaiveArg {
  const optional = random() < 0.3 ? { optional: true } : {};
  const made: readonly (() => NaiveArg)[] = [
    () => ({ any: true }),
    () => ({ enum: some(random, SCALARS) }),
    () => ({ pattern: pick(random, ['a', '[ab]', '.*', 'drop.it', '/data/[a-z]+', '']) || '.' }),
    () => ({ max_bytes: pick(random, [0, 1, 5]) }),
    () => ({ path: { under: pick(random, [['/data'], ['/etc', '/data/x'], []]) } }),
    () => ({ const_from: pick(random, ['identity.id', 'identity.name']) }),
    () => ({ enum: some(random, SCALARS), max_bytes: 2 }),
    ...(depth > 0
      ? [
          () => ({ each: { ...randomArg(random, depth - 1), optional: false } }),
          () => ({ args: { n: randomArg(random, depth - 1) }, ...(random() < 0.5 && { additional: 'allow' }) }),
        ]
      : []),
  ];
  return { ...pick(random, made)(), ...optional };
}

function some<T>(random: Random, items: readonly T[]): T[] {
  return items.filter(() => random() < 0.4);
}

function times<T>(random: Random, most: number, make: () => T): T[] {
  return Array.from({ length: Math.floor(random() * (most + 1)) }, make);
}
