import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { budgetsPath, forgetShare, ledgerPath } from '../src/forget.ts';
import { stateFolder } from '../src/home.ts';
import { tempOverlay } from '../src/testing/temp-overlay.ts';

test('a share that is deleted leaves no peers, tokens, budgets and outcomes of calls; those of others stay', async () => {
  await using temp = await tempOverlay();
  const { peers, tokens, budgets, ledgers } = await stateFolder(temp.env);
  assert.equal(dirname(await budgetsPath('box', temp.env)), budgets);
  for (const folder of [peers, tokens, budgets]) {
    await mkdir(folder, { recursive: true });
    for (const name of ['box', 'box-2']) await writeFile(join(folder, `${name}.json`), '{}');
  }
  await mkdir(await ledgerPath('box', temp.env));
  await mkdir(await ledgerPath('box-2', temp.env));
  await forgetShare('box', temp.env);
  await forgetShare('box', temp.env);
  for (const folder of [peers, tokens, budgets]) assert.deepEqual(await readdir(folder), ['box-2.json'], folder);
  assert.deepEqual(await readdir(ledgers), ['box-2']);
});
