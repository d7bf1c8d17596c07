// An audit log that somebody listens to, and one that keeps nothing: alarms need what would be on record, also where nothing
// is (`audit: off`).

import type { AuditEvent, AuditLog } from '../audit/audit-log.ts';
import { concerns } from './observed.ts';

export type Hear = (event: AuditEvent, seq: number | undefined) => void;

/** Each event is heard when it is on record, with its number; and without one, where it cannot be. */
export function heardLog(log: AuditLog, hear: Hear): AuditLog {
  return {
    id: log.id,
    append: (event) => (concerns(event) ? heard(log, event, hear) : log.append(event)),
    state: () => log.state(),
    close: () => log.close(),
  };
}

async function heard(log: AuditLog, event: AuditEvent, hear: Hear): ReturnType<AuditLog['append']> {
  let seq: number | undefined;
  try {
    const receipt = await log.append(event);
    seq = receipt?.seq;
    return receipt;
  } finally {
    hear(event, seq);
  }
}

/** Its receipts say that a call was seen, and lead nowhere: they are shown to nobody. */
export function unkeptLog(hear: Hear): AuditLog {
  const nowhere = { log: '', seq: 0, hash: '' };
  return {
    id: '',
    append: (event) => {
      hear(event, undefined);
      return Promise.resolve(nowhere);
    },
    state: () => ({ head: nowhere, path: '', durability: 'os' }),
    close: () => Promise.resolve(),
  };
}
