// An alarm as it is told: who, which rule, what of. Never a value of a call.

import type { AlarmRule } from '@mcp-overlay/config';
import type { Cause } from './causes.ts';

export interface Alarm {
  /** Of its cause: what `mcp-gateway alarms silence` takes. */
  readonly id: string;
  readonly rule: AlarmRule;
  readonly ident?: string;
  readonly backend?: string;
  readonly target?: string;
  readonly count: number;
  /** Records of the audit log, the latest ones. */
  readonly seqs: readonly number[];
  readonly why: string;
}

export function alarmOf({ id, rule, ident, backend, target, count, seqs, why }: Cause): Alarm {
  return {
    id,
    rule,
    ...(ident !== undefined && { ident }),
    ...(backend !== undefined && { backend }),
    ...(target !== undefined && { target }),
    count,
    seqs,
    why,
  };
}
