// docs/RELIABILITY.md: each promise names tests, each of them is there, and no chaos test is left out.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const doc = readFileSync(join(root, 'docs/RELIABILITY.md'), 'utf8');

/** `relay/link/cuts` of a package, `chaos/programs` of the whole. */
function isThere(short: string): boolean {
  const [first = '', ...rest] = short.split('/');
  const inPackage = join(root, 'packages', first, 'test', `${rest.join('/')}.test.ts`);
  return existsSync(inPackage) || existsSync(join(root, 'test', `${short}.test.ts`));
}

/** The rows of the table of promises: failure, promise, tests. */
function promises(): string[][] {
  const [, table = ''] = /^## Promised\n\n([\s\S]*?)\n\n##/m.exec(doc) ?? [];
  const rows = table.split('\n').slice(2);
  return rows.map((line) => line.replace(/^\| | \|$/g, '').split(' | '));
}

test('each promise names tests, and they are there', () => {
  const rows = promises();
  assert.ok(rows.length >= 15, `${rows.length} promises`);
  for (const [failure = '', promise = '', tests = ''] of rows) {
    assert.ok(promise.length > 3, failure);
    const named = [...tests.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    assert.ok(named.length > 0, `no test: ${failure}`);
    for (const name of named) assert.ok(isThere(name), `${name} is not there: ${failure}`);
  }
});

test('each chaos test stands for a promise, or judges the judge', () => {
  const files = readdirSync(join(root, 'test/chaos')).filter((name) => name.endsWith('.test.ts'));
  assert.ok(files.length > 5);
  for (const file of files) {
    const name = `\`chaos/${file.replace('.test.ts', '')}\``;
    assert.ok(doc.includes(name), `${name} is not in docs/RELIABILITY.md`);
  }
});
