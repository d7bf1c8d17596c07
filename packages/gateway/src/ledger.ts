// The ledger of the calls whose servers this gateway owns: where it is, and how it is configured.

import type { GatewayConfig } from '@mcp-overlay/config';
import { ledgerPath, type Overlay, ownIdentity, stateFolder } from '@mcp-overlay/overlay';
import { Ledger, ledgerIdentity, temporaryLedger } from '@mcp-overlay/relay';
import type { GatewayLog } from './call/log.ts';

export interface LedgerFrom {
  readonly config: Pick<GatewayConfig, 'once' | 'share'>;
  readonly env: NodeJS.ProcessEnv;
  readonly log: GatewayLog;
}

export async function openConfiguredLedger({ config, env, log }: LedgerFrom): Promise<Ledger> {
  const { token } = config.share;
  const place =
    token === undefined
      ? await temporaryLedger((await stateFolder(env)).ledgers)
      : { folder: await ledgerPath(token, env) };
  return Ledger.open({
    ...place,
    ...config.once,
    onTrouble: (trouble) => log.warn({ trouble: trouble ?? 'none' }, 'ledger of calls'),
    onDamage: (lines) => log.warn({ lines }, 'lines of the ledger of calls cannot be read; those calls are unknown'),
  });
}

/** Which one it is, to clients. Hosts behind us keep outcomes for who we are: as somebody else we would ask them anew. */
export async function ledgerName({ folder }: Ledger, overlay: Overlay): Promise<string> {
  const self = await ownIdentity(overlay);
  return `${await ledgerIdentity(folder)} ${self && 'id' in self ? self.id : ''}`;
}
