// SQL by chance: trees of what may and what may not stand in a statement, and statements of the corpus with tokens lost,
// doubled, swapped and borrowed from others. The same seed makes the same statements.

import { corpus, HARMLESS, WICKED_STATEMENTS, WICKED_VALUES } from './statements.ts';

export type Random = () => number;

/** mulberry32: small, and the same everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

const TABLES = [
  'users',
  'orders',
  'public.users',
  'totals',
  'secret.passwords',
  'pg_class',
  'cte1',
  'cte2',
  '"users"',
  'pg_catalog.pg_authid',
];
const COLUMNS = ['id', 'name', 'total', 'note', 'tags', 'x', 'users.id', 'a.b', '*', 'created', 'u.name'];
const VALUES = [
  '1',
  "'a'",
  'null',
  'true',
  '1.5',
  "'2026-01-01'::date",
  'array[1, 2]',
  "'{}'::jsonb",
  '$1',
  "E'\\n'",
  'U&"d\\0061ta"',
  '$q$ ; drop $q$',
];
const CALLS = [
  'lower',
  'count',
  'coalesce',
  'sum',
  'now',
  'pg_sleep',
  'nextval',
  'evil',
  'public.leak',
  'jsonb_build_object',
  'unnest',
  'pg_catalog.upper',
  'lo_creat',
  'max',
  'generate_series',
];
const OPERATORS = [
  '+',
  '=',
  '<>',
  '||',
  'like',
  'and',
  'or',
  '->',
  '@>',
  'is distinct from',
  'in',
  'operator(pg_catalog.+)',
  'operator(public.=)',
  '~',
  '&&',
  '!!',
];
const TYPES = [
  'int',
  'text',
  'regclass',
  'jsonb',
  'numeric(3,1)',
  'text[]',
  'xml',
  'public.users',
  'oid',
  '"char"',
  'timestamptz',
];

class Maker {
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  private one<T>(items: readonly T[]): T {
    return pick(this.random, items);
  }

  private maybe(chance: number, text: () => string): string {
    return this.random() < chance ? text() : '';
  }

  private value(depth: number): string {
    if (depth <= 0 || this.random() < 0.3)
      return this.random() < 0.06 ? this.one(WICKED_VALUES) : this.one([...VALUES, ...COLUMNS]);
    const inner = (): string => this.value(depth - 1);
    return this.one([
      () => `${inner()} ${this.one(OPERATORS)} ${inner()}`,
      () => `${this.one(CALLS)}(${this.maybe(0.8, inner)}${this.maybe(0.2, () => `, ${inner()}`)})`,
      () => `(${inner()})::${this.one(TYPES)}`,
      () => `case when ${inner()} then ${inner()} end`,
      () => `(${this.query(depth - 1)})`,
      () => `exists (${this.query(depth - 1)})`,
      () => `(${inner()}).${this.one(['name', 'pg_read_file', '*', 'evil', 'upper'])}`,
      () => `(${inner()})[${inner()}]`,
      () => `row(${inner()}, ${inner()})`,
      () => `${this.one(CALLS)}(${inner()}) over (order by ${inner()})`,
      () => `not ${inner()}`,
      () => `cast(${inner()} as ${this.one(TYPES)})`,
    ])();
  }

  private source(depth: number): string {
    if (depth <= 0 || this.random() < 0.5)
      return `${this.one(TABLES)}${this.maybe(0.4, () => ` ${this.one(['a', 'u', 'x'])}`)}`;
    return this.one([
      () => `(${this.query(depth - 1)}) x`,
      () => `${this.source(depth - 1)} join ${this.source(depth - 1)} on ${this.value(depth - 1)}`,
      () => `${this.one(CALLS)}(${this.value(depth - 1)}) ${this.one(['u', 'a', 'x(id)', ''])}`,
      () => `lateral (${this.query(depth - 1)}) u`,
    ])();
  }

  private query(depth: number): string {
    const body = `${this.maybe(0.15, () => `with ${this.maybe(0.3, () => 'recursive ')}${this.one(['cte1', 'users', 'cte2'])} as (${depth > 0 ? this.statement(depth - 1) : 'select 1'}) `)}select ${this.maybe(0.1, () => 'distinct ')}${this.value(depth)}${this.maybe(0.3, () => `, ${this.value(depth)}`)}`;
    return `${body}${this.maybe(0.7, () => ` from ${this.source(depth)}`)}${this.maybe(0.3, () => ` where ${this.value(depth)}`)}${this.maybe(0.1, () => ` group by ${this.value(0)}`)}${this.maybe(0.15, () => ` order by ${this.value(0)}`)}${this.maybe(0.1, () => ' limit 2')}${this.maybe(0.02, () => ' for update')}${this.maybe(0.08, () => ` union all ${depth > 0 ? this.query(depth - 1) : 'select 1'}`)}`;
  }

  statement(depth: number): string {
    const roll = this.random();
    if (roll < 0.9) return this.query(depth);
    if (roll < 0.93) return `insert into users (id) ${this.query(depth)} returning id`;
    if (roll < 0.95) return `update users set name = ${this.value(depth)} where ${this.value(depth)}`;
    if (roll < 0.97) return `delete from users where ${this.value(depth)}`;
    return this.one(WICKED_STATEMENTS);
  }
}

const TOKEN = /\s+|'[^']*'|\w+|[^\s\w]/g;

export function generatedSql(random: Random): string {
  if (random() < 0.6) return new Maker(random).statement(Math.floor(random() * 4));
  const all = ALL;
  const base = random() < 0.5 ? pick(random, HARMLESS) : pick(random, all);
  const tokens = base.match(TOKEN) ?? [];
  const others = pick(random, all).match(TOKEN) ?? [];
  for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes -= 1) {
    const at = Math.floor(random() * (tokens.length + 1));
    const roll = random();
    if (roll < 0.3) tokens.splice(at, 1);
    else if (roll < 0.5) tokens.splice(at, 0, tokens[at] ?? ' ');
    else if (roll < 0.8) tokens.splice(at, 0, ' ', ...others.slice(0, 1 + Math.floor(random() * others.length)), ' ');
    else tokens.splice(at, 1, pick(random, others.length > 0 ? others : [' ']));
  }
  return tokens.join('');
}

const ALL = corpus();
