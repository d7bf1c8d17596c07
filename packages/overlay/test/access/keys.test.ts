// Keys of tokens: fresh ones are keys like any other, and making and writing many of them ends.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { sign, verify } from 'node:crypto';
import { test } from 'node:test';
import { promisify } from 'node:util';
import {
  keyFromPem,
  keyFromText,
  keyOfSeed,
  keyPem,
  keyText,
  newKey,
  publicBytes,
  publicKey,
  seedOf,
} from '../../src/access/keys.ts';

test('a fresh key signs, and is the same key out of its seed, its PEM and its text', () => {
  const key = newKey();
  assert.notDeepEqual(seedOf(newKey()), seedOf(key));
  const signature = sign(null, Buffer.from('x'), key);
  for (const of of [keyOfSeed(seedOf(key)), keyFromPem(keyPem(key), 'f')]) {
    assert.deepEqual(publicBytes(of), publicBytes(key));
    assert.deepEqual(sign(null, Buffer.from('x'), of), signature);
  }
  assert.ok(verify(null, Buffer.from('x'), keyFromText(keyText(key)), signature));
  assert.ok(verify(null, Buffer.from('x'), publicKey(publicBytes(key)), signature));
});

test('many keys are made and written while memory is short: with generated ones Node waits for itself for ever', async () => {
  const keys = new URL('../../src/access/keys.ts', import.meta.url).href;
  const program = `import { newKey, publicBytes, seedOf } from ${JSON.stringify(keys)};
for (let n = 0; n < 1500; n += 1) { const key = newKey(); for (let m = 0; m < 4; m += 1) { publicBytes(key); seedOf(key); } }
process.stdout.write('done');`;
  // The young generation is collected all the time then.
  const flags = ['--max-semi-space-size=1', '--import', 'tsx', '--input-type=module', '-e', program];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { timeout: 60_000, killSignal: 'SIGKILL' });
  assert.equal(stdout, 'done');
});
