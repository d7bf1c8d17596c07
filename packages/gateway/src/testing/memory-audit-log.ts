// An audit log in memory, for tests of who writes it: what was appended, in order, and a switch that makes it fail.

import { createHash } from 'node:crypto';
import type { AuditEvent, AuditLog, AuditReceipt, AuditState } from '../audit/audit-log.ts';

export interface MemoryAuditLog extends AuditLog {
  readonly events: AuditEvent[];
  /** Whether appending this event fails. */
  fails: (event: AuditEvent) => boolean;
  /** Resolves when an event fits. */
  saw(fits: (event: AuditEvent) => boolean): Promise<AuditEvent>;
}

export function memoryAuditLog(): MemoryAuditLog {
  const events: AuditEvent[] = [];
  let wake: () => void = () => {};
  const receiptOf = (seq: number): AuditReceipt => {
    const hash = createHash('sha256').update(`line ${seq}`).digest('hex');
    return { log: 'in-memory', seq, hash: `sha256:${hash}` };
  };
  const log: MemoryAuditLog = {
    id: 'in-memory',
    events,
    fails: () => false,
    append: async (event) => {
      // Like a disk, it is never done at once.
      await new Promise(setImmediate);
      if (log.fails(event)) throw new Error('the disk is full');
      events.push(withoutAbsent(event));
      wake();
      return receiptOf(events.length);
    },
    state: (): AuditState => ({ head: receiptOf(events.length), path: '/nowhere', durability: 'commit' }),
    close: async () => {},
    saw: async (fits) => {
      for (;;) {
        const found = events.find(fits);
        if (found) return found;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
  return log;
}

/** As a record has it: what is undefined is not there. */
function withoutAbsent<T extends object>(event: T): T {
  return Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined)) as T;
}
