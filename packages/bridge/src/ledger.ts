// The ledger of the calls whose server this bridge owns.

import { ledgerPath, stateFolder } from '@mcp-overlay/overlay';
import { Ledger, temporaryLedger } from '@mcp-overlay/relay';

export interface LedgerFrom {
  readonly token: string | undefined;
  /** Where the state folder is. */
  readonly stateEnv: NodeJS.ProcessEnv;
  readonly log: { warn(fields: object, event: string): void };
}

export async function openShareLedger({ token, stateEnv, log }: LedgerFrom): Promise<Ledger> {
  const place =
    token === undefined
      ? await temporaryLedger((await stateFolder(stateEnv)).ledgers)
      : { folder: await ledgerPath(token, stateEnv) };
  return Ledger.open({
    ...place,
    onTrouble: (trouble) => log.warn({ trouble: trouble ?? 'none' }, 'ledger of calls'),
    onDamage: (lines) => log.warn({ lines }, 'lines of the ledger of calls cannot be read; those calls are unknown'),
  });
}
