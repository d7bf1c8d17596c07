// The file of receipts: the latest thousand, 0600, shared by several programs; and what it tells of a log rolled back.

import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Message, notificationMessage, requestMessage, resultMessage } from '@mcp-overlay/relay';
import { linkedTransports } from '@mcp-overlay/relay/testing';
import { KEPT_RECEIPTS, keptReceipts, receiptKeeper } from '../../src/receipts/keeper.ts';
import type { Receipt } from '../../src/receipts/receipt.ts';
import { tapReceipts } from '../../src/receipts/tap.ts';

const KEY = { network: 'local', realm: '', share: 'my-gateway' };
const receipt = (seq: number, log = 'one'): Receipt => ({
  log,
  seq,
  hash: `sha256:${seq.toString(16).padStart(64, '0')}`,
});

async function house() {
  const path = await mkdtemp(join(tmpdir(), 'receipts-'));
  const env = { MCP_OVERLAY_HOME: join(path, 'state') };
  const warnings: object[] = [];
  const log = { warn: (fields: object) => void warnings.push(fields) };
  return {
    env,
    warnings,
    log,
    folder: join(path, 'state', 'receipts'),
    keeper: () => receiptKeeper({ key: KEY, env, log }),
    kept: () => keptReceipts(KEY, env),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

test('receipts are on file when the session is over, in order, for this user only', async () => {
  await using temp = await house();
  const keeper = temp.keeper();
  for (let seq = 1; seq <= 3; seq += 1) keeper.keep(receipt(seq));
  await keeper.close();
  assert.deepEqual(
    (await temp.kept()).map(({ seq }) => seq),
    [1, 2, 3],
  );
  const [name = ''] = await readdir(temp.folder);
  assert.equal((await stat(join(temp.folder, name))).mode & 0o777, 0o600);
  assert.equal((await temp.keeper().heads()).get('one')?.seq, 3);
});

test('only the latest thousand stay, and the file does not grow without end', async () => {
  await using temp = await house();
  for (let round = 0; round < 6; round += 1) {
    const keeper = temp.keeper();
    for (let seq = 1; seq <= 900; seq += 1) keeper.keep(receipt(round * 900 + seq));
    await keeper.close();
  }
  const kept = await temp.kept();
  assert.equal(kept.length, KEPT_RECEIPTS);
  assert.equal(kept.at(-1)?.seq, 5400);
  const [name = '', ...others] = await readdir(temp.folder);
  assert.deepEqual(others, []);
  assert.ok((await stat(join(temp.folder, name))).size < 600_000);
});

test('several programs write the same file, and none loses a receipt of another', async () => {
  await using temp = await house();
  const keepers = Array.from({ length: 8 }, () => temp.keeper());
  for (const [at, keeper] of keepers.entries()) for (let n = 0; n < 50; n += 1) keeper.keep(receipt(at * 50 + n));
  await Promise.all(keepers.map((keeper) => keeper.close()));
  assert.deepEqual(new Set((await temp.kept()).map(({ seq }) => seq)).size, 400);
});

test('a line that a program died in is passed over', async () => {
  await using temp = await house();
  const keeper = temp.keeper();
  keeper.keep(receipt(1));
  await keeper.close();
  const [name = ''] = await readdir(temp.folder);
  await appendFile(join(temp.folder, name), '{"log":"one","se\n');
  const again = temp.keeper();
  again.keep(receipt(2));
  await again.close();
  assert.deepEqual(
    (await temp.kept()).map(({ seq }) => seq),
    [1, 2],
  );
});

/** A session whose gateway gives the numbers that the test says. */
function tapped(temp: Awaited<ReturnType<typeof house>>) {
  const [far, near] = linkedTransports();
  const asked: Message[] = [];
  far.start({ message: (message) => void asked.push(message), fault: () => {}, closed: () => {} });
  const keeper = temp.keeper();
  const kept = tapReceipts(near, { keeper, share: 'my-gateway', log: temp.log });
  const got: Message[] = [];
  let wake = (): void => {};
  kept.start({
    message: (message) => {
      got.push(message);
      wake();
    },
    fault: () => {},
    closed: () => {},
  });
  return {
    kept,
    ready: () => keeper.heads(),
    send: (id: string) => kept.send(requestMessage(id, 'tools/call', {})),
    async answer(id: string, receipt: Receipt) {
      const count = got.length;
      far.send(resultMessage(id, { _meta: { 'mcp-overlay/audit': receipt } }));
      while (got.length === count)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      return got.at(-1);
    },
  };
}

test('answers that overtake each other are no alarm', async () => {
  await using temp = await house();
  const session = tapped(temp);
  for (const id of ['1', '2', '3']) session.send(id);
  await session.answer('3', receipt(12));
  await session.answer('1', receipt(10));
  await session.answer('2', receipt(11));
  assert.deepEqual(temp.warnings, []);
  await session.kept.close();
  assert.equal((await temp.kept()).length, 3);
});

test('a number that was given before the call was sent is an alarm, once; the bytes pass as they are', async () => {
  await using temp = await house();
  const session = tapped(temp);
  session.send('1');
  await session.answer('1', receipt(50));
  session.send('2');
  const passed = await session.answer('2', receipt(50));
  assert.deepEqual(passed?.bytes, resultMessage('2', { _meta: { 'mcp-overlay/audit': receipt(50) } }).bytes);
  session.send('3');
  await session.answer('3', receipt(49));
  assert.deepEqual(temp.warnings, [{ share: 'my-gateway', log: 'one', seq: 50, known: 50 }]);
  session.send('4');
  await session.answer('4', receipt(3, 'a new log'));
  assert.equal(temp.warnings.length, 1);
  await session.kept.close();
});

test('a log that was rolled back between two runs is noticed by the numbers on file', async () => {
  await using temp = await house();
  const before = tapped(temp);
  before.send('1');
  await before.answer('1', receipt(80));
  await before.kept.close();
  const after = tapped(temp);
  await after.ready();
  await new Promise(setImmediate);
  after.send('1');
  await after.answer('1', receipt(61));
  assert.deepEqual(temp.warnings, [{ share: 'my-gateway', log: 'one', seq: 61, known: 80 }]);
  await after.kept.close();
});

test('notifications and requests of the server pass untouched', async () => {
  await using temp = await house();
  const [far, near] = linkedTransports();
  const kept = tapReceipts(near, { keeper: temp.keeper(), share: 's', log: temp.log });
  const came = new Promise<Message>((resolve) => kept.start({ message: resolve, fault: () => {}, closed: () => {} }));
  far.start({ message: () => {}, fault: () => {}, closed: () => {} });
  const told = notificationMessage('notifications/message', { data: 'mcp-overlay/audit' });
  far.send(told);
  assert.deepEqual((await came).bytes, told.bytes);
  await kept.close();
});
