import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { keyText, newKey } from '../../src/access/keys.ts';
import { forgetTokens, openTokenBook, type TokenBookOptions, type TokenRecord } from '../../src/access/token-book.ts';
import { ACCESS_LIMITS } from '../../src/limits.ts';
import { tempOverlay } from '../../src/testing/temp-overlay.ts';

const DAY = 24 * 3600 * 1000;
const ID = 'a'.repeat(24);

function record(id: string, more: Partial<TokenRecord> = {}): TokenRecord {
  const until = new Date(Date.now() + DAY).toISOString();
  return { id, name: 'bob', minted: new Date().toISOString(), until, ...more };
}

async function house() {
  const temp = await tempOverlay();
  return {
    open: (more: Partial<TokenBookOptions> = {}) => openTokenBook({ share: 'box', env: temp.env, ...more }),
    folder: join(temp.home, 'tokens'),
    env: temp.env,
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

test('the key is made once, by whoever needs it first, and nobody else may read it', async () => {
  await using home = await house();
  const [one, two] = await Promise.all([home.open(), home.open()]);
  assert.equal(await one.key(), undefined);
  const keys = await Promise.all([one.keyToMint(), two.keyToMint(), one.keyToMint()]);
  assert.equal(new Set(keys.map(keyText)).size, 1);
  assert.equal(keyText((await two.key()) ?? newKey()), keyText(keys[0]));
  const { mode } = await stat(join(home.folder, 'box.pem'));
  if (process.platform !== 'win32') assert.equal(mode & 0o777, 0o600);
});

test('what is made and revoked is seen by every process, and survives', async () => {
  await using home = await house();
  const [one, two] = await Promise.all([home.open(), home.open()]);
  await one.keep(record(ID, { roles: ['reader'], only: { tools: ['a'] }, holder: 'mcpk1_x' }));
  await two.keep(record('b'.repeat(24)));
  assert.deepEqual(
    (await one.list()).map(({ id }) => id[0]),
    ['b', 'a'],
  );
  const { at } = await two.revoke(ID);
  assert.deepEqual(
    (await one.revocations()).map(({ id }) => id),
    [ID],
  );
  assert.equal((await one.revoke(ID)).at, at, 'again is as before');
  assert.deepEqual((await (await home.open()).list())[1]?.only, { tools: ['a'] });
  const other = await home.open({ share: 'other' });
  assert.deepEqual([await other.list(), await other.revocations(), await other.key()], [[], [], undefined]);
});

test('also an id is revoked that was made by narrowing, and so nobody here knows', async () => {
  await using home = await house();
  const book = await home.open();
  await book.revoke('c'.repeat(24));
  assert.equal((await book.revocations())[0]?.id, 'c'.repeat(24));
  for (const id of ['', 'bob', `mcpa1_${'x'.repeat(200)}`, 'C'.repeat(24)]) {
    await assert.rejects(book.revoke(id), (error: Error & { code: string }) => {
      return error.code === 'access_malformed' && !error.message.includes('x'.repeat(100));
    });
  }
});

test('what is over is forgotten a day later, and not before', async () => {
  await using home = await house();
  let now = Date.now();
  const book = await home.open({ now: () => now });
  await book.keep(record(ID));
  await book.revoke(ID);
  now += 1.5 * DAY;
  assert.equal((await book.list()).length, 1);
  now += DAY;
  assert.equal((await book.list()).length, 0);
  await book.keep(record('b'.repeat(24)));
  assert.equal((await book.revocations()).length, 0);
});

test('a revoked token is never forgotten to make room', async () => {
  await using home = await house();
  const until = new Date(Date.now() + DAY).toISOString();
  const revoked = Array.from({ length: ACCESS_LIMITS.records }, (_, at) => ({
    id: at.toString(16).padStart(24, '0'),
    at: until,
    until,
  }));
  await home.open();
  await writeFile(join(home.folder, 'box.json'), JSON.stringify({ version: 1, tokens: [], revoked }));
  const book = await home.open();
  await assert.rejects(book.revoke(ID), { code: 'state_file_invalid', message: /which is the most/ });
  assert.equal((await book.revocations()).length, ACCESS_LIMITS.records);
});

test('a file that is broken is no empty one', async () => {
  await using home = await house();
  await home.open();
  const broken = [
    '{',
    '{"version":2}',
    '{"version":1,"tokens":[{}],"revoked":[]}',
    '{"version":1,"tokens":[],"revoked":[1]}',
  ];
  for (const text of [
    ...broken,
    JSON.stringify({ version: 1, tokens: [record(ID, { only: { x: [] } as never })], revoked: [] }),
  ]) {
    await writeFile(join(home.folder, 'box.json'), text);
    const book = await home.open();
    await assert.rejects(book.revocations(), { code: 'state_file_invalid' }, text);
    await assert.rejects(book.keep(record(ID)), { code: 'state_file_invalid' }, text);
  }
});

test('a share that is gone with its host keeps it in memory, one that is deleted nothing', async () => {
  await using home = await house();
  const book = await home.open({ share: undefined });
  await book.keyToMint();
  await book.keep(record(ID));
  await book.revoke(ID);
  assert.equal((await book.list()).length, 1);
  assert.equal((await book.revocations()).length, 1);
  const kept = await home.open();
  await kept.keyToMint();
  await kept.keep(record(ID));
  assert.deepEqual((await readdir(home.folder)).sort(), ['box.json', 'box.pem']);
  assert.equal((await readFile(join(home.folder, 'box.json'), 'utf8')).includes('mcpa1_'), false);
  await forgetTokens('box', home.env);
  await forgetTokens('box', home.env);
  assert.deepEqual(await readdir(home.folder), []);
});

test('a key that is kept elsewhere is asked for, and none is made', async () => {
  await using home = await house();
  const key = newKey();
  const book = await home.open({ keyFrom: async () => key });
  assert.equal(keyText((await book.key()) ?? newKey()), keyText(key));
  assert.equal(keyText(await book.keyToMint()), keyText(key));
  assert.deepEqual(await readdir(home.folder), []);
});
