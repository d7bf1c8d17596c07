// Cases that rules are tested with: who asks for what, and what must come of it. Read like every file of ours: an unknown key
// is an error with its place.

import { openReport } from './errors.ts';
import { expander } from './expand.ts';
import type { Node } from './node.ts';
import type { ParseOptions } from './parse.ts';
import { plain } from './plain.ts';
import { choice, field, list, object, type Reading, rootSpot, type Shape, text, wrong } from './shape.ts';
import { parseSource } from './source.ts';

export interface PolicyCases {
  /** The configuration whose rules are tested, as the file names it. */
  readonly config: string | undefined;
  readonly cases: readonly PolicyCase[];
}

export interface PolicyCase {
  readonly line: number;
  readonly as: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[] | undefined;
  readonly view: string | undefined;
  readonly kind: 'tool' | 'prompt' | 'resource' | 'method';
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly expect: 'allow' | 'deny';
  readonly rule: string | undefined;
}

const KINDS = ['tool', 'prompt', 'resource', 'method'] as const;

const json: Shape<Readonly<Record<string, unknown>>> = {
  form: 'a mapping',
  read: (node: Node, spot, reading) =>
    node.kind === 'map' ? (plain(node) as Record<string, unknown>) : wrong(node, spot, 'a mapping', reading),
};

const caseObject = object({
  as: field(text({ form: 'who asks' }), 'a nickname, a principal id, group:NAME, owner, network or unproven', {
    required: true,
  }),
  groups: field(list(text()), 'groups it belongs to'),
  roles: field(list(text()), 'roles of its token, in place of the configured ones'),
  view: field(text(), 'it comes over the share of this view'),
  tool: field(text(), 'backend/name, or the public name'),
  prompt: field(text(), 'backend/name, or the public name'),
  resource: field(text(), 'backend/URI'),
  method: field(text(), 'backend/method'),
  args: field(json, 'arguments', { neverEmpty: true }),
  expect: field(choice(['allow', 'deny']), 'what must come of it', { required: true }),
  rule: field(text(), 'the rule that must decide'),
});

const casesObject = object({
  config: field(text({ form: 'a file' }), 'the configuration whose rules are tested'),
  cases: field(list(caseObject), 'the cases', { required: true }),
});

/** Throws a ConfigError. */
export function parsePolicyCases(source: string, { file, env }: Omit<ParseOptions, 'cwd'>): PolicyCases {
  const report = openReport(file);
  const root = parseSource(source, file, report);
  report.end();
  const reading: Reading = {
    report,
    format: 'ours',
    expand: expander(env, report),
    expandLeniently: expander(env, openReport('')),
    path: (path) => path,
  };
  const raw = root && casesObject.read(root, rootSpot(root.at), reading);
  const cases = (raw?.cases ?? []).flatMap((one): PolicyCase[] => {
    const spot = one.spotOf();
    const kinds = KINDS.filter((kind) => one.given.has(kind));
    const [kind, other] = kinds;
    if (kind === undefined || other !== undefined) {
      report.problem(spot, `expected one of ${KINDS.join(', ')}`);
      return [];
    }
    return [
      {
        line: spot.line,
        as: one.as ?? '',
        groups: one.groups ?? [],
        roles: one.roles,
        view: one.view,
        kind,
        name: one[kind] ?? '',
        args: one.args ?? {},
        expect: one.expect ?? 'deny',
        rule: one.rule,
      },
    ];
  });
  report.end();
  return { config: raw?.config, cases };
}
