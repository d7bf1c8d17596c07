import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ledger, ledgerIdentity } from '../../src/index.ts';

test('a ledger has one name for all that open it, as long as its folder is there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ledger-'));
  try {
    const names = await Promise.all(Array.from({ length: 8 }, () => ledgerIdentity(folder)));
    assert.equal(new Set(names).size, 1);
    assert.match(names[0] ?? '', /^[0-9a-f]{32}$/);
    assert.deepEqual(await readdir(folder), ['identity']);
    // It is no file of outcomes.
    const ledger = await Ledger.open({ folder });
    await ledger.close();
    assert.equal(await ledgerIdentity(folder), names[0]);
    await rm(folder, { recursive: true });
    await (await Ledger.open({ folder })).close();
    assert.notEqual(await ledgerIdentity(folder), names[0]);
    await writeFile(join(folder, 'identity'), 'half');
    assert.notEqual(await ledgerIdentity(folder), await ledgerIdentity(folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
