// The ledger of the calls whose server this bridge owns.

import { type Overlay, stateFolder } from '@mcp-overlay/overlay';
import { Ledger, ledgerPlace } from '@mcp-overlay/relay';

export interface LedgerFrom {
  readonly overlay: Pick<Overlay, 'kind'>;
  readonly token: string | undefined;
  /** Where the state folder is. */
  readonly stateEnv: NodeJS.ProcessEnv;
  readonly log: { warn(fields: object, event: string): void };
}

export async function openShareLedger({ overlay, token, stateEnv, log }: LedgerFrom): Promise<Ledger> {
  const { ledgers } = await stateFolder(stateEnv);
  return Ledger.open({
    ...(await ledgerPlace(ledgers, token === undefined ? undefined : [overlay.kind, token])),
    onTrouble: (trouble) => log.warn({ trouble: trouble ?? 'none' }, 'ledger of calls'),
    onDamage: (lines) => log.warn({ lines }, 'lines of the ledger of calls cannot be read; those calls are unknown'),
  });
}
