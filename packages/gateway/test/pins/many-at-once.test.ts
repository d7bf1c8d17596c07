// Thousands of definitions that come at once: the lock file is written once for all of them, and others have the thread.

import assert from 'node:assert/strict';
import { watch } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BackendConfig } from '@mcp-overlay/config';
import { decodeLock, encodeLock, encodeLockInSteps } from '../../src/pins/lock-file.ts';
import { openPins } from '../../src/pins/open.ts';
import { definitions, seeded } from './many-definitions.ts';

const COUNT = 3000;
const IDS = ['a', 'b', 'c', 'd', 'e', 'f'];
const backends = IDS.map((id) => ({ id, transport: { type: 'share', token: id } }) as unknown as BackendConfig);
const quiet = { debug() {}, info() {}, warn: assert.fail, error: assert.fail };

test('lists that come together are one file, written in steps', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pins-'));
  const file = join(folder, 'mcp-gateway.lock');
  const pins = await openPins({ file, config: { mode: 'first-use' }, backends, env: {}, log: quiet });
  let written = 0;
  const watcher = watch(folder, (event, name) => {
    if (event === 'rename' && name === 'mcp-gateway.lock') written += 1;
  });
  try {
    const items = definitions(COUNT, seeded(3));
    const each = COUNT / IDS.length;
    for (const [at, id] of IDS.entries()) {
      pins.judge(id, 'tools', 'kind', items.slice(at * each, (at + 1) * each));
      await new Promise(setImmediate);
    }
    let turns = 0;
    let saved = false;
    const saving = pins.saved().then(() => {
      saved = true;
    });
    while (!saved) {
      await new Promise(setImmediate);
      turns += 1;
    }
    await saving;
    assert.ok(turns > 5, `${turns} turns in between`);
    const lock = decodeLock(await readFile(file, 'utf8'), file);
    assert.equal(lock.pins.length, COUNT);
    // Nothing more came, so nothing more is written.
    await pins.saved();
    await pins.close();
    assert.equal(written, 1);
    assert.equal(await encodeLockInSteps(lock), encodeLock(lock));
  } finally {
    watcher.close();
    await rm(folder, { recursive: true });
  }
});
