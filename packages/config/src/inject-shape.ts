// `inject` of a backend: variables and headers that it gets besides those of its transport, the same for everybody or by
// who calls. Rules: a credential of one identity is nobody else's, and without a word about the others they get none.

import { compact, type InjectConfig, type Injected, type OwnSecrets, type PerIdentityConfig } from './config.ts';
import type { Spot } from './errors.ts';
import { isNothing, quoteText } from './node.ts';
import { namesIdentity } from './secret/reference.ts';
import { type ConfiguredText, referencesIn } from './secret/text.ts';
import { headerName, injectedHeader, injectedVariable, variableName } from './secret-shape.ts';
import { looksSecret } from './secrets.ts';
import { field, join, mapping, type ObjectOf, object, type Reading, type Shape, wrong } from './shape.ts';

const fields = {
  headers: field(mapping(injectedHeader, headerName), 'sent with every request', {
    only: ['http', 'https'],
    default: 'none',
    example: `{ Authorization: "Bearer \${vault:issues}" }`,
  }),
  env: field(mapping(injectedVariable, variableName), 'variables of the server', {
    only: ['stdio'],
    default: 'none',
    example: '{ GITHUB_TOKEN: "vault:github" }',
  }),
};
const ownShape = object(fields);
const OTHERS = 'default';

type Values = ObjectOf<typeof fields>;

interface RawPerIdentity {
  readonly spot: Spot;
  /** Whoever has no entry: as the file says, or `named` for the word `required`. */
  readonly others: PerIdentityConfig['others'];
  readonly own: readonly { readonly name: string; readonly spot: Spot; readonly values: Values }[];
}

const perIdentity: Shape<RawPerIdentity> = {
  form: 'required, or a mapping of an identity to headers and env',
  read: (node, spot, reading) => {
    if (node.kind === 'scalar' && node.value === 'required') return { spot, others: 'named', own: [] };
    if (node.kind !== 'map') return wrong(node, spot, perIdentity.form, reading);
    let others: PerIdentityConfig['others'] = 'refuse';
    const own: { name: string; spot: Spot; values: Values }[] = [];
    for (const [name, { at, value }] of node.entries) {
      const here = { ...at, key: join(spot.key, name) };
      if (name === OTHERS) {
        if (value.kind === 'scalar' && (value.value === 'refuse' || value.value === 'shared')) others = value.value;
        else wrong(value, here, 'refuse or shared', reading);
        continue;
      }
      if (isNothing(value)) {
        wrong(value, here, 'a mapping with headers or env', reading);
        continue;
      }
      const values = ownShape.read(value, here, reading);
      if (values) own.push({ name, spot: here, values });
    }
    return { spot, others, own };
  },
};

export const injectShape = object({
  ...fields,
  per_identity: field(
    perIdentity,
    'who gets what besides: entries by principal id, group:NAME or a name of identities; default: refuse (nobody else is served) or shared (others get what is above). required: {identity} in the references stands for the id of whoever calls',
    {
      default: 'everybody gets the same',
      example: `{ "ziti:Ab3dE.f7H": { env: { GITHUB_TOKEN: "vault:github-alice" } }, default: refuse }`,
      neverEmpty: true,
    },
  ),
});

type RawInject = typeof injectShape extends Shape<infer T> ? T : never;

export interface InjectSurroundings {
  readonly type: 'stdio' | 'share' | 'http';
  /** What the transport itself has. */
  readonly transport: Injected;
  /** What a name of `identities` means; undefined: there is none of this name. */
  identity(name: string): readonly string[] | undefined;
}

export function buildInject(
  raw: RawInject | undefined,
  around: InjectSurroundings,
  reading: Reading,
): InjectConfig | undefined {
  if (raw === undefined) return undefined;
  const per = raw.per_identity;
  refuseWrongKind(raw, around, reading);
  for (const { values } of per?.own ?? []) refuseWrongKind(values, around, reading);
  const shared = injectedOf(raw);
  if (per === undefined) {
    refuseNamed(raw, reading);
    return { shared };
  }
  if (per.others === 'named') {
    refuseUnnamed(raw, around, reading);
  } else {
    refuseNamed(raw, reading);
    if (per.own.length === 0)
      reading.report.problem(per.spot, 'expected at least one identity', 'or the word required');
  }
  const own = per.own.map((one): OwnSecrets => {
    const is = whoIs(one.name, around);
    if (is === undefined) {
      reading.report.problem(
        one.spot,
        `expected a principal id (ziti:…, spiffe://…, x509:…), group:NAME, owner, network, unproven or a name of identities (got ${quoteText(one.name)})`,
        'mcp-gateway peers shows the ids of those who came',
      );
    }
    return { name: one.name, is: is ?? [], ...injectedOf(one.values) };
  });
  return { shared, ...compact({ perIdentity: { own, others: per.others } }) };
}

const WHO =
  /^(?:ziti:[A-Za-z0-9._-]{1,64}|spiffe:\/\/[a-z0-9._-]{1,255}\/[\x21-\x7e]+|x509:.+|group:.+|owner|network|unproven)$/;

function whoIs(name: string, around: InjectSurroundings): readonly string[] | undefined {
  return around.identity(name) ?? (WHO.test(name) ? [name] : undefined);
}

function injectedOf({ env, headers }: Pick<Values, 'env' | 'headers'>): Injected {
  return { env: Object.fromEntries(env ?? []), headers: Object.fromEntries(headers ?? []) };
}

const KEY_OF = { stdio: 'env', http: 'headers' } as const;

function refuseWrongKind(values: Pick<Values, 'given' | 'spotOf'>, { type }: InjectSurroundings, { report }: Reading) {
  for (const key of ['headers', 'env'] as const) {
    if (!values.given.has(key) || (type !== 'share' && KEY_OF[type] === key)) continue;
    const where =
      type === 'share' ? 'what injects is the gateway or bridge at the other end' : `type ${type} has ${KEY_OF[type]}`;
    report.problem(values.spotOf(key), `cannot be given to a backend of type ${type}: ${where}`);
  }
}

function entriesOf({ env, headers }: Pick<Values, 'env' | 'headers'>): [string, 'env' | 'headers', ConfiguredText][] {
  return [
    ...[...(env ?? [])].map(([name, text]): [string, 'env', ConfiguredText] => [name, 'env', text]),
    ...[...(headers ?? [])].map(([name, text]): [string, 'headers', ConfiguredText] => [name, 'headers', text]),
  ];
}

/** `{identity}` where nothing says that everybody is to have one of his own. */
function refuseNamed(raw: RawInject, { report }: Reading): void {
  for (const [, key, text] of entriesOf(raw)) {
    if (!referencesIn(text).some(namesIdentity)) continue;
    report.problem(raw.spotOf(key), '{identity} wants per_identity: required beside it');
  }
}

/** T06: no credential that all share, and one for each. */
function refuseUnnamed(raw: RawInject, { transport }: InjectSurroundings, { report }: Reading): void {
  const entries = entriesOf(raw);
  for (const [name, key, text] of entries) {
    if (typeof text !== 'string' && referencesIn(text).every(namesIdentity)) continue;
    report.problem(
      raw.spotOf(key),
      `${name} is the same for everybody, and per_identity is required`,
      'write a reference with {identity} in it, or move it to the transport',
    );
  }
  const common = Object.entries({ ...transport.env, ...transport.headers }).find(([name, text]) =>
    typeof text === 'string' ? looksSecret(text, name) !== undefined : true,
  );
  if (common !== undefined) {
    report.problem(
      raw.spotOf('per_identity'),
      `${common[0]} of the transport is a secret that everybody shares, and per_identity is required`,
      'move it under inject, with {identity} in its reference',
    );
  } else if (entries.length === 0) {
    report.problem(raw.spotOf('per_identity'), 'expected headers or env beside it, with {identity} in a reference');
  }
}
