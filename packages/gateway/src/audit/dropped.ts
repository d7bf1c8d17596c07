// Notifications of a client that no server gets to see: refused by rules, over a limit, for a server that is not there. Nobody
// answers a notification, so the record is all that tells of it. A client may send as many as it likes: of one burst there is
// one record for each method and reason, with how many they were and the arguments of the first.

import type { JsonObject } from '../call/json.ts';
import { argsOf, type CallAudit } from './calls.ts';
import { AUDIT_LIMITS as LIMITS } from './limits.ts';

export interface DroppedNotification {
  readonly method: string;
  readonly params: JsonObject;
  /** Of whose it would have been; absent: nobody's in particular. */
  readonly backend?: string;
  readonly code: string;
  readonly why?: string | undefined;
}

export interface DroppedNotifications {
  note(dropped: DroppedNotification): void;
  /** What is not on record yet; what still comes is no burst. */
  close(): void;
}

interface Burst extends DroppedNotification {
  count: number;
}

export function droppedNotifications(audit: CallAudit | undefined): DroppedNotifications {
  if (!audit) return { note: () => {}, close: () => {} };
  const bursts = new Map<string, Burst>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    for (const burst of bursts.values()) record(audit, burst);
    bursts.clear();
  };
  return {
    note: (dropped) => {
      const key = JSON.stringify([dropped.code, dropped.backend, dropped.method]);
      const known = bursts.get(key) ?? (bursts.size < LIMITS.burstMethods ? undefined : [...bursts.values()].at(-1));
      // Of too many methods the rest is counted with the last one.
      if (known) known.count += 1;
      else bursts.set(key, { ...dropped, count: 1 });
      if (closed) flush();
      else timer ??= setTimeout(flush, LIMITS.burstMs).unref();
    },
    close: () => {
      closed = true;
      flush();
    },
  };
}

function record({ log, actor }: CallAudit, { method, params, backend, code, why, count }: Burst): void {
  const target = { kind: 'method', target: method } as const;
  const args = argsOf(method, params);
  const outcome = { status: 'refused', code, why, count, ms: 0, bytes: 0 } as const;
  // The log tells its own trouble in its state.
  const decision = code === 'rule' ? 'deny' : undefined;
  log
    .append({ type: 'call.outcome', ...actor, method, backend, ...target, args, decision, ...outcome })
    .catch(() => {});
}
