import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FILE_LIMITS } from '../../src/limits.ts';
import { forgetPeers, openPeerBook, type PeerBook } from '../../src/peers/peer-book.ts';
import { tempOverlay } from '../../src/testing/temp-overlay.ts';

const log = { warn: () => {} };

async function house() {
  const temp = await tempOverlay();
  let clock = Date.parse('2026-01-01T00:00:00Z');
  return {
    ...temp,
    file: (share: string) => join(temp.home, 'peers', `${share}.json`),
    open: (share: string | undefined): Promise<PeerBook> =>
      openPeerBook({ share, env: temp.env, log, now: () => (clock += 1000) }),
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

test('who came is kept over a restart, latest first, with what became of it', async () => {
  await using temp = await house();
  const book = await temp.open('box');
  book.saw({ id: 'ziti:a', claimed: 'alice', outcome: 'peer_refused' });
  book.saw({ id: 'ziti:b', outcome: 'owner' });
  book.saw({ id: 'ziti:a', claimed: 'alice', outcome: 'allowed' });
  await book.close();
  const again = await temp.open('box');
  assert.deepEqual(again.list(), [
    {
      id: 'ziti:a',
      claimed: 'alice',
      outcome: 'allowed',
      firstSeen: '2026-01-01T00:00:01.000Z',
      lastSeen: '2026-01-01T00:00:03.000Z',
    },
    { id: 'ziti:b', outcome: 'owner', firstSeen: '2026-01-01T00:00:02.000Z', lastSeen: '2026-01-01T00:00:02.000Z' },
  ]);
});

test('a decision is written before it is told, keeps its name, and can be turned', async () => {
  await using temp = await house();
  const book = await temp.open('box');
  await book.decide('ziti:a', 'allowed', { name: 'alice', role: 'reader' });
  const kept = await temp.open('box');
  assert.deepEqual(kept.get('ziti:a'), { id: 'ziti:a', name: 'alice', role: 'reader', decision: 'allowed' });
  await book.decide('ziti:a', 'denied');
  assert.deepEqual(book.get('ziti:a'), { id: 'ziti:a', name: 'alice', decision: 'denied' });
  await book.decide('ziti:a', 'allowed');
  assert.deepEqual(book.get('ziti:a'), { id: 'ziti:a', name: 'alice', decision: 'allowed' });
  await book.close();
});

test('a process whose share another one has writes nothing over what that one wrote', async () => {
  await using temp = await house();
  const first = await temp.open('box');
  first.saw({ id: 'ziti:a', outcome: 'owner' });
  await first.flush();
  const second = await temp.open('box');
  assert.equal(second.get('ziti:a')?.outcome, 'owner');
  first.stopWriting();
  await second.decide('ziti:b', 'allowed');
  first.saw({ id: 'ziti:c', outcome: 'owner' });
  await first.decide('ziti:b', 'denied');
  await first.close();
  assert.equal(first.get('ziti:b')?.decision, 'denied', 'it holds where its calls are still open');
  const after = await temp.open('box');
  assert.deepEqual([after.get('ziti:b')?.decision, after.get('ziti:c')], ['allowed', undefined]);
});

test('what could not be written is written as soon as it can be, and a failure is not told for ever', async () => {
  await using temp = await tempOverlay();
  const book = await openPeerBook({ share: 'team', env: temp.env, log: { warn: () => {} } });
  const folder = join(temp.home, 'peers');
  await rm(folder, { recursive: true, force: true });
  await writeFile(folder, 'in the way');
  await assert.rejects(book.decide('id:mallory', 'denied'), /cannot be written/);
  await assert.rejects(book.flush(), /cannot be written/);
  await rm(folder);
  await mkdir(folder, { mode: 0o700 });
  await book.flush();
  assert.match(await readFile(join(folder, 'team.json'), 'utf8'), /mallory/);
  await book.close();
});

test('unproven callers are told apart by their claims, which are cut, and are nobody by them', async () => {
  await using temp = await house();
  const book = await temp.open(undefined);
  book.saw({ id: 'unproven', claimed: 'ziti:alice', outcome: 'peer_unproven' });
  book.saw({ id: 'unproven', claimed: 'x'.repeat(1000), outcome: 'peer_unproven' });
  book.saw({ id: 'unproven', outcome: 'peer_unproven' });
  assert.deepEqual(
    book.list().map(({ id, claimed }) => [id, claimed?.length]),
    [
      ['unproven', undefined],
      ['unproven', 200],
      ['unproven', 10],
    ],
  );
  assert.equal(book.get('ziti:alice'), undefined);
});

test('strangers fill it to a bound; decisions stay, and unproven ones go first', async () => {
  await using temp = await house();
  const book = await temp.open(undefined);
  await book.decide('ziti:old', 'denied');
  book.saw({ id: 'ziti:first', outcome: 'peer_refused' });
  for (let at = 0; at < FILE_LIMITS.undecidedPeers + 50; at += 1) {
    book.saw({ id: 'unproven', claimed: `claim ${at}`, outcome: 'peer_unproven' });
  }
  assert.equal(book.list().length, FILE_LIMITS.undecidedPeers + 1);
  assert.ok(book.get('ziti:first'), 'no flood of claims pushes out who proved itself');
  assert.equal(book.get('ziti:old')?.decision, 'denied');
  for (let at = 0; at < FILE_LIMITS.undecidedPeers + 50; at += 1) book.saw({ id: `ziti:${at}`, outcome: 'granted' });
  assert.equal(book.list().length, FILE_LIMITS.undecidedPeers + 1);
  assert.equal(book.get('ziti:0'), undefined);
  assert.equal(book.get('ziti:old')?.decision, 'denied');
});

test('more decisions than anybody makes by hand are refused', async () => {
  await using temp = await house();
  await temp.open('box');
  const peers = Array.from({ length: FILE_LIMITS.decidedPeers }, (_, at) => ({
    id: `ziti:${at}`,
    decision: 'allowed',
  }));
  await writeFile(temp.file('box'), JSON.stringify({ version: 1, peers }));
  const book = await temp.open('box');
  await assert.rejects(book.decide('ziti:one-more', 'allowed'), { code: 'state_file_invalid', message: /10000 peers/ });
  assert.equal(book.get('ziti:one-more'), undefined);
  await book.decide('ziti:1', 'denied');
  assert.equal(book.get('ziti:1')?.decision, 'denied');
  await book.close();
});

test('an ephemeral share leaves no file; one that is deleted takes its peers along', async () => {
  await using temp = await house();
  const passing = await temp.open(undefined);
  await passing.decide('ziti:a', 'allowed');
  await passing.close();
  const book = await temp.open('box');
  await book.decide('ziti:a', 'allowed');
  assert.match(await readFile(temp.file('box'), 'utf8'), /ziti:a/);
  await forgetPeers('box', temp.env);
  await forgetPeers('box', temp.env);
  assert.equal((await temp.open('box')).get('ziti:a'), undefined);
});

test('a broken file lets the gateway not start: it may have denied somebody', async () => {
  await using temp = await house();
  await temp.open('box');
  for (const text of [
    '',
    '{}',
    '{"version":1,"peers":[{"id":7}]}',
    '{"version":1,"peers":[{"id":"a","decision":"maybe"}]}',
  ]) {
    await writeFile(temp.file('box'), text);
    await assert.rejects(temp.open('box'), { code: 'state_file_invalid' });
  }
});
