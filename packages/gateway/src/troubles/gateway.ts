// Troubles of the gateway itself: of its audit log, its network, its machine, its files.

import type { AuditState } from '../audit/audit-log.ts';
import type { OverloadState, Vital } from '../overload/meter.ts';
import type { Found } from './trouble.ts';

export interface GatewaySeen {
  /** The configuration. */
  readonly file: string;
  readonly overlay: string;
  readonly shares: readonly { readonly token: string; readonly unreached: Unreached | undefined }[];
  readonly audit: AuditState | undefined;
  /** What becomes of calls that cannot be recorded. */
  readonly onFailure: 'deny' | 'buffer' | 'allow';
  /** Where it is known which calls ran. */
  readonly ledger?: { readonly folder: string; readonly trouble: string | undefined } | undefined;
  readonly overload: OverloadState | undefined;
  readonly pins: { readonly file: string; readonly trouble?: string } | undefined;
  readonly scrub: { readonly trouble?: string } | undefined;
  /** Alarms that nobody could be told of. */
  readonly undelivered: number;
}

export interface Unreached {
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly why: string;
}

export function gatewayTroubles(seen: GatewaySeen): Found[] {
  return [
    ...network(seen),
    ...overloaded(seen),
    ...auditLog(seen),
    ...ledgerOfCalls(seen),
    ...lockFile(seen),
    ...patterns(seen),
    ...alarms(seen),
  ];
}

function network({ shares, overlay }: GatewaySeen): Found[] {
  return shares.flatMap(({ token, unreached }) =>
    unreached === undefined
      ? []
      : [
          {
            about: `share ${token}`,
            failed: `callers cannot reach it over ${overlay}: ${unreached.why}`,
            since: unreached.since,
            doing: 'the network is dialled until it is there again; sessions and open calls are kept',
            remedy:
              'see whether this machine has a network, and whether the controller and the routers of the overlay run',
          },
        ],
  );
}

const SHORT_OF: Readonly<Record<Vital, (value: number) => string>> = {
  heap: (share) => `${percent(share)} of the heap of this process is used`,
  memory: (share) => `this process uses ${percent(share)} of the memory that it may`,
  files: (share) => `${percent(share)} of the files that this process may open are open`,
  lag: (ms) => `this process answers ${Math.round(ms)} ms late`,
};

function overloaded({ overload }: GatewaySeen): Found[] {
  if (overload === undefined || overload.level === 0) return [];
  const { level, since, worst, value } = overload;
  return [
    {
      about: 'overload',
      failed: SHORT_OF[worst](value),
      since,
      doing:
        level === 1
          ? 'new sessions are told to come again, those that are open go on'
          : 'new sessions and new calls are told to come again, open calls go on',
      remedy:
        worst === 'files'
          ? 'raise the limit of open files (ulimit -n), or have fewer sessions'
          : 'give it more room, or lower limits.sessions and limits.calls_in_all',
    },
  ];
}

const UNRECORDED: Readonly<Record<GatewaySeen['onFailure'], string>> = {
  deny: 'no call is let through that cannot be recorded; writing is tried again each second',
  buffer: 'records wait in memory, and calls go on while there is room for them',
  allow: 'calls go on, and what is not recorded is counted; the log will say so',
};

function auditLog({ audit, onFailure }: GatewaySeen): Found[] {
  if (audit?.trouble === undefined) return [];
  return [
    {
      about: 'audit log',
      failed: audit.trouble,
      doing: UNRECORDED[onFailure],
      remedy: `make room on the disk of ${audit.path}, and see whether this user may write there`,
    },
  ];
}

function ledgerOfCalls({ ledger }: GatewaySeen): Found[] {
  if (ledger?.trouble === undefined) return [];
  return [
    {
      about: 'ledger of calls',
      failed: ledger.trouble,
      doing: 'no call is let through that could run twice for want of it; each one tries again to write',
      remedy: `make room on the disk of ${ledger.folder}, and see whether this user may write there`,
    },
  ];
}

function lockFile({ pins }: GatewaySeen): Found[] {
  if (pins?.trouble === undefined) return [];
  return [
    {
      about: 'lock file',
      failed: pins.trouble,
      doing: 'what was recorded before stays in force',
      remedy: `mend ${pins.file}, or put back the last one that was good`,
    },
  ];
}

function patterns({ scrub }: GatewaySeen): Found[] {
  if (scrub?.trouble === undefined) return [];
  return [
    {
      about: 'patterns',
      failed: scrub.trouble,
      doing: 'the old patterns stay in force',
      remedy: 'mend the pattern file; it is read again when it changes',
    },
  ];
}

function alarms({ undelivered, file }: GatewaySeen): Found[] {
  if (undelivered === 0) return [];
  return [
    {
      about: 'alarms',
      failed: `${undelivered === 1 ? '1 alarm was' : `${undelivered} alarms were`} not delivered`,
      doing: 'they stand in mcp-gateway alarms and in the audit log',
      remedy: `see whether what alarms names in ${file} can be run and reached`,
    },
  ];
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
