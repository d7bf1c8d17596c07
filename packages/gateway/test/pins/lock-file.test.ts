// The lock file: what is written is read, by us and by any reader of YAML; what was edited, cut or doubled is not believed.

import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { parseExact } from '@mcp-overlay/relay';
import fc from 'fast-check';
import { parse } from 'yaml';
import type { JsonObject } from '../../src/call/json.ts';
import { definitionOf } from '../../src/pins/definition.ts';
import { PIN_LIMITS } from '../../src/pins/limits.ts';
import { decodeLock, encodeLock, type Lock, readLockFile, writeLockFile } from '../../src/pins/lock-file.ts';
import { readYaml, writeYaml } from '../../src/pins/lock-yaml.ts';
import type { Pin } from '../../src/pins/pin-book.ts';

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'pins-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

function pin(name: string, json: string, more: Partial<Pin> = {}): Pin {
  const item = parseExact(json) as JsonObject;
  const { hash } = definitionOf(item);
  const at = '2026-11-27T10:00:00.000Z';
  return { backend: 'fs', list: 'tools', name, state: 'approved', at, by: 'ann', hash, item, ...more };
}

const LOCK: Lock = {
  facts: new Map([
    ['db', {}],
    ['fs', { server: { name: 'files', version: '1.0' }, protocol: '2025-11-25', capabilities: { tools: {} } }],
  ]),
  pins: [
    pin('a', '{}', { backend: 'db' }),
    pin('b', '{"description":"two\\nlines \\u202e \\ud800","n":12345678901234567890}'),
    pin('a', '{"__proto__":{"x":1},"definition":{},"off":[[],[{"- a":1}]]}', { state: 'denied' }),
    pin('b', '{"description":"for some"}', { clients: ['0123456789abcdef'] }),
  ],
  clients: [
    ['db', 'tools', ['0123456789abcdef']],
    ['fs', 'tools', ['0123456789abcdef', 'fedcba9876543210']],
  ],
};

test('a lock is read as it was written, and what steers a terminal is written as an escape', async () => {
  await using place = await folder();
  const path = join(place.path, 'mcp-gateway.lock');
  assert.equal(await readLockFile(path), undefined);
  await writeLockFile(path, encodeLock(LOCK));
  const text = await readFile(path, 'utf8');
  assert.match(text, /description: "two\\nlines \\u202e \\ud800"/);
  const read = decodeLock(text, path);
  assert.deepEqual(read.pins, LOCK.pins);
  assert.deepEqual(read.clients, LOCK.clients);
  assert.deepEqual(read.facts.get('fs'), LOCK.facts.get('fs'));
  assert.equal(encodeLock(read), text);
  assert.deepEqual(await readdir(place.path), ['mcp-gateway.lock']);
});

test('any JSON is written as YAML that we and another reader read alike', () => {
  const value = fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom('y', 'null', '- a', '#', ': ')),
    fc.jsonValue({ maxDepth: 5 }),
  );
  fc.assert(
    fc.property(value, (one) => {
      const plain = JSON.parse(JSON.stringify(one)) as object;
      const text = writeYaml(plain);
      assert.deepEqual(readYaml(text, 'x'), plain);
      // Its keys have an end, and it has no key of that name.
      if (!text.includes('__proto__')) assert.deepEqual(parse(text) ?? {}, plain);
    }),
    { numRuns: 300 },
  );
});

test('T03 lock_invalid: a definition that was edited, an entry that was doubled, a file that was cut or merged', () => {
  const text = encodeLock(LOCK);
  const cases: readonly [string, RegExp][] = [
    [text.replace('x: 1', 'x: 2'), /tools "a" of fs has a definition that is not the one of its hash/],
    [text.replace('"for some"', '"for all"'), /tools "b" of fs has a definition that is not the one of its hash/],
    [text.slice(0, text.lastIndexOf('definition:')), /tools "b" of fs lacks a member/],
    [text.replace('"denied"', '"waived"'), /tools "a" of fs is neither approved nor denied/],
    [text.replace('version: 1\n', 'version: 2\n'), /is no lock file of this version/],
    [text.replace('backends:\n', '<<<<<<< HEAD\nbackends:\n'), /g\.lock:4: is not "key: value"/],
    [text.replace('  fs:\n', '  db:\n'), /g\.lock:\d+: has "db" twice/],
    [text.replace('    tools:\n', '      tools:\n'), /g\.lock:\d+: /],
    [`${text}   x: 1\n`, /g\.lock:\d+: is indented otherwise/],
    [text.replace('name: "a"', "name: 'a'"), /g\.lock:\d+: holds a value that is no JSON/],
    [`version: 1\na:\n${'  '.repeat(1)}- ${'- '.repeat(400)}1\n`, /g\.lock:3: is nested too deeply/],
    ['', /is no lock file/],
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
  await writeLockFile(path, encodeLock(LOCK));
  await chmod(path, 0o646);
  await assert.rejects(readLockFile(path), { code: 'lock_open_to_others', hint: `chmod o-w ${path}` });
});

test('lock_unwritable: the old file stays, and no draft is left', async () => {
  await using place = await folder();
  await assert.rejects(writeLockFile(join(place.path, 'none', 'l'), ''), { code: 'lock_unwritable' });
  const path = join(place.path, 'l');
  await writeLockFile(path, encodeLock(LOCK));
  const before = await readFile(path);
  await writeFile(`${path}.${process.pid}.new`, 'in the way');
  await assert.rejects(writeLockFile(path, ''), { code: 'lock_unwritable' });
  assert.deepEqual(await readFile(path), before);
  assert.deepEqual(await readdir(place.path), ['l']);
  await assert.rejects(readLockFile(place.path), { code: 'lock_invalid' });
});

test('lock_invalid: a file that is larger than a lock is not read', async () => {
  await using place = await folder();
  const path = join(place.path, 'l');
  await writeFile(path, '');
  await truncate(path, PIN_LIMITS.lockBytes + 1);
  await assert.rejects(readLockFile(path), { code: 'lock_invalid' });
});
