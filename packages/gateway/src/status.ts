// What `mcp-gateway status` shows: plain facts, no secrets, nothing of any call's contents.

import type { Self } from '@mcp-overlay/overlay';
import type { EraKnown, LinkStats } from '@mcp-overlay/relay';
import type { AlarmsStatus } from './alarms/alarms.ts';
import type { AuditLog, AuditState } from './audit/audit-log.ts';
import type { Backend } from './backend/backend.ts';
import type { ServersState } from './backend/children.ts';
import type { BackendHealth } from './backend/health.ts';
import type { OverloadState } from './overload/meter.ts';
import type { Pins, PinsStatus } from './pins/open.ts';
import type { LimitRow } from './policy/meter.ts';
import type { ConfigStatus } from './reload/outcome.ts';
import type { Scrubbing, ScrubStatus } from './scrub/open.ts';
import type { SessionSettings } from './session/settings.ts';
import type { Shares } from './shares.ts';
import type { DepartureStatus } from './succession/departure.ts';
import type { Trouble } from './troubles/trouble.ts';

export interface GatewayStatus {
  readonly program: 'mcp-gateway';
  readonly version: string;
  readonly pid: number;
  readonly share: string;
  /** Shares of views. */
  readonly views: readonly { readonly view: string; readonly token: string }[];
  readonly overlay: string;
  /** What is in force, and what could not be taken over. */
  readonly config: ConfigStatus;
  /** Who the gateway is on its network; absent: it proves nothing there. */
  readonly identity: Self | undefined;
  readonly startedAt: string;
  /** Absent: it stays. */
  readonly leaving: DepartureStatus | undefined;
  /** What is not well; the longest first. */
  readonly troubles: readonly Trouble[];
  /** 0: well; 1: no new sessions; 2: no new calls either. */
  readonly overload: OverloadState | undefined;
  readonly calls: { readonly open: number; readonly waiting: number };
  /** How far the audit log is: an outside memory of it, for whoever asks now and then. Absent: `audit: off`. */
  readonly audit: AuditState | undefined;
  readonly backends: readonly BackendStatus[];
  readonly sessions: readonly SessionStatus[];
  /** Limits that are near or refused somebody in the last ten minutes; absent: there are none. */
  readonly limits: readonly LimitRow[] | undefined;
  /** Absent: texts of servers are not looked through. */
  readonly scrub: ScrubStatus | undefined;
  /** Absent: `alarms: off`. */
  readonly alarms: AlarmsStatus | undefined;
  /** Absent: definitions are shown as they come. */
  readonly pins: PinsStatus | undefined;
}

export interface BackendStatus extends Omit<BackendHealth, 'circuit'> {
  readonly id: string;
  readonly kind: string;
  /** What its server speaks; absent: it was not heard yet. */
  readonly protocol: EraKnown | undefined;
  /** open: it failed too often and is left alone for a while; half-open: one start is being tried. */
  readonly circuit: ServersState['circuit'];
  /** Those that run on this machine; absent: it is reached over a network. */
  readonly servers: Omit<ServersState, 'circuit'> | undefined;
}

export interface SessionStatus {
  readonly number: number;
  readonly principal: string;
  /** As the operator calls it. */
  readonly name: string;
  readonly proven: boolean;
  readonly by: string | undefined;
  readonly protocol: string;
  readonly openedAt: string;
  readonly calls: number;
  readonly openCalls: number;
  readonly backends: readonly { readonly id: string; readonly phase: string; readonly reason: string | undefined }[];
  /** Messages of the link, where the session came by one. */
  readonly link: LinkStats | undefined;
}

export interface StatusSources {
  readonly version: string;
  readonly overlay: string;
  readonly identity: Self | undefined;
  readonly startedAt: number;
  readonly share: Shares;
  readonly leaving?: DepartureStatus | undefined;
  readonly troubles?: readonly Trouble[];
  readonly overload?: { state(): OverloadState } | undefined;
  readonly config: ConfigStatus;
  readonly settings: SessionSettings;
  readonly scrub?: Scrubbing | undefined;
  readonly audit: AuditLog | undefined;
  readonly alarms: { status(): AlarmsStatus } | undefined;
  readonly pins?: Pins | undefined;
  readonly allowances?: { rows(): readonly LimitRow[] } | undefined;
}

export function statusOf({
  version,
  overlay,
  identity,
  startedAt,
  share,
  leaving,
  troubles = [],
  overload,
  config,
  settings,
  scrub,
  pins,
  allowances,
  audit,
  alarms,
}: StatusSources): GatewayStatus {
  return {
    program: 'mcp-gateway',
    version,
    pid: process.pid,
    share: share.token,
    views: share.views,
    overlay,
    config,
    identity,
    startedAt: new Date(startedAt).toISOString(),
    leaving,
    troubles,
    overload: overload?.state(),
    calls: { open: settings.gauge.open, waiting: settings.gauge.waiting.size },
    audit: audit?.state(),
    backends: settings.backends.map(({ backend, health }) => ({
      id: backend.id,
      kind: backend.config.transport.type,
      protocol: backend.era?.(),
      ...health.get(),
      ...serversOf(backend, health.get()),
    })),
    sessions: share.sessions().map(({ session, accepted }) => ({
      number: session.info.number,
      principal: session.info.principal.id,
      name: session.info.principal.name,
      proven: session.info.principal.proven,
      by: session.info.by,
      protocol: accepted.protocol,
      openedAt: new Date(session.openedAt).toISOString(),
      calls: session.calls,
      openCalls: session.openCalls,
      backends: session.backendStates(),
      link: accepted.link?.stats(),
    })),
    limits: allowances?.rows(),
    scrub: scrub?.status(),
    alarms: alarms?.status(),
    pins: pins?.status(),
  };
}

/** The circuit of all its servers; of one session's own where all is well with the others. */
function serversOf({ servers }: Backend, { circuit: own }: BackendHealth) {
  if (servers === undefined) return { circuit: own, servers: undefined };
  const { circuit, ...state } = servers();
  return { circuit: circuit === 'closed' ? own : circuit, servers: state };
}
