// The policy of a gateway with rules: roles of whoever asks, the rules of these roles, and one decision. Restrictions of a
// token come first and bind in shadow mode too. Whoever leaves some of his roles at home (a narrowed token, a view's share)
// leaves no refusal there: what remains must be let through with the roles he has and with the roles he kept.

import type { ViewConfig } from '@mcp-overlay/config';
import type { Principal } from '@mcp-overlay/overlay';
import type { Decision, TargetKind } from '../call/call.ts';
import { POLICY_CAPS } from './caps.ts';
import { findingOf, judge, type Outcome, type Verdict } from './decide.ts';
import type { Policy, PolicyRequest, RuleFinding } from './policy.ts';
import { restrictionReaches, withinAll } from './restrictions.ts';
import type { Membership, RoleBook } from './roles.ts';
import { type RoleRule, RuleSet } from './rule-set.ts';
import type { Covers } from './target.ts';
import type { Facts } from './when.ts';

export interface RulesOptions {
  readonly digest: string;
  readonly enforced: boolean;
  readonly byRole: ReadonlyMap<string, readonly RoleRule[]>;
  readonly book: RoleBook;
  readonly views: readonly (ViewConfig & { readonly covers: readonly Covers[] })[];
  readonly now: () => number;
}

export class Rules implements Policy {
  readonly digest: string;
  readonly ruled = true;
  readonly enforced: boolean;
  private readonly options: RulesOptions;
  /** Over whose share somebody comes. */
  private readonly view: RulesOptions['views'][number] | undefined;
  private readonly sets = new Map<string, RuleSet>();

  constructor(options: RulesOptions, view?: RulesOptions['views'][number]) {
    this.options = options;
    this.view = view;
    this.digest = options.digest;
    this.enforced = options.enforced;
  }

  get shares(): Policy['shares'] {
    return this.options.views.flatMap(({ name, token }) => (token === undefined ? [] : [{ view: name, token }]));
  }

  rolesOf(principal: Principal): readonly string[] {
    return this.memberships(principal)[0].roles;
  }

  decide(principal: Principal, request: PolicyRequest): Decision {
    const { digest: policy } = this;
    try {
      if (!withinAll(principal.restrictions ?? [], request)) {
        return { allow: false, rule: 'token', policy, why: 'the access token does not reach so far' };
      }
      return this.decision(this.verdict(principal, request));
    } catch (error) {
      const why = `the rules cannot be evaluated: ${error instanceof Error ? error.message : 'unknown error'}`;
      return { allow: false, rule: 'error', policy, why };
    }
  }

  explain(principal: Principal, request: PolicyRequest): readonly RuleFinding[] {
    const findings = this.memberships(principal).flatMap((member) => {
      const { rules, facts, caller, listing } = this.matter(principal, member, request);
      return rules.map((rule) => findingOf(rule, facts, caller, listing));
    });
    return [...new Map(findings.reverse().map((one) => [one.rule, one])).values()].reverse();
  }

  reaches(principal: Principal, backend: string, kind?: TargetKind): boolean {
    if (!(principal.restrictions ?? []).every((one) => restrictionReaches(one, backend))) return false;
    return !this.enforced || this.ruleSet(this.rolesOf(principal)).reaches(backend, kind);
  }

  mayAsk(principal: Principal, backend: string, method: string): boolean {
    if (!this.enforced) return true;
    const request: PolicyRequest = { backend, kind: 'method', name: method, args: {} };
    return this.memberships(principal).every((member) => {
      const rules = this.ruleSet(member.roles).refusals(backend, method);
      if (rules.length === 0) return true;
      const { lenient } = judge(rules, this.facts(principal, member, request), callerOf(principal, member), false);
      return lenient.rule === 'default';
    });
  }

  through(view: string): Policy {
    const found = this.options.views.find(({ name }) => name === view);
    if (!found) throw new TypeError(`no view ${view}`);
    return new Rules(this.options, found);
  }

  private verdict(principal: Principal, request: PolicyRequest): Verdict {
    const verdict = (member: Membership): Verdict => {
      const { rules, facts, caller, listing } = this.matter(principal, member, request);
      return judge(rules, facts, caller, listing);
    };
    const [member, ...wider] = this.memberships(principal);
    return wider.reduce((so, other) => eitherRefusal(so, verdict(other)), verdict(member));
  }

  private matter(principal: Principal, member: Membership, request: PolicyRequest) {
    const rules = this.ruleSet(member.roles).covering(request.backend, request.kind, request.name);
    // A task has the arguments of its call, which were judged then.
    const listing = request.args === undefined || request.kind === 'task';
    return { rules, facts: this.facts(principal, member, request), caller: callerOf(principal, member), listing };
  }

  private decision({ strict, lenient }: Verdict): Decision {
    const { digest: policy, enforced } = this;
    const shadow = !strict.allow && (lenient.allow || !enforced);
    const { allow, ...said } = shadow ? strict : lenient;
    return { ...said, allow: allow || shadow, policy, ...(shadow && { shadow: true }) };
  }

  /** With the roles that are left, then with those that were there before each restriction. */
  private memberships(principal: Principal): readonly [Membership, ...Membership[]] {
    let member = this.options.book.of(principal);
    const all: [Membership, ...Membership[]] = [member];
    for (const limit of [this.view?.roles, ...(principal.restrictions ?? []).map(({ roles }) => roles)]) {
      const roles = limit && member.roles.filter((role) => limit.includes(role));
      if (!roles || roles.length === member.roles.length) continue;
      member = { ...member, roles };
      all.unshift(member);
    }
    return all;
  }

  private facts(
    { id, proven, via, groups }: Principal,
    { roles, name = '' }: Membership,
    request: PolicyRequest,
  ): Facts {
    const { backend, name: tool, args, session = 0, atMs = this.options.now() } = request;
    return { identity: { id, name, proven, via, groups, roles }, backend, tool, args, session, atMs };
  }

  private ruleSet(roles: readonly string[]): RuleSet {
    const key = roles.join(' ');
    const known = this.sets.get(key);
    if (known) return known;
    const shown = this.view?.covers;
    const rules = roles.flatMap((role) => this.options.byRole.get(role) ?? []);
    const made = new RuleSet(shown ? rules.map((rule) => within(rule, shown)) : rules);
    if (this.sets.size >= POLICY_CAPS.rememberedRoles) this.sets.clear();
    this.sets.set(key, made);
    return made;
  }
}

/** Each as far as both let through; the first one's reasons go before. */
function eitherRefusal(a: Verdict, b: Verdict): Verdict {
  const of = (one: Outcome, other: Outcome): Outcome => (one.allow && !other.allow ? other : one);
  return { strict: of(a.strict, b.strict), lenient: of(a.lenient, b.lenient) };
}

/** What both the role's views and that of the share show. */
function within(rule: RoleRule, shown: readonly Covers[]): RoleRule {
  const { views } = rule;
  return { ...rule, views: views ? views.flatMap((one) => shown.map((other) => both(one, other))) : shown };
}

function both(a: Covers, b: Covers): Covers {
  return {
    globs: () => ['*'],
    backend: (id) => a.backend(id) && b.backend(id),
    kind: (kind) => a.kind(kind) && b.kind(kind),
    all: (target) => a.all(target) && b.all(target),
    any: (target) => a.any(target) || b.any(target),
  };
}

function callerOf({ id }: Principal, { name }: Membership): { id: string; name: string | undefined } {
  return { id, name };
}
