// How rules speak of arguments: one mapping of matchers for each, names nested by dots or by `args`.

import { escapePath, splitPath } from './argument-name.ts';
import type { Spot } from './errors.ts';
import { located } from './located.ts';
import { isNothing, quoteText } from './node.ts';
import { plain } from './plain.ts';
import { type ArgConfig, type ArgsConfig, type Scalar, SQL_STATEMENTS, type SqlConfig } from './policy-config.ts';
import { bool, choice, count, field, join, list, object, type Reading, type Shape, text, wrong } from './shape.ts';
import { parseSize } from './units.ts';

/** SQL that a person or an agent writes; a longer one costs more than it is worth. */
const SQL_BYTES = 20_000;
const MAX_SQL_BYTES = 1024 * 1024;
const SCHEMES = ['http', 'https'];

const size = { form: 'bytes (64KiB)', parse: parseSize };

/** What stands there, as JSON has it. Numbers that a double cannot carry are refused. */
const json: Shape<unknown> = {
  form: 'a mapping',
  read: (node, spot, reading) => {
    if (node.kind !== 'map' && !(node.kind === 'scalar' && typeof node.value === 'boolean')) {
      return wrong(node, spot, 'a mapping', reading);
    }
    return plain(node);
  },
};

const scalar: Shape<Scalar> = {
  form: 'a text, a number, true, false or null',
  read: (node, spot, reading) => {
    if (node.kind !== 'scalar') return wrong(node, spot, 'a text, a number, true, false or null', reading);
    if (typeof node.value === 'string') return reading.expand(node.value, spot);
    if (typeof node.value === 'number' && String(node.value) !== node.text && !Number.isSafeInteger(node.value)) {
      reading.report.problem(spot, `expected a number that is carried exactly (got ${quoteText(node.text)})`);
    }
    return node.value;
  },
};

const identifier = text({ form: 'a name', pattern: /^[A-Za-z_][A-Za-z0-9_$]{0,62}$/ });
const functionName = text({
  form: 'a function, or safe',
  pattern: /^(?:[A-Za-z_][A-Za-z0-9_$]*\.)?[A-Za-z_][A-Za-z0-9_$]*$/,
});
const tableName = text({
  form: 'a table, or schema.table',
  pattern: /^(?:[A-Za-z_][A-Za-z0-9_$]*\.)?[A-Za-z_][A-Za-z0-9_$]*$/,
});

const functions: Shape<SqlConfig['functions']> = {
  form: 'safe, or a list of functions (safe among them for the built-in ones)',
  read: (node, spot, reading) => {
    if (node.kind === 'scalar' && node.value === 'safe') return { safe: true, named: [] };
    const names = list(functionName).read(node, spot, reading);
    if (node.kind !== 'list' || !names) return undefined;
    return { safe: names.includes('safe'), named: names.filter((name) => name !== 'safe').map(lower) };
  },
};

const sqlFields = object({
  dialect: field(choice(['postgres'], { postgresql: 'write postgres' }), 'whose grammar', { required: true }),
  statements: field(list(choice(SQL_STATEMENTS)), 'kinds of statements', { default: '[select]' }),
  schemas: field(list(identifier), 'schemas whose tables may be named', { default: '[public]' }),
  tables: field(list(tableName), 'tables', { default: 'all of the schemas' }),
  functions: field(functions, 'functions that may be called', { default: 'safe' }),
  single: field(bool(), 'exactly one statement', { default: 'true' }),
  max_bytes: field(count(1, MAX_SQL_BYTES, size), 'of the text', { default: '20000' }),
});

const sql: Shape<SqlConfig> = {
  form: 'a mapping',
  read: (node, spot, reading) => {
    const raw = sqlFields.read(node, spot, reading);
    if (!raw) return undefined;
    return {
      dialect: 'postgres',
      statements: raw.statements ?? ['select'],
      schemas: (raw.schemas ?? ['public']).map(lower),
      ...(raw.tables === undefined ? {} : { tables: raw.tables.map(lower) }),
      functions: raw.functions ?? { safe: true, named: [] },
      single: raw.single ?? true,
      maxBytes: raw.max_bytes ?? SQL_BYTES,
    };
  },
};

const matcherFields = {
  any: field(bool(), 'true: whatever it is', {}),
  optional: field(bool(), 'it may be absent', { default: 'false' }),
  enum: field(list(scalar), 'one of these', { neverEmpty: true }),
  const_from: field(choice(['identity.id', 'identity.name']), 'the caller: its id, or its name in identities'),
  pattern: field(located(text({ form: 'a pattern (RE2)' })), 'a regular expression'),
  max_bytes: field(count(0, 256 * 1024 * 1024, size), 'of the text as UTF-8, of other values of their JSON'),
  path: field(
    object({
      under: field(list(located(text({ form: 'a folder' }))), 'folders', { required: true, neverEmpty: true }),
    }),
    'a path in one of these folders',
  ),
  host: field(
    object({
      allow: field(list(located(text({ form: 'a host' }))), 'hosts', { required: true, neverEmpty: true }),
      schemes: field(list(text({ form: 'a scheme', pattern: /^[a-z][a-z0-9+.-]{0,31}$/ })), 'of a URL', {
        default: 'http, https',
      }),
    }),
    'a URL or host',
  ),
  schema: field(located(json), 'a JSON Schema (2020-12)'),
  sql: field(sql, 'SQL, judged by the parser of PostgreSQL'),
  each: field(
    lazy(() => argument),
    'of each item of a list',
  ),
  args: field(
    lazy(() => members),
    'of the members of an object',
  ),
  additional: field(choice(['allow', 'deny']), 'members that are not named in args', { default: 'deny' }),
};
const matcher = object(matcherFields);

const argument: Shape<ArgConfig> = {
  form: 'a mapping of what it must be',
  read: (node, spot, reading) => {
    if (isNothing(node)) return wrong(node, spot, 'a mapping of what it must be, or any: true', reading);
    const raw = matcher.read(node, spot, reading);
    if (!raw) return undefined;
    const says = [...raw.given].filter((key) => key !== 'optional' && key !== 'additional');
    if (says.length === 0)
      reading.report.problem(spot, 'expected what it must be', 'any: true lets everything through');
    if (raw.any === false) reading.report.problem(raw.spotOf('any'), 'expected true, or no such key');
    if (raw.any === true && says.length > 1)
      reading.report.problem(raw.spotOf('any'), 'any goes with no other matcher');
    if (raw.given.has('additional') && !raw.given.has('args')) {
      reading.report.problem(raw.spotOf('additional'), 'belongs to args, which is not here');
    }
    return {
      spot,
      optional: raw.optional ?? false,
      ...(raw.enum && { enum: raw.enum }),
      ...(raw.const_from && { constFrom: raw.const_from }),
      ...(raw.pattern && { pattern: raw.pattern }),
      ...(raw.max_bytes !== undefined && { maxBytes: raw.max_bytes }),
      ...(raw.path && { path: { under: raw.path.under ?? [] } }),
      ...(raw.host && { host: { allow: raw.host.allow ?? [], schemes: raw.host.schemes ?? SCHEMES } }),
      ...(raw.schema && { schema: raw.schema }),
      ...(raw.sql && { sql: raw.sql }),
      ...(raw.each && { each: raw.each }),
      ...(raw.args && { args: { named: raw.args, additional: raw.additional === 'allow' } }),
    };
  },
};

/** Names with dots are members of members: `filter.owner` is `filter: { args: { owner } }`. */
export const members: Shape<ReadonlyMap<string, ArgConfig>> = {
  form: 'a mapping of arguments to what they must be',
  read: (node, spot, reading) => {
    if (node.kind !== 'map') return wrong(node, spot, 'a mapping of arguments to what they must be', reading);
    const named = new Map<string, ArgConfig>();
    for (const [key, entry] of node.entries) {
      const at = { ...(isNothing(entry.value) ? entry.at : entry.value.at), key: join(spot.key, key) };
      const path = splitPath(key);
      if (!path) {
        reading.report.problem(
          { ...entry.at, key: at.key },
          'expected the name of an argument',
          'a.b is b in a, a\\.b is one name',
        );
        continue;
      }
      const config = argument.read(entry.value, at, reading);
      if (config) place(named, path, config, at, reading);
    }
    return named;
  },
};

function place(
  named: Map<string, ArgConfig>,
  path: readonly string[],
  config: ArgConfig,
  spot: Spot,
  reading: Reading,
): void {
  const [name = '', ...rest] = path;
  const before = named.get(name);
  if (rest.length === 0) {
    if (!before) named.set(name, config);
    else if (before.spot.key !== '') reading.report.problem(spot, `${escapePath([name])} is given twice`);
    // What dots said of its members before it was named itself.
    else named.set(name, { ...config, args: merged(config.args, before.args, spot, reading) });
    return;
  }
  const inner = new Map(before?.args?.named ?? []);
  place(inner, rest, config, spot, reading);
  const args: ArgsConfig = { named: inner, additional: before?.args?.additional ?? false };
  // A member that must be there needs its object.
  const optional =
    before?.spot.key === '' || !before ? [...inner.values()].every((one) => one.optional) : before.optional;
  named.set(name, { ...(before ?? { spot: { ...spot, key: '' } }), optional, args });
}

function merged(
  own: ArgsConfig | undefined,
  dotted: ArgsConfig | undefined,
  spot: Spot,
  { report }: Reading,
): ArgsConfig {
  const named = new Map(dotted?.named ?? []);
  for (const [name, config] of own?.named ?? []) {
    if (named.has(name)) report.problem(spot, `${escapePath([name])} is given twice`);
    named.set(name, config);
  }
  return { named, additional: own?.additional ?? false };
}

/** For shapes that contain themselves. */
function lazy<T>(shape: () => Shape<T>): Shape<T> {
  return { form: 'a mapping', read: (node, spot, reading) => shape().read(node, spot, reading) };
}

function lower(name: string): string {
  return name.toLowerCase();
}
