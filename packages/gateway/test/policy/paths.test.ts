// Paths against the rule `path: { under: … }`, judged a second time by the plainest means: every way a server may read a
// path that was let through ends in the folder.

import assert from 'node:assert/strict';
import { posix, win32 } from 'node:path';
import { test } from 'node:test';
import { seeded } from '../pins/many-definitions.ts';
import { call, person, policyOf } from './rules-of.ts';

const SEED = 20261127;
const COUNT = 20_000;

const PIECES = [
  ...[
    'a',
    'b.txt',
    'data',
    'data2',
    'etc',
    'passwd',
    '.',
    '..',
    '...',
    '.. ',
    ' ..',
    '..;',
    '.%2e',
    '%2e%2e',
    '%252e%252e',
  ],
  ...[
    '..%c0%af',
    '%c0%ae%c0%ae',
    '%2f',
    '%5c',
    '..\\',
    '\\',
    '\\\\',
    '',
    '~',
    '~root',
    '\u2025',
    '\uff0e\uff0e',
    '\u2024\u2024',
  ],
  ...[
    '\uff0f',
    '\u2215',
    '\u29f8',
    '..\u0000',
    'a\u0000.txt',
    '\n',
    '\r',
    '\u202e',
    '\u200b..',
    '..\u200b',
    'e\u0301',
    '\u00e9',
    'con',
  ],
  ...['file:', 'file:///etc', 'C:', 'c:\\', 'nul', 'x::$DATA', 'PROGRA~1', '..::$INDEX_ALLOCATION', '%00', '%', '%zz'],
];
const HEADS = [
  '',
  '/',
  '//',
  '/data',
  '/data/',
  '/DATA/',
  'data/',
  './data/',
  '/./data/',
  '~/data/',
  '\\data\\',
  'C:\\data\\',
  '/data2/',
];

function paths(count: number, random: () => number): string[] {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  return Array.from({ length: count }, () => {
    const parts = Array.from({ length: 1 + Math.floor(random() * 5) }, () => pick(PIECES));
    return pick(HEADS) + parts.join(pick(['/', '/', '/', '\\', '//']));
  });
}

/** What a server may make of a text before it opens it. */
function readings(text: string): string[] {
  const all = new Set([text]);
  for (let round = 0; round < 2; round += 1) {
    for (const one of [...all]) {
      all.add(one.replaceAll('\\', '/'));
      all.add(one.split('\0')[0] ?? '');
      all.add(one.trim());
      try {
        all.add(decodeURIComponent(one));
      } catch {
        // no percent signs that this reader takes
      }
    }
  }
  return [...all];
}

test('T15 of 20,000 paths made to leave a folder none that a rule lets through does, in any reading', async (t) => {
  const policy = await policyOf(`
roles: { r: [ { allow: { tools: [t], args: { x: { path: { under: [/data] } } } } } ] }
identities: { alice: { is: ["ziti:alice"], roles: [r] } }`);
  const all = [...new Set(paths(COUNT, seeded(SEED)))];
  let allowed = 0;
  for (const path of all) {
    if (!policy.decide(person('alice'), call('fs', 't', { x: path })).allow) continue;
    allowed += 1;
    for (const read of readings(path)) {
      const ends = posix.resolve('/elsewhere', read);
      assert.ok(
        ends === '/data' || ends.startsWith('/data/'),
        `${JSON.stringify(path)} read as ${JSON.stringify(ends)}`,
      );
    }
  }
  t.diagnostic(`seed ${SEED}: ${all.length} paths, ${allowed} let through`);
  assert.ok(all.length > 5000 && allowed > 100, `${all.length} ${allowed}`);
});

test('T15 the same where the folder is one of Windows', async (t) => {
  const policy = await policyOf(`
roles: { r: [ { allow: { tools: [t], args: { x: { path: { under: ['C:\\data'] } } } } } ] }
identities: { alice: { is: ["ziti:alice"], roles: [r] } }`);
  const all = [...new Set(paths(COUNT, seeded(SEED)).map((path) => path.replace(/^\/?data/i, 'C:\\data')))];
  let allowed = 0;
  for (const path of all) {
    if (!policy.decide(person('alice'), call('fs', 't', { x: path })).allow) continue;
    allowed += 1;
    const ends = win32.resolve('D:\\elsewhere', path).toLowerCase();
    assert.ok(ends === 'c:\\data' || ends.startsWith('c:\\data\\'), `${JSON.stringify(path)} read as ${ends}`);
    assert.doesNotMatch(path.slice(2), /[:*?"<>|]|[^\\/.][. ]+(?:[\\/]|$)/, path);
  }
  t.diagnostic(`seed ${SEED}: ${all.length} paths, ${allowed} let through`);
  assert.ok(allowed > 20, `${allowed}`);
});
