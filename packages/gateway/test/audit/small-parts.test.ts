// Branches that whole logs do not come to.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { treeBefore } from '../../src/audit/bodies.ts';
import { systemClock } from '../../src/audit/clock.ts';
import { KeyRing, keyId } from '../../src/audit/keys.ts';
import { hmac, ShortMac } from '../../src/audit/line-hash.ts';
import { MemoryFiles } from '../../src/testing/memory-files.ts';
import { KEY } from './sample.ts';

test('where no boot id is told each clock counts a boot of its own', () => {
  const { boot } = systemClock();
  assert.equal(systemClock().boot, boot);
  for (const file of ['/absent', '/proc/version']) {
    const own = systemClock(file);
    assert.match(own.boot, /^[0-9a-f-]{36}$/);
    assert.notEqual(own.boot, systemClock(file).boot);
  }
  const clock = systemClock();
  const before = clock.mono();
  assert.ok(before <= clock.mono());
});

test('peaks that do not fit the size are no tree', () => {
  const peak = 'ab'.repeat(32);
  assert.equal(treeBefore(1, [])?.size, 0);
  assert.equal(treeBefore(4, [peak, peak])?.size, 3);
  for (const peaks of [undefined, {}, [peak], [peak, 1], [peak, 'xyz'], [peak, peak, peak]])
    assert.equal(treeBefore(4, peaks), undefined);
});

test('a key that evolves is found for any later segment, in whatever order it is asked', () => {
  const ring = new KeyRing([KEY]);
  const kid = keyId(KEY, 'e');
  const fifth = ring.secretIn(kid, 5);
  assert.deepEqual(ring.secretIn(kid, 1), KEY);
  assert.deepEqual(ring.secretIn(kid, 5), fifth);
  assert.notDeepEqual(ring.secretIn(kid, 6), fifth);
  assert.equal(ring.secretIn(kid, 0), undefined);
  assert.equal(ring.mac('k0', 1), undefined);
  // More segments than are remembered.
  const first = ring.mac(kid, 1);
  for (let seg = 2; seg < 40; seg += 1) assert.ok(ring.mac(kid, seg));
  assert.deepEqual(ring.mac(kid, 1), first);
});

test('short and long texts have the HMAC they should', () => {
  const mac = new ShortMac(KEY, 'leaf\n');
  for (const text of ['', 'x', 'é'.repeat(100), 'x'.repeat(316), 'x'.repeat(5000), '\ud800']) {
    const bytes = Buffer.from(text);
    assert.deepEqual(mac.of(text), hmac(KEY, 'leaf\n', text), `${text.length}`);
    assert.deepEqual(mac.of(bytes), hmac(KEY, 'leaf\n', bytes), `${bytes.length} bytes`);
    assert.equal(mac.shortOf(text), hmac(KEY, 'leaf\n', text).toString('base64url', 0, 16));
    assert.equal(mac.hexOf(text), hmac(KEY, 'leaf\n', text).toString('hex'));
  }
});

test('files in memory behave like files', async () => {
  const files = new MemoryFiles();
  await assert.rejects(files.list('/absent'), { code: 'ENOENT' });
  await assert.rejects(files.unlink('/absent'), { code: 'ENOENT' });
  await assert.rejects(files.open('/absent'), { code: 'ENOENT' });
  await assert.rejects(files.lstat('/absent'), { code: 'ENOENT' });
  const file = await files.create('/f');
  await assert.rejects(files.create('/f'), { code: 'EEXIST' });
  await file.write(Buffer.from('abc'), 0, 0);
  assert.equal(files.afterPowerLoss().paths().length, 0, 'its name was not synced');
  await files.syncFolder('/');
  assert.equal(files.afterPowerLoss().get('/f').length, 0, 'its data was not');
  await file.sync();
  await file.truncate(1);
  assert.equal(files.afterPowerLoss().get('/f').toString(), 'abc');
  await files.unlink('/f');
  await files.syncFolder('/');
  assert.equal(files.afterPowerLoss().paths().length, 0);
});
