// A program that only writes a log, and says which records it was told are in it, until it is killed or has made its calls.

import { writeSync } from 'node:fs';
import { openAuditLog } from '../../src/audit/open-audit-log.ts';
import type { Durability } from '../../src/audit/writer.ts';

const [base = '', durability = 'commit', key = '', calls = 'Infinity'] = process.argv.slice(2);
const log = await openAuditLog({
  base,
  key: Buffer.from(key),
  durability: durability as Durability,
  rotate: { bytes: 20_000 },
});

async function caller(session: number): Promise<void> {
  for (let n = 0; n < Number(calls); n += 1) {
    const text = 'x'.repeat((n * 37) % 900);
    const record = log.append({
      type: 'call.intent',
      session,
      ident: 'owner',
      method: 'tools/call',
      backend: 'fs',
      kind: 'tool',
      target: 'read',
      args: { n, text },
    });
    // A disk that fails twice refuses; the next call may do.
    const receipt = await record.catch(() => undefined);
    if (receipt) writeSync(1, `${receipt.seq} ${receipt.hash.slice(7)}\n`);
  }
}

await Promise.all(Array.from({ length: 6 }, (_, n) => caller(n)));
await log.close();
