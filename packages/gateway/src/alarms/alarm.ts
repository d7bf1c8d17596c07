// An alarm as it is told: who, which rule, what of. Never a value of a call.

import type { Cause } from './causes.ts';
import type { Finding } from './finding.ts';

export interface Alarm extends Finding {
  /** Of its cause: what `mcp-gateway alarms silence` takes. */
  readonly id: string;
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
