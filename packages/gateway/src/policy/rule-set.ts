// The rules of a set of roles, found by what they cover. Which rules cover a name changes only with the file, so it is
// remembered: a decision then costs what its few rules cost, however many there are.

import type { TargetKind } from '../call/call.ts';
import { POLICY_CAPS } from './caps.ts';
import { NameIndex } from './name-index.ts';
import type { Rule } from './rule.ts';
import { type Covers, type Target, targetOf } from './target.ts';

/** A rule as a role has it: what it allows may be narrowed by views. */
export interface RoleRule {
  readonly rule: Rule;
  /** It allows only what one of these shows; absent: all it covers. */
  readonly views?: readonly Covers[];
}

export class RuleSet {
  private readonly rules: readonly RoleRule[];
  private readonly byBackend = new Map<string, BackendRules>();

  constructor(rules: readonly RoleRule[]) {
    this.rules = rules;
  }

  /** Those that cover the request, in the order of the file. */
  covering(backend: string, kind: TargetKind, name: string): readonly Rule[] {
    return this.of(backend).covering(kind, name);
  }

  /** Whether some allowance speaks of the backend, or of one kind there. */
  reaches(backend: string, kind: TargetKind | undefined): boolean {
    return this.of(backend).reaches(kind);
  }

  refusals(backend: string, method: string): readonly Rule[] {
    return this.of(backend).refusals(targetOf('method', method));
  }

  private of(backend: string): BackendRules {
    const known = this.byBackend.get(backend);
    if (known) return known;
    const rules = this.rules.flatMap(({ rule, views }) => {
      if (!rule.covers.backend(backend)) return [];
      if (!views) return [{ rule }];
      return [{ rule, views: views.filter((view) => view.backend(backend)) }];
    });
    const made = new BackendRules(rules);
    // Only configured backends are ever asked for.
    this.byBackend.set(backend, made);
    return made;
  }
}

class BackendRules {
  private readonly rules: readonly RoleRule[];
  private readonly remembered = new Map<string, readonly Rule[]>();
  private readonly indexes = new Map<TargetKind, NameIndex>();

  constructor(rules: readonly RoleRule[]) {
    this.rules = rules;
  }

  covering(kind: TargetKind, name: string): readonly Rule[] {
    const key = `${kind} ${name}`;
    const known = this.remembered.get(key);
    if (known) return known;
    const target = targetOf(kind, name);
    const found = this.candidates(target)
      .filter((one) => covers(one, target))
      .map(({ rule }) => rule);
    if (this.remembered.size >= POLICY_CAPS.rememberedNames) this.remembered.clear();
    this.remembered.set(key, found);
    return found;
  }

  /** Those that may cover it. What has several forms, or goes by another kind too, is tried with all. */
  private candidates({ kind, forms }: Target): readonly RoleRule[] {
    const [name, other] = forms;
    if (name === undefined || other !== undefined || kind === 'task') return this.rules;
    let index = this.indexes.get(kind);
    if (!index) {
      index = new NameIndex(this.rules.map(({ rule }) => rule.covers.globs(kind)));
      this.indexes.set(kind, index);
    }
    return index.fitting(name).flatMap((at) => this.rules[at] ?? []);
  }

  reaches(kind: TargetKind | undefined): boolean {
    const kinds: readonly TargetKind[] = kind ? [kind] : ['tool', 'prompt', 'resource', 'method'];
    return this.rules.some(({ rule, views }) => {
      if (rule.effect === 'deny') return false;
      return kinds.some((one) => speaksOf(rule.covers, one) && (!views || views.some((view) => speaksOf(view, one))));
    });
  }

  refusals(target: Target): readonly Rule[] {
    return this.rules.filter(({ rule }) => rule.effect === 'deny' && rule.covers.any(target)).map(({ rule }) => rule);
  }
}

function covers({ rule, views }: RoleRule, target: Target): boolean {
  if (rule.effect === 'deny') return rule.covers.any(target);
  // A task is what became of a call: whoever may call some tool there may ask for it.
  const shown = (covers: Covers): boolean => covers.all(target) || (target.kind === 'task' && covers.kind('tool'));
  return shown(rule.covers) && (!views || views.some(shown));
}

function speaksOf(covers: Covers, kind: TargetKind): boolean {
  return covers.kind(kind) || (kind === 'task' && covers.kind('tool'));
}
