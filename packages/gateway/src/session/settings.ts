// What sessions of a gateway are made of, and what is known of one before it says anything.

import type { Principal } from '@mcp-overlay/overlay';
import type { Ledger, Limits } from '@mcp-overlay/relay';
import type { Decoys } from '../alarms/decoys.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { CallAudit } from '../audit/calls.ts';
import type { Backend } from '../backend/backend.ts';
import type { HealthRecord } from '../backend/health.ts';
import type { PermittedCall } from '../call/call.ts';
import type { GatewayLog } from '../call/log.ts';
import type { Stage } from '../call/stage.ts';
import type { Overload } from '../overload/overload.ts';
import type { Pins } from '../pins/open.ts';
import type { Access } from '../policy/access.ts';
import type { CallerLimits } from '../policy/allowances.ts';
import type { CallGauge } from '../policy/limit.ts';
import type { Naming } from '../routing/names.ts';
import type { StateSeal } from '../routing/states.ts';
import type { TaskOwners } from '../routing/task-owners.ts';
import type { HitSink, Scrubber } from '../scrub/scrubber.ts';
import type { OwnIdentity } from './handshake.ts';

/** What all sessions of a gateway have in common. */
export interface SessionSettings {
  /** Of the configuration it was made from; the number grows where sessions go on under a later one that changes nothing of
   *  what they are made of. Absent: there is but one. */
  readonly origin?: { readonly number: number };
  /** This gateway in the `via` list of sessions: one that comes back is a cycle. */
  readonly instance: string;
  readonly backends: readonly { readonly backend: Backend; readonly health: HealthRecord }[];
  /** What a client may see and do. `session`: its number. */
  accessFor(principal: Principal, session: number): Access;
  /** What a caller may use, shared by all its sessions. Absent, or undefined: nothing limits it. */
  limitsFor?(principal: Principal): CallerLimits | undefined;
  readonly naming: Naming;
  readonly own: OwnIdentity;
  readonly callTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly listWaitMs: number;
  readonly limits: Limits;
  readonly gauge: CallGauge;
  /** What the machine can bear; absent: nobody looks. */
  readonly overload?: Pick<Overload, 'turnAway' | 'mayPrepare'> | undefined;
  /** Outcomes of calls are kept for so long, by us or by whoever runs the servers: clients ask again. Absent: by nobody. */
  readonly onceSeconds?: number | undefined;
  /** Which ledger has them. */
  readonly ledgerName?: string | undefined;
  /** Where outcomes of servers are kept that are ours. */
  readonly ledger?: Ledger | undefined;
  /** Seals what modern servers let calls be gone on with; absent: it passes as it is. */
  readonly stateSeal?: StateSeal;
  /** Whose tasks are on servers that callers share. */
  readonly taskOwners?: TaskOwners;
  /** Looks through what servers send; absent: nothing does. */
  readonly scrubber?: Scrubber | undefined;
  /** Who hears what it found, by session. */
  readonly scrubHits?: ((session: SessionOriginInfo) => HitSink) | undefined;
  /** What rings, and what it holds up; absent: `alarms: off`. */
  readonly alarms?: SessionAlarms | undefined;
  /** What was seen or approved of what servers say of themselves; absent: all is shown as it comes. */
  readonly pins?: Pins | undefined;
  /** Absent: `audit: off`. */
  readonly audit?: AuditSettings;
  readonly log: GatewayLog;
}

/** The part of alarms that sessions know. */
export interface SessionAlarms {
  readonly brake: { stage(principal: string): Stage<PermittedCall> } | undefined;
  readonly decoys: Decoys;
}

export interface AuditSettings {
  readonly log: AuditLog;
  /** Whether answers carry the number of their record: where the configuration says `audit`. */
  readonly receipts: boolean;
}

/** How one client's calls go on record. */
export function callAudit(settings: SessionSettings, info: SessionOriginInfo): CallAudit | undefined {
  const { audit, log } = settings;
  if (!audit) return undefined;
  const actor = { session: info.number, ident: info.principal.id };
  return { ...audit, actor, warn: (fields, event) => log.warn(fields, event) };
}

export interface SessionOriginInfo {
  /** For status and logs; the session's secret parts never go there. */
  readonly number: number;
  readonly handOn: string;
  /** Its client had it before; its servers may have begun anew since. */
  readonly returning?: boolean;
  readonly via: readonly string[];
  readonly principal: Principal;
  readonly by: string | undefined;
}
