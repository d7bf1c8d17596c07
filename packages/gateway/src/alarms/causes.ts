// What is going on: each cause rings once, and again only when it was quiet for a while. Silenced ones are counted all the
// same, and ring when their silence ends and they still go on.

import type { AlarmRule } from '@mcp-overlay/config';
import { asArray, asObject } from '../call/json.ts';
import { isAlarmRule } from './detectors.ts';
import { causeOf, type Finding } from './finding.ts';
import { ALARM_CAPS as CAPS } from './limits.ts';
import type { Silences } from './silences.ts';

export interface Cause extends Finding {
  readonly id: string;
  /** Milliseconds since 1970, like `last`. */
  readonly first: number;
  readonly last: number;
  /** Somebody was told. */
  readonly told: boolean;
}

/** Who works late does so all night. */
const HOURS_HOLD_MS = 12 * 3600 * 1000;

export class Causes {
  private readonly holdMs: number;
  private readonly silences: Silences;
  /** The oldest news first. */
  private readonly causes: Map<string, Cause>;
  dirty = false;

  constructor(holdMs: number, silences: Silences, causes: Map<string, Cause> = new Map()) {
    this.holdMs = holdMs;
    this.silences = silences;
    this.causes = causes;
  }

  /** ring: tell it; silenced: it is new, and nobody wants to hear it; undefined: it is told already. */
  hear(finding: Finding, wall: number): { readonly cause: Cause; readonly become: 'ring' | 'silenced' } | undefined {
    const id = causeOf(finding);
    const known = this.causes.get(id);
    const goesOn = known !== undefined && this.goesOn(known, wall);
    const silenced = this.silences.covers({ ...finding, id }, wall) !== undefined;
    const told = (goesOn && known.told) || !silenced;
    const cause: Cause = {
      ...finding,
      id,
      first: goesOn ? known.first : wall,
      last: goesOn ? Math.max(known.last, wall) : wall,
      count: goesOn ? Math.max(known.count + 1, finding.count) : finding.count,
      told,
    };
    this.causes.delete(id);
    this.causes.set(id, cause);
    const [oldest] = this.causes.keys();
    if (this.causes.size > CAPS.causes && oldest !== undefined) this.causes.delete(oldest);
    this.dirty = true;
    if (told) return goesOn && known.told ? undefined : { cause, become: 'ring' };
    return goesOn ? undefined : { cause, become: 'silenced' };
  }

  /** The newest first. */
  open(wall: number): readonly Cause[] {
    return [...this.causes.values()].filter((cause) => this.goesOn(cause, wall)).reverse();
  }

  has(id: string): boolean {
    return this.causes.has(id);
  }

  toJSON(): unknown {
    return [...this.causes.values()];
  }

  private goesOn({ rule, last }: Cause, wall: number): boolean {
    return wall - last < (rule === 'hours' ? Math.max(HOURS_HOLD_MS, this.holdMs) : this.holdMs);
  }
}

/** undefined: it is no list of causes. */
export function readCauses(value: unknown): Map<string, Cause> | undefined {
  const causes = new Map<string, Cause>();
  for (const one of asArray(value) ?? [undefined]) {
    const cause = asObject(one) as Partial<Cause> | undefined;
    if (!cause || typeof cause.id !== 'string' || !isAlarmRule(String(cause.rule))) return undefined;
    const { id, rule, first, last, count, told, why = '', seqs = [], ident, backend, target } = cause;
    if (typeof first !== 'number' || typeof last !== 'number' || typeof count !== 'number') return undefined;
    const whose = { ...(ident && { ident }), ...(backend && { backend }), ...(target && { target }) };
    causes.set(id, { id, rule: rule as AlarmRule, ...whose, first, last, count, told: told === true, why, seqs });
  }
  return causes;
}
