// The lock file: what is written is read, what was edited, cut or doubled is not believed.

import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { parseExact } from '@mcp-overlay/relay';
import type { JsonObject } from '../../src/call/json.ts';
import { definitionOf } from '../../src/pins/definition.ts';
import { decodeLock, encodeLock, readLockFile, writeLockFile } from '../../src/pins/lock-file.ts';
import type { Pin } from '../../src/pins/pin-book.ts';

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'pins-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

function pin(name: string, item: string, more: Partial<Pin> = {}): Pin {
  const definition = definitionOf(parseExact(item) as JsonObject);
  return {
    backend: 'fs',
    list: 'tools',
    name,
    state: 'approved',
    at: '2026-11-27T10:00:00.000Z',
    by: 'ann',
    ...definition,
    ...more,
  };
}

const PINS = [
  pin('b', '{"description":"two\\nlines \\u202e \\ud800","n":12345678901234567890}'),
  pin('a', '{"__proto__":{"x":1},"definition":{}}', { state: 'denied' }),
  pin('a', '{}', { backend: 'db' }),
];

test('pins are read as they were written, a line each, in one order', async () => {
  await using place = await folder();
  const path = join(place.path, 'mcp-gateway.lock');
  assert.deepEqual(await readLockFile(path), []);
  await writeLockFile(path, PINS);
  const text = await readFile(path, 'utf8');
  assert.equal(text.split('\n').length, PINS.length + 2);
  assert.equal(encodeLock(PINS.toReversed()), text);
  assert.deepEqual(
    [...(await readLockFile(path))].sort((a, b) => (a.hash < b.hash ? -1 : 1)),
    PINS.toSorted((a, b) => (a.hash < b.hash ? -1 : 1)),
  );
  assert.deepEqual(await readdir(place.path), ['mcp-gateway.lock']);
});

test('T03 lock_invalid: a definition that was edited, a line that was doubled, a file that was cut', () => {
  const text = encodeLock(PINS);
  const [head = '', first = '', ...rest] = text.split('\n');
  const cases: readonly [string, RegExp][] = [
    [text.replace('"x":1', '"x":2'), /g\.lock:3: has a definition that is not the one of its hash/],
    [[head, first, first, ...rest].join('\n'), /g\.lock:3: has tools "a" of db twice/],
    [text.slice(0, -1), /is cut off/],
    [text.slice(0, -20), /is cut off/],
    [[head, '{}', ...rest].join('\n'), /g\.lock:2: lacks a member/],
    [[head, 'x', ...rest].join('\n'), /g\.lock:2: is no JSON/],
    [text.replace('denied', 'waived'), /g\.lock:3: lacks a member/],
    [text.replace('/v1', '/v2'), /g\.lock:1: is no lock file of this version/],
    ['', /g\.lock:1: is no lock file/],
  ];
  for (const [broken, message] of cases) {
    assert.throws(
      () => decodeLock(broken, 'g.lock'),
      (error: Error & { code?: string }) => error.code === 'lock_invalid' && message.test(error.message),
      String(message),
    );
  }
});

test('T38 lock_open_to_others: a lock file that everybody may change is not believed', {
  skip: process.platform === 'win32',
}, async () => {
  await using place = await folder();
  const path = join(place.path, 'l');
  await writeLockFile(path, PINS);
  await chmod(path, 0o646);
  await assert.rejects(readLockFile(path), { code: 'lock_open_to_others', hint: `chmod o-w ${path}` });
});

test('lock_unwritable: the old file stays, and no draft is left', async () => {
  await using place = await folder();
  await assert.rejects(writeLockFile(join(place.path, 'none', 'l'), PINS), { code: 'lock_unwritable' });
  const path = join(place.path, 'l');
  await writeLockFile(path, PINS);
  const before = await readFile(path);
  await writeFile(`${path}.${process.pid}.new`, 'in the way');
  await assert.rejects(writeLockFile(path, []), { code: 'lock_unwritable' });
  assert.deepEqual(await readFile(path), before);
  assert.deepEqual(await readdir(place.path), ['l']);
  await assert.rejects(readLockFile(place.path), { code: 'lock_invalid' });
});
