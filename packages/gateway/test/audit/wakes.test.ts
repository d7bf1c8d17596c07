// Records that come one after the other, in whatever turn of the event loop: none is left waiting for the next.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAuditLog } from '../../src/audit/open-audit-log.ts';

for (const turns of [0, 1, 2, 3, 4, 5, 8]) {
  test(`a record appended ${turns} turns after the last one was written is written`, { timeout: 20_000 }, async () => {
    const base = await mkdtemp(join(tmpdir(), 'audit-wakes-'));
    const log = await openAuditLog({ base, key: Buffer.alloc(32, 9) });
    // Nothing else keeps the process.
    const alive = setInterval(() => {}, 1000);
    let seq = 0;
    for (let at = 0; at < 20; at += 1) {
      const receipt = await log.append({ type: 'auth.deny', code: 'peer_refused' });
      assert.ok((receipt?.seq ?? 0) > seq);
      seq = receipt?.seq ?? 0;
      for (let turn = 0; turn < turns; turn += 1) await undefined;
    }
    clearInterval(alive);
    await log.close();
    await rm(base, { recursive: true, force: true });
  });
}
