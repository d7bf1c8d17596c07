// Gathers what the troubles of a running gateway are read from.

import type { GatewayConfig } from '@mcp-overlay/config';
import type { AuditLog } from '../audit/audit-log.ts';
import type { Overload } from '../overload/overload.ts';
import type { SessionSettings } from '../session/settings.ts';
import type { Shares } from '../shares.ts';
import { backendTroubles } from './backends.ts';
import { gatewayTroubles } from './gateway.ts';
import type { Found } from './trouble.ts';

export interface TroubleSources {
  readonly config: Pick<GatewayConfig, 'audit' | 'file'>;
  readonly overlay: string;
  readonly share: Pick<Shares, 'each'>;
  readonly settings: Pick<SessionSettings, 'backends' | 'ledger'>;
  readonly audit: Pick<AuditLog, 'state'> | undefined;
  readonly overload: Pick<Overload, 'state'> | undefined;
  readonly pins: { status(): { readonly file: string; readonly trouble?: string } } | undefined;
  readonly scrub: { status(): { readonly trouble?: string } | undefined } | undefined;
  readonly alarms: { status(): { readonly undelivered: number } } | undefined;
}

export function troublesOf({ config, overlay, share, settings, audit, overload, ...files }: TroubleSources): Found[] {
  const { file } = config;
  return [
    ...gatewayTroubles({
      file,
      overlay,
      shares: share.each().map(({ token, unreached }) => ({ token, unreached: unreached() })),
      audit: audit?.state(),
      onFailure: onFailureOf(config.audit),
      ledger: settings.ledger,
      overload: overload?.state(),
      pins: files.pins?.status(),
      scrub: files.scrub?.status(),
      undelivered: files.alarms?.status().undelivered ?? 0,
    }),
    ...backendTroubles(
      settings.backends.map(({ backend, health }) => ({
        config: backend.config,
        health: health.get(),
        servers: backend.servers?.(),
      })),
      file,
    ),
  ];
}

function onFailureOf(audit: GatewayConfig['audit']): 'deny' | 'buffer' | 'allow' {
  if (audit === undefined || audit === 'off') return 'deny';
  return typeof audit.onFailure === 'object' ? 'buffer' : audit.onFailure;
}
