// docs/SECURITY.md: every abuse case has its row, each test that a row names exists under that title, and the lists of OWASP
// lead to rows that are there.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const doc = readFileSync(join(root, 'docs/SECURITY.md'), 'utf8');
const CASES = Array.from({ length: 40 }, (_, at) => `T${String(at + 1).padStart(2, '0')}`);

/** Titles as they stand in the source; what a template puts in stays `${…}`. */
function titlesIn(file: string): string[] {
  const source = readFileSync(file, 'utf8');
  return [...source.matchAll(/\b(?:test|it)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gs)].map(([, , title = '']) => title);
}

/** `gateway/scrub/floors` of a package, `e2e/team` of the whole. */
function fileOf(short: string): string {
  const [first = '', ...rest] = short.split('/');
  const inPackage = join(root, 'packages', first, 'test', `${rest.join('/')}.test.ts`);
  return existsSync(inPackage) ? inPackage : join(root, 'test', `${short}.test.ts`);
}

function rows(first: RegExp): readonly string[][] {
  return doc
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')))
    .filter(([head = '']) => first.test(head));
}

test('each abuse case has one row, with tests of that number and title', () => {
  const found = rows(/^T\d\d$/);
  assert.deepEqual(
    found.map(([id]) => id),
    CASES,
  );
  for (const [id = '', , control = '', tried = ''] of found) {
    assert.ok(control.length > 5, id);
    const tests = [...tried.matchAll(/`([\w/-]+)` "([^"]+)"/g)];
    assert.equal(tests.length, tried.split('; ').length, `${id}: ${tried}`);
    for (const [, short = '', words = ''] of tests) {
      const file = fileOf(short);
      assert.ok(existsSync(file), `${id}: ${short}`);
      const named = titlesIn(file).some((title) => new RegExp(`\\b${id}\\b`).test(title) && title.includes(words));
      assert.ok(named, `${id}: no test of ${relative(root, file)} is called ${id} … ${words}`);
    }
  }
});

test('each number stands in the title of a test', () => {
  const titles = ['packages', 'test']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true }).map((file) => join(root, folder, `${file}`)),
    )
    .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
    .flatMap(titlesIn);
  assert.deepEqual(
    CASES.filter((id) => !titles.some((title) => new RegExp(`\\b${id}\\b`).test(title))),
    [],
  );
});

test('the ten of each list of OWASP lead to cases, or say that they are not here', () => {
  for (const list of ['MCP', 'LLM', 'ASI']) {
    const found = rows(new RegExp(`^${list}\\d\\d `));
    assert.deepEqual(
      found.map(([head = '']) => head.slice(0, 5)),
      Array.from({ length: 10 }, (_, at) => `${list}${String(at + 1).padStart(2, '0')}`),
    );
    for (const [head = '', control = '', cases = ''] of found) {
      if (cases === '–') assert.equal(control, 'not here', head);
      else for (const id of cases.split(' ')) assert.ok(CASES.includes(id), `${head}: ${id}`);
    }
  }
});
