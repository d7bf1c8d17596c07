// `limits.identities`, `limits.backends`, `limits.tools`, `backends[].limits`: how much may be used, by whom. What they mean
// together is checked here too: whom an entry names must exist, and one that limits nothing must mean it.

import { compact } from './config.ts';
import type { Spot } from './errors.ts';
import { compileGlob, globProblem } from './glob.ts';
import type { AllowanceConfig, AllowancesConfig, IdentityAllowance, ToolAllowance } from './limits-config.ts';
import { located, named } from './located.ts';
import { nearest } from './nearest.ts';
import { isNothing, quoteText } from './node.ts';
import type { IdentityConfig, Located } from './policy-config.ts';
import { isSubject } from './policy-shape.ts';
import { choice, count, field, list, object, parsed, type Reading, type Shape, wrong } from './shape.ts';

const RATE_FORM = 'a rate such as 20/s, 5/m or 1000/h';
const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };
/** Beyond what one process can pass in a second. */
const MAX_COUNT = 1_000_000;

const rate = parsed<{ count: number; perMs: number }>(RATE_FORM, (value) => {
  const [, number, unit] = /^([1-9][0-9]{0,6})\/([smh])$/.exec(value) ?? [];
  const perMs = UNIT_MS[unit ?? ''];
  const found = Number(number);
  return perMs === undefined || found > MAX_COUNT ? { refused: RATE_FORM } : { count: found, perMs };
});

const glob = parsed<string>('a pattern', (value) => {
  const refused = globProblem(value);
  return refused === undefined ? value : { refused: 'a pattern', hint: refused };
});

/** Left empty it would limit nothing, where it was meant to. */
const never = { neverEmpty: true } as const;

const figures = {
  rate: field(rate, 'calls in a second, minute or hour, on average', {
    ...never,
    default: 'no limit',
    example: '20/s',
  }),
  burst: field(count(1, MAX_COUNT), 'calls at once before the rate is felt', { default: 'the number of the rate' }),
  concurrent: field(count(1, 100_000), 'calls open at a time', { ...never, default: 'no limit' }),
  daily: field(count(1, 1_000_000_000), 'calls in a day (UTC), kept over restarts', { ...never, default: 'no limit' }),
};
const FIGURES_FORM = '{ rate, burst, concurrent, daily }';
const figuresObject = object(figures);
type RawFigures = ValueOf<typeof figuresObject>;

/** An empty mapping is one; nothing at all is a slip. */
const allowance: Shape<RawFigures> = {
  ...figuresObject,
  form: FIGURES_FORM,
  read: (node, spot, reading) =>
    isNothing(node) ? wrong(node, spot, FIGURES_FORM, reading) : figuresObject.read(node, spot, reading),
};
export const backendAllowanceShape = allowance;

const anyKey = { form: 'a word', fits: (key: string) => key !== '' };
const allowances = named(anyKey, allowance, `a mapping to ${FIGURES_FORM}, which are as in backends[].limits`);

const tool = object({
  backend: field(located(glob), 'of this backend', { ...never, example: 'db' }),
  backends: field(list(located(glob)), 'or of these', { ...never, default: 'every backend' }),
  tools: field(list(glob), "patterns on the backend's own tool names", { required: true, example: '[execute_sql]' }),
  ...figures,
  per: field(choice(['all', 'identity']), 'all: everybody together; identity: each its own, the owner not limited', {
    default: 'all',
  }),
});

export const allowanceFields = {
  identities: field(
    allowances,
    'of what one caller does, over all its sessions: by a name of identities, a principal id, group:NAME, network, unproven or owner; default for every other one but the owner. The nearest entry counts (docs/GOVERNANCE.md)',
    { ...never, default: 'nobody is limited', example: '{ default: { rate: 20/s, burst: 100, daily: 10000 } }' },
  ),
  backends: field(allowances, 'of what reaches a backend, by everybody together', {
    ...never,
    default: 'none',
    example: '{ db: { concurrent: 4 } }',
  }),
  tools: field(list(tool), 'of calls of tools; an entry is one budget for all it covers', {
    ...never,
    default: 'none',
    example: '[ { backend: db, tools: [execute_sql], rate: 5/m } ]',
  }),
};

export interface RawAllowances {
  readonly identities: ValueOf<typeof allowances> | undefined;
  readonly backends: ValueOf<typeof allowances> | undefined;
  readonly tools: readonly ValueOf<typeof tool>[] | undefined;
}

/** A backend with what it says of itself. */
export interface LimitedBackend {
  readonly id: string | undefined;
  readonly limits: RawFigures | undefined;
  spotOf(key: 'limits'): Spot;
}

/** undefined: nothing of this is limited. */
export function buildAllowances(
  raw: RawAllowances | undefined,
  backends: readonly LimitedBackend[],
  identities: readonly IdentityConfig[],
  reading: Reading,
): AllowancesConfig | undefined {
  const ids = backends.flatMap(({ id }) => id ?? []);
  const { default: others, ...named } = Object.fromEntries(raw?.identities ?? []);
  const built: AllowancesConfig = {
    ...compact({ others: others && figuresOf(others.value, reading) }),
    identities: Object.entries(named).map((entry) => buildIdentity(entry, identities, reading)),
    backends: buildBackends(raw?.backends, backends, ids, reading),
    tools: (raw?.tools ?? []).map((one) => buildTool(one, ids, reading)),
  };
  const any = built.others ?? (built.identities.length > 0 || built.backends.size > 0 || built.tools.length > 0);
  return any ? built : undefined;
}

function buildIdentity(
  [name, { value, spot }]: [string, Located<RawFigures>],
  identities: readonly IdentityConfig[],
  reading: Reading,
): IdentityAllowance {
  const { report } = reading;
  const known = identities.find((one) => one.name === name);
  const [, root] = /^(token:[0-9a-f]{24})\//.exec(name) ?? [];
  if (root !== undefined) {
    report.problem(spot, 'a narrowed token has the budget of the one it was made from', `write ${root}`);
  } else if (!known && !isSubject(name)) {
    const words = ['default', 'owner', 'network', 'unproven', ...identities.map((one) => one.name)];
    const meant = nearest(name, words);
    const hint = meant === undefined ? `there are: ${words.join(', ')}; or a principal id` : `did you mean ${meant}?`;
    report.problem(spot, `unknown identity ${quoteText(name)}`, hint);
  }
  return { name, is: known?.is ?? [name], ...figuresOf(value, reading) };
}

function buildBackends(
  raw: RawAllowances['backends'],
  backends: readonly LimitedBackend[],
  ids: readonly string[],
  reading: Reading,
): ReadonlyMap<string, AllowanceConfig> {
  const { report } = reading;
  const built = new Map<string, AllowanceConfig>();
  for (const [id, { value, spot }] of raw ?? []) {
    if (!ids.includes(id)) unknownBackend(id, spot, ids, reading);
    built.set(id, meant(figuresOf(value, reading), spot, reading));
  }
  for (const backend of backends) {
    const { id, limits } = backend;
    if (limits === undefined || id === undefined) continue;
    const spot = backend.spotOf('limits');
    if (built.has(id)) report.problem(spot, `limits.backends has ${quoteText(id)} too`, 'keep one of them');
    built.set(id, meant(figuresOf(limits, reading), spot, reading));
  }
  return built;
}

function buildTool(
  raw: NonNullable<RawAllowances['tools']>[number],
  ids: readonly string[],
  reading: Reading,
): ToolAllowance {
  const { report } = reading;
  if (raw.given.has('backend') && raw.given.has('backends')) {
    report.problem(raw.spotOf('backends'), 'backend and backends are the same key');
  }
  const backends = raw.backends ?? (raw.backend && [raw.backend]);
  for (const { value, spot } of backends ?? []) {
    const matches = compileGlob(value);
    if (!ids.some((id) => matches(id))) unknownBackend(value, spot, ids, reading);
  }
  if (raw.tools?.length === 0)
    report.problem(raw.spotOf('tools'), 'expected at least one pattern', 'tools: ["*"] for every tool');
  return {
    backends: backends?.map(({ value }) => value) ?? ['*'],
    tools: raw.tools ?? [],
    per: raw.per ?? 'all',
    ...meant(figuresOf(raw, reading), raw.spotOf(), reading),
  };
}

function figuresOf(
  raw: Pick<RawFigures, keyof typeof figures> & { spotOf(key: 'burst'): Spot },
  { report }: Reading,
): AllowanceConfig {
  if (raw.burst !== undefined && raw.rate === undefined && !report.failed()) {
    report.problem(raw.spotOf('burst'), 'belongs to a rate, which is not here');
  }
  return compact({
    rate: raw.rate,
    burst: raw.burst ?? raw.rate?.count,
    concurrent: raw.concurrent,
    daily: raw.daily,
  });
}

/** Nobody writes an entry for a tool or backend that limits nothing. */
function meant(figures: AllowanceConfig, spot: Spot, { report }: Reading): AllowanceConfig {
  if (Object.keys(figures).length === 0 && !report.failed()) report.problem(spot, 'expected rate, concurrent or daily');
  return figures;
}

function unknownBackend(word: string, spot: Spot, ids: readonly string[], { report }: Reading): void {
  const meant = nearest(word, ids);
  const hint = meant === undefined ? `there are: ${ids.join(', ')}` : `did you mean ${meant}?`;
  report.problem(spot, `unknown backend ${quoteText(word)}`, hint);
}

type ValueOf<S> = S extends Shape<infer T> ? T : never;
