// `mcp-tools receipts TOKEN [-o FILE]`: what this user's programs keep of a share's audit log. Whoever runs the gateway
// checks its log against the file: mcp-gateway audit verify --anchor FILE.

import { writeFile } from 'node:fs/promises';
import { type Command, EXIT, type Flags, printJson, printTable, UsageError } from '@mcp-overlay/cli';
import { openOverlay, shareKey } from '@mcp-overlay/overlay';
import { type KeptReceipt, keptReceipts } from '../receipts/keeper.ts';

export const receiptsCommand: Command = {
  usage: 'receipts <token>',
  describe: 'numbers that the audit log of a share gave to calls of this user',
  positionals: { token: { type: 'string', describe: 'the share' } },
  options: {
    output: { type: 'string', alias: 'o', describe: 'write them to this file, one JSON line each' },
    json: { type: 'boolean', describe: 'for programs' },
  },
  examples: [
    ['$0 receipts my-gateway', 'how many, of which log, up to which number'],
    ['$0 receipts my-gateway -o receipts.jsonl', 'for: mcp-gateway audit verify --anchor receipts.jsonl'],
  ],
  run: async (flags: Flags) => {
    const share = String(flags.token);
    const { identity, trust, overlay: kind } = flags;
    const { overlay } = await openOverlay({ env: process.env, kind, identity, trust });
    const key = shareKey(overlay, share);
    await overlay.close();
    const receipts = await keptReceipts(key, process.env);
    if (typeof flags.output === 'string') await write(flags.output, receipts);
    else if (flags.json === true) printJson(receipts);
    else printTable(['log', 'receipts', 'first', 'last', 'since', 'until'], summary(receipts));
    return EXIT.done;
  },
};

async function write(path: string, receipts: readonly KeptReceipt[]): Promise<void> {
  const lines = receipts.map((receipt) => `${JSON.stringify(receipt)}\n`).join('');
  await writeFile(path, lines, { mode: 0o600 }).catch((error: Error) => {
    throw new UsageError(`-o ${path}: ${error.message}`);
  });
}

function summary(receipts: readonly KeptReceipt[]): string[][] {
  return [...new Set(receipts.map(({ log }) => log))].map((log) => {
    const its = receipts.filter((receipt) => receipt.log === log);
    const numbers = its.map(({ seq }) => seq);
    return [
      log,
      String(its.length),
      String(Math.min(...numbers)),
      String(Math.max(...numbers)),
      its[0]?.at ?? '',
      its.at(-1)?.at ?? '',
    ];
  });
}
