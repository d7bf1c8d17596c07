// The decision. Nothing is allowed that no rule allows; one refusal beats every allowance, in whatever order they stand; an
// error in any rule that concerns the request refuses it. All rules that cover the request are looked at, so that their order
// changes nothing. Where a rule is not enforced, the outcome with and without it is worked out side by side.

import type { Caller } from './args/matcher.ts';
import type { RuleFinding } from './policy.ts';
import { type Fit, fitAnyway, fitOf, type Rule } from './rule.ts';
import type { Facts } from './when.ts';

/** What the rules say of one request. */
export interface Outcome {
  readonly allow: boolean;
  /** The rule that decided, or `default`. */
  readonly rule: string;
  readonly role?: string;
  readonly why?: string;
  /** The argument that did not fit, with its members. */
  readonly argument?: readonly string[];
}

export interface Verdict {
  /** With every rule in force. */
  readonly strict: Outcome;
  /** Without those that are only recorded. */
  readonly lenient: Outcome;
}

/** `rules`: those that cover the request. `listing`: no arguments are known yet. */
export function judge(rules: readonly Rule[], facts: Facts, caller: Caller, listing: boolean): Verdict {
  const strict = new Tally();
  const lenient = new Tally();
  for (const rule of rules) {
    const { outcome, fits } = outcomeOf(rule, facts, caller, listing);
    strict.add(rule, outcome, fits);
    if (rule.enforce) lenient.add(rule, outcome, fits);
    else if (rule.effect === 'allow') lenient.add(rule, { allow: true, rule: rule.id, role: rule.role }, true);
  }
  return { strict: strict.outcome(), lenient: lenient.outcome() };
}

/** For whoever asks why. */
export function findingOf(rule: Rule, facts: Facts, caller: Caller, listing: boolean): RuleFinding {
  const { outcome, fits } = outcomeOf(rule, facts, caller, listing);
  const conditional = rule.args !== undefined || (rule.when !== undefined && !rule.when.fixed);
  return { rule: rule.id, effect: rule.effect, enforced: rule.enforce, fits, conditional, why: outcome.why };
}

class Tally {
  private refused: Outcome | undefined;
  private allowed: Outcome | undefined;
  /** Why an allowance that covers the request does not let it through. */
  private near: Outcome | undefined;

  add({ effect }: Rule, outcome: Outcome, fits: boolean | 'error'): void {
    if (fits === 'error' || (effect === 'deny' && fits)) this.refused ??= outcome;
    else if (effect === 'allow' && fits) this.allowed ??= outcome;
    else if (effect === 'allow') this.near ??= outcome;
  }

  outcome(): Outcome {
    return this.refused ?? this.allowed ?? this.near ?? { allow: false, rule: 'default', why: 'no rule allows it' };
  }
}

interface Judged {
  readonly outcome: Outcome;
  readonly fits: boolean | 'error';
}

function outcomeOf(rule: Rule, facts: Facts, caller: Caller, listing: boolean): Judged {
  const { id, role, effect } = rule;
  try {
    const fit: Fit = listing ? fitAnyway(rule, facts) : fitOf(rule, facts, caller);
    if (fit !== 'fits') return { fits: false, outcome: nearMiss(rule, fit) };
    const why = effect === 'deny' ? { why: `rule ${id} refuses it` } : {};
    return { fits: true, outcome: { allow: effect === 'allow', rule: id, role, ...why } };
  } catch (error) {
    const said = error instanceof Error ? error.message.split('\n')[0] : 'unknown error';
    return { fits: 'error', outcome: { allow: false, rule: id, role, why: `rule ${id} cannot be evaluated: ${said}` } };
  }
}

/** It decided nothing, but is what came nearest: nothing else allows the request. */
function nearMiss({ id, role }: Rule, { misfit, condition }: Exclude<Fit, 'fits'>): Outcome {
  if (condition) return { allow: false, rule: 'default', role, why: `the condition of rule ${id} does not hold` };
  const { at = [], expected } = misfit;
  const what = at.length === 0 ? 'what is asked' : `argument ${at.join('.')}`;
  const why = `${what} does not fit rule ${id}: expected ${expected}`;
  return { allow: false, rule: 'default', role, why, argument: at };
}
