// One rule, compiled: whom it concerns is told by its role, what it covers by its selection, and its conditions say whether
// it fits a call. A rule that may or may not fit, depending on arguments or time, is conditional.

import type { Located, RuleConfig } from '@mcp-overlay/config';
import { type ArgumentsMatcher, compileArguments } from './args/arguments.ts';
import type { Caller, Misfit } from './args/matcher.ts';
import type { Engines } from './engines.ts';
import { type Covers, compileSelection } from './target.ts';
import type { Condition, Facts } from './when.ts';

export interface Rule {
  readonly id: string;
  readonly role: string;
  readonly effect: 'allow' | 'deny';
  readonly enforce: boolean;
  readonly covers: Covers;
  readonly args: ArgumentsMatcher | undefined;
  readonly when: Condition | undefined;
}

export interface RuleOptions {
  readonly engines: Engines;
  problem(spot: RuleConfig['spot'], expected: string): void;
}

export function compileRule(role: string, config: RuleConfig, { engines, problem }: RuleOptions): Rule {
  const { id, effect, enforce, args, when } = config;
  const condition = ({ value, spot }: Located<string>): Condition | undefined => {
    try {
      return engines.conditions().compile(value);
    } catch (error) {
      problem(spot, `expected a condition in CEL: ${firstLine(error)}`);
      return undefined;
    }
  };
  return {
    id,
    role,
    effect,
    enforce,
    covers: compileSelection(config, { methods: effect === 'deny' }),
    args: args && compileArguments(args, { engines, effect, problem }),
    when: when && condition(when),
  };
}

/** `condition`: it is its condition that does not hold. */
export type Fit = 'fits' | { readonly misfit: Misfit; readonly condition?: true };

const OTHERWISE: Fit = { misfit: { expected: 'another time or caller' }, condition: true };
const NEVER: Fit = { misfit: { expected: 'other arguments' } };

/** Of a call. Throws where a condition cannot be evaluated. */
export function fitOf({ effect, args, when }: Rule, facts: Facts, caller: Caller): Fit {
  const misfit = args?.match(facts.args ?? {}, caller);
  if (misfit && !(effect === 'deny' && misfit.broken)) return { misfit };
  return when && !when.holds(facts) ? OTHERWISE : 'fits';
}

/** Without arguments: whether some could make it fit; of a refusal, whether all do. */
export function fitAnyway({ effect, args, when }: Rule, facts: Facts): Fit {
  if (effect === 'deny' ? args !== undefined : args?.never === true) return NEVER;
  if (!when) return 'fits';
  if (when.fixed) return when.holds(facts) ? 'fits' : OTHERWISE;
  return effect === 'allow' ? 'fits' : OTHERWISE;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
