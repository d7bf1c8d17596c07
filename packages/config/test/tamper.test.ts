// Files that decide what runs, and who may change them.

import assert from 'node:assert/strict';
import { chmod, chown } from 'node:fs/promises';
import test from 'node:test';
import { changeableBy, loadGatewayConfig, loadPatternFile } from '../src/index.ts';
import { withBackend } from './read.ts';
import { tempFolder } from './secret/folder.ts';

const posix = { skip: process.platform === 'win32' };

test('T38 a configuration that everybody may change is refused', posix, async () => {
  await using folder = await tempFolder();
  const file = await folder.write('g.yml', withBackend(''));
  for (const mode of [0o666, 0o602, 0o777]) {
    await chmod(file, mode);
    await assert.rejects(loadGatewayConfig(file, { env: {}, cwd: '/' }), {
      code: 'config_invalid',
      message: `${file}: everybody on this machine may change it, and with it what is run`,
      hint: `chmod o-w ${file}`,
    });
  }
});

test('T38 one that a group may change is warned of, and one of another user', {
  skip: process.getuid?.() !== 0,
}, async () => {
  await using folder = await tempFolder();
  const file = await folder.write('g.yml', withBackend(''), 0o660);
  const notes = async (): Promise<string[]> => {
    const { notes } = await loadGatewayConfig(file, { env: {}, cwd: '/' });
    return notes.map(({ text }) => text);
  };
  await chown(file, 0, 12_345);
  assert.deepEqual(await notes(), [`${file}: its group may change it, and with it what is run; chmod g-w ${file}`]);
  await chmod(file, 0o640);
  assert.deepEqual(await notes(), []);
  await chown(file, 12_345, 12_345);
  assert.deepEqual(await notes(), [`${file}: it belongs to another user, who may change what is run`]);
});

test('T38 a group that has the number of its only user is that user', () => {
  const stats = (mode: number, uid: number, gid: number) => ({ mode, uid, gid, isFile: () => true });
  assert.equal(changeableBy(stats(0o100664, 1000, 1000), 1000), undefined);
  assert.equal(changeableBy(stats(0o100664, 1000, 100), 1000), 'group');
  assert.equal(changeableBy(stats(0o100644, 0, 0), 1000), undefined);
  assert.equal(changeableBy(stats(0o100644, 1001, 1001), 1000), 'owner');
  assert.equal(changeableBy(stats(0o100646, 1000, 1000), 1000), 'everybody');
  assert.equal(changeableBy({ ...stats(0o010666, 1001, 0), isFile: () => false }, 1000), undefined);
});

test('T38 a pattern file that everybody may change is refused', posix, async () => {
  await using folder = await tempFolder();
  const file = await folder.write('patterns.yml', 'patterns: []\n', 0o666);
  await assert.rejects(loadPatternFile(file, '/'), { code: 'config_invalid', hint: `chmod o-w ${file}` });
});
