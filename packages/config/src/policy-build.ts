// From what the shapes read to a PolicyConfig: names that rules use must exist, a rule must speak of something, and what can
// never mean anything is an error where it stands.

import type { Spot } from './errors.ts';
import { compileGlob, escapeGlob } from './glob.ts';
import { nearest } from './nearest.ts';
import { quoteText } from './node.ts';
import type { IdentityConfig, Located, PolicyConfig, RuleConfig, Selection, ViewConfig } from './policy-config.ts';
import {
  isSubject,
  type RawEffect,
  type RawIdentities,
  type RawRoles,
  type RawRule,
  type RawSelection,
  type RawViews,
} from './policy-shape.ts';
import type { Reading } from './shape.ts';

export interface RawPolicy {
  /** The gateway's own. */
  readonly token: string | undefined;
  readonly roles: RawRoles | undefined;
  readonly identities: RawIdentities | undefined;
  readonly enforce: boolean | undefined;
  readonly views: RawViews | undefined;
  spotOf(key: 'roles' | 'identities' | 'enforce' | 'views'): Spot;
}

/** undefined: the file has no rules. */
export function buildPolicy(raw: RawPolicy, backends: readonly string[], reading: Reading): PolicyConfig | undefined {
  const { report } = reading;
  if (!raw.roles) {
    for (const key of ['identities', 'views', 'enforce'] as const) {
      if (raw[key] !== undefined)
        report.problem(raw.spotOf(key), 'says nothing without roles', 'add roles, or remove the key');
    }
    return undefined;
  }
  const names: Names = { roles: [...raw.roles.keys()], backends };
  return {
    file: report.file,
    enforce: raw.enforce ?? true,
    roles: new Map(
      [...raw.roles].map(([role, { value }]) => [role, buildRules(role, value, names, raw.spotOf('roles'), reading)]),
    ),
    identities: [...(raw.identities ?? [])].map((entry) => buildIdentity(entry, names, reading)),
    views: buildViews(raw.views, raw.token, names, reading),
  };
}

interface Names {
  readonly roles: readonly string[];
  readonly backends: readonly string[];
}

function buildRules(
  role: string,
  raw: readonly RawRule[],
  names: Names,
  spot: Spot,
  reading: Reading,
): readonly RuleConfig[] {
  const { report } = reading;
  const ids = new Set<string>();
  return raw.map((rule, index) => {
    const at = rule.spotOf();
    const effect = rule.allow ?? rule.deny;
    const word = rule.given.has('allow') ? 'allow' : 'deny';
    if (rule.given.has('allow') === rule.given.has('deny')) report.problem(at, 'expected one of allow and deny');
    const id = `${role}/${rule.id ?? index + 1}`;
    if (ids.has(id)) report.problem(rule.spotOf('id'), `${quoteText(id)} is used twice`);
    ids.add(id);
    return {
      id,
      effect: word,
      enforce: rule.enforce ?? true,
      spot: effect ? at : spot,
      ...(effect && { ...buildSelection(effect, names, reading), ...conditions(effect, reading) }),
    };
  });
}

function conditions(raw: RawEffect, { report }: Reading): Pick<RuleConfig, 'args' | 'when'> {
  const speaks = [...raw.given].some((key) => key !== 'additional');
  if (!speaks && !report.failed())
    report.problem(raw.spotOf(), 'expected what it is about', 'tools: ["*"] for every tool');
  if (raw.args && (raw.resources || raw.methods || !(raw.tools || raw.prompts))) {
    report.problem(raw.spotOf('args'), 'belongs to a rule of tools or prompts, and of nothing else');
  }
  if (raw.given.has('additional') && !raw.args) {
    report.problem(raw.spotOf('additional'), 'belongs to args, which is not here');
  }
  return {
    ...(raw.args && { args: { named: raw.args, additional: raw.additional === 'allow' } }),
    ...(raw.when && { when: raw.when }),
  };
}

function buildSelection(raw: RawSelection | RawEffect, names: Names, reading: Reading): Selection {
  const { report } = reading;
  if (raw.given.has('backend') && raw.given.has('backends')) {
    report.problem((raw as RawSelection).spotOf('backends'), 'backend and backends are the same key');
  }
  const backends = raw.backends ?? (raw.backend && [raw.backend]);
  for (const { value, spot } of backends ?? []) {
    const matches = compileGlob(value);
    if (!names.backends.some((id) => matches(id))) unknown('backend', value, spot, names.backends, reading);
  }
  const { tools, prompts, resources, methods } = raw;
  for (const [key, globs] of Object.entries({ backends, tools, prompts, resources, methods })) {
    if (globs?.length !== 0) continue;
    report.note((raw as RawSelection).spotOf(key as 'tools'), 'differs', 'the list is empty: it covers nothing');
  }
  return {
    ...(backends && { backends: backends.map(({ value }) => value) }),
    ...(tools && { tools }),
    ...(prompts && { prompts }),
    ...(resources && { resources }),
    ...(methods && { methods }),
  };
}

function buildIdentity(
  [name, { value, spot }]: [string, Located<RawIdentities extends ReadonlyMap<string, Located<infer T>> ? T : never>],
  names: Names,
  reading: Reading,
): IdentityConfig {
  const itself = isSubject(name);
  if (!itself && value.is === undefined) {
    reading.report.problem(
      spot,
      `${quoteText(name)} is a nickname: expected who it is`,
      `write ${name}: { is: ["ziti:…"], roles: [...] }`,
    );
  }
  return { name, is: [...(itself ? [name] : []), ...(value.is ?? [])], roles: knownRoles(value.roles, names, reading) };
}

function buildViews(
  raw: RawViews | undefined,
  own: string | undefined,
  names: Names,
  reading: Reading,
): readonly ViewConfig[] {
  const tokens = new Map<string, string>();
  return [...(raw ?? [])].map(([name, { value: view, spot }]) => {
    const token = view.share?.token;
    if (!view.roles && !view.share) reading.report.problem(spot, 'expected roles, a share, or both');
    const other = token === undefined ? undefined : tokens.get(token);
    if (other !== undefined) reading.report.problem(view.spotOf('share'), `view ${other} has this share already`);
    if (token !== undefined && token === own) {
      reading.report.problem(view.spotOf('share'), 'this is the share of the gateway itself');
    }
    if (token !== undefined) tokens.set(token, name);
    return {
      name,
      show: (view.show ?? []).map((one) => buildSelection(one, names, reading)),
      ...(view.roles && { roles: knownRoles(view.roles, names, reading) }),
      ...(token !== undefined && { token }),
    };
  });
}

function knownRoles(roles: readonly Located<string>[], names: Names, reading: Reading): readonly string[] {
  for (const { value, spot } of roles) {
    if (!names.roles.includes(value)) unknown('role', value, spot, names.roles, reading);
  }
  return roles.map(({ value }) => value);
}

function unknown(what: string, word: string, spot: Spot, known: readonly string[], { report }: Reading): void {
  if (escapeGlob(word) !== word && what === 'backend') {
    report.problem(spot, `no backend fits ${quoteText(word)}`, `there are: ${known.join(', ')}`);
    return;
  }
  const meant = nearest(word, known);
  const hint = meant === undefined ? `there are: ${known.join(', ') || 'none'}` : `did you mean ${meant}?`;
  report.problem(spot, `unknown ${what} ${quoteText(word)}`, hint);
}
