// What goes on record besides calls: sessions that open and end, callers that are not let in, the configuration in force,
// what the operator decided. None of it waits for the disk but the operator's word.

import type { Principal } from '@mcp-overlay/overlay';
import type { AuditEvent, AuditLog } from './audit-log.ts';

/** Strangers can be turned away faster than a log should grow: so many at once, then one a second; how many were left out
 *  stands in the next record. */
const DENIALS_AT_ONCE = 100;
const DENIAL_MS = 1000;

interface SessionFacts {
  readonly number: number;
  readonly principal: Principal;
}

export interface OpenedSession extends SessionFacts {
  readonly roles: readonly string[];
  readonly by: string | undefined;
  readonly view: string | undefined;
}

export function recordOpened(log: AuditLog, { number: session, principal, roles, by, view }: OpenedSession): void {
  const { id: ident, name, proven, via } = principal;
  const more = { ...(by !== undefined && { by }), ...(view !== undefined && { view }) };
  unawaited(log, { type: 'session.open', session, ident, name, proven, via, roles, ...more });
}

export function recordClosed(
  log: AuditLog,
  { number: session, principal }: SessionFacts,
  calls: number,
  reason: string,
): void {
  unawaited(log, { type: 'session.close', session, ident: principal.id, calls, reason });
}

export interface Denial {
  readonly ident?: string;
  readonly claimed?: string | undefined;
  readonly code: string;
}

export function denialRecorder(log: AuditLog, now: () => number = Date.now): (denial: Denial) => void {
  let room = DENIALS_AT_ONCE;
  let since = now();
  let left = 0;
  return ({ ident, claimed, code }) => {
    const at = now();
    const gained = Math.max(0, Math.floor((at - since) / DENIAL_MS));
    room = Math.min(DENIALS_AT_ONCE, room + gained);
    since = gained === 0 ? Math.min(since, at) : at;
    if (room === 0) {
      left += 1;
      return;
    }
    room -= 1;
    unawaited(log, {
      type: 'auth.deny',
      code,
      ...(ident !== undefined && { ident }),
      ...(claimed !== undefined && { claimed }),
      ...(left > 0 && { unrecorded: left }),
    });
    left = 0;
  };
}

/** Rejects where it cannot be recorded: what widens access is not done then. */
export async function recordAdmin(log: AuditLog, what: string, target: string, by: string): Promise<void> {
  await log.append({ type: 'admin', what, target, by });
}

/** The log tells its own trouble in its state. */
function unawaited(log: AuditLog, event: AuditEvent): void {
  log.append(event).catch(() => {});
}
