// Records of what running programs made: seen as dead only when their program is, and never a way to somewhere else.

import assert from 'node:assert/strict';
import { lstat, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { bindSocket, type StateFolder, stateFolder } from '../../src/index.ts';
import { Records } from '../../src/zrok/records.ts';
import { tempHome } from './temp-home.ts';

const HERE = { apiEndpoint: 'http://one', envZId: 'Z.1' };

test('a record is dead when the socket it names is, and goes with it', async () => {
  await using h = await house();
  const { records, folder } = h;
  const life = await bindSocket(join(folder.run, 'abc.life'), (socket) => socket.destroy());
  await records.add({ share: 'a-share' }, 'abc.life');
  await records.add({ accessTo: 'b-share', mark: 'f00' }, 'abc.life');
  assert.deepEqual(await records.dead(), []);
  await life.close();
  const dead = await records.dead();
  const names = dead.map(({ made }) => ('share' in made ? made.share : `${made.accessTo} ${made.mark}`));
  assert.deepEqual(names.sort(), ['a-share', 'b-share f00']);
  for (const record of dead) await record.remove();
  for (const record of dead) await record.remove();
  assert.deepEqual(await readdir(folder.records), []);
  assert.deepEqual(await readdir(folder.run), []);
});

test('records of another environment are none of ours', async () => {
  await using h = await house();
  await new Records(h.folder, { ...HERE, envZId: 'Z.2' }).add({ share: 'a-share' }, 'abc.host');
  await new Records(h.folder, { ...HERE, apiEndpoint: 'http://two' }).add({ share: 'a-share' }, 'abc.host');
  assert.deepEqual(await h.records.dead(), []);
  await h.records.removeAll();
  assert.equal((await readdir(h.folder.records)).length, 2);
});

test('a record is for its user only, and tells people which program it was', async () => {
  await using h = await house();
  await h.records.add({ share: 'a-share' }, 'abc.host');
  const [name = ''] = await readdir(h.folder.records);
  assert.equal((await lstat(join(h.folder.records, name))).mode & 0o777, 0o600);
});

test('what was written by another hand is left alone', async () => {
  await using h = await house();
  await h.records.add({ share: 'good-one' }, 'abc.host');
  const [name = ''] = await readdir(h.folder.records);
  const prefix = name.slice(0, name.lastIndexOf('-good'));
  const texts = [
    '',
    '{',
    'null',
    '[]',
    '{"share":"abc"}',
    '{"share":"../up","life":"abc.host"}',
    '{"share":"abc","life":"../../etc/passwd"}',
    '{"share":"abc","life":"x/../abc.host"}',
    '{"accessTo":"abc","mark":"../m","life":"abc.life"}',
    '{"accessTo":"abc","life":"abc.life"}',
  ];
  for (const [at, text] of texts.entries()) await writeFile(join(h.folder.records, `${prefix}-${at}.json`), text);
  assert.deepEqual(
    (await h.records.dead()).map(({ made }) => made),
    [{ share: 'good-one' }],
  );
});

async function house(): Promise<AsyncDisposable & { folder: StateFolder; records: Records }> {
  const home = await tempHome();
  const folder = await stateFolder({ HOME: home.path });
  return {
    folder,
    records: new Records(folder, HERE),
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}
