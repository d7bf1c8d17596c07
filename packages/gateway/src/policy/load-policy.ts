// A configuration's rules, compiled: what cannot be compiled is an error with its place in the file. Works without a gateway,
// for whoever tests, explains or replays rules.

import { ConfigError, type GatewayConfig, openReport, type PolicyConfig, type ViewConfig } from '@mcp-overlay/config';
import { digestOf } from './digest.ts';
import { loadEngines } from './engines.ts';
import { withoutRules } from './no-rules.ts';
import type { Policy } from './policy.ts';
import { roleBook } from './roles.ts';
import { compileRule } from './rule.ts';
import type { RoleRule } from './rule-set.ts';
import { Rules } from './rules.ts';
import { type Covers, compileSelection } from './target.ts';

export interface PolicyOptions {
  /** The role given by hand to a principal id. */
  readonly handRole?: (id: string) => string | undefined;
  readonly now?: () => number;
}

const TURN_MS = 5;

/** Throws a ConfigError. */
export async function loadPolicy(
  { policy }: Pick<GatewayConfig, 'policy'>,
  options: PolicyOptions = {},
): Promise<Policy> {
  if (!policy) return withoutRules();
  const { handRole = () => undefined, now = Date.now } = options;
  const engines = await loadEngines(policy);
  const report = openReport(policy.file);
  const views = new Map(policy.views.map((view) => [view.name, coversOf(view)]));
  const byRole = new Map<string, readonly RoleRule[]>();
  let turn = performance.now();
  for (const [role, rules] of policy.roles) {
    // A gateway that takes over other rules has calls to carry meanwhile.
    if (performance.now() - turn > TURN_MS) {
      await new Promise((resolve) => setImmediate(resolve));
      turn = performance.now();
    }
    const naming = policy.views.filter(({ roles }) => roles?.includes(role));
    // A view that shows nothing is not the same as no view.
    const narrowed = naming.length > 0 ? { views: naming.flatMap(({ name }) => views.get(name) ?? []) } : {};
    byRole.set(
      role,
      rules.map((config) => {
        const rule = compileRule(role, config, { engines, problem: (spot, text) => report.problem(spot, text) });
        return { rule, ...narrowed };
      }),
    );
  }
  report.end();
  return new Rules({
    digest: digestOf(policy),
    enforced: policy.enforce,
    byRole,
    book: roleBook(policy.identities, [...policy.roles.keys()], handRole),
    views: policy.views.map((view) => ({ ...view, covers: views.get(view.name) ?? [] })),
    now,
  });
}

/** Whether a file's rules can be compiled; for commands that only read it. */
export async function policyProblems(config: Pick<GatewayConfig, 'policy'>): Promise<ConfigError | undefined> {
  try {
    await loadPolicy(config);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

function coversOf({ show }: ViewConfig): readonly Covers[] {
  return show.map((selection) => compileSelection(selection, { methods: true }));
}

export type { PolicyConfig };
