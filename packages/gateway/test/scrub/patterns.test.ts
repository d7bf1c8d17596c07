// The shipped patterns, and what makes a file of one's own refused.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError } from '@mcp-overlay/config';
import { BUILTIN_RULES } from '../../src/scrub/builtin.ts';
import { SCRUB_LIMITS } from '../../src/scrub/limits.ts';
import { entryProblem, loadOwnPatterns, shippedPatterns } from '../../src/scrub/pattern-files.ts';
import { expandSamples } from '../../src/scrub/samples.ts';

test('every shipped pattern is in RE2, within the limits, and passes its own tests', () => {
  const problems = shippedPatterns().flatMap((spec) => {
    const problem = entryProblem(spec);
    return problem === undefined ? [] : [`${spec.id}: ${problem}`];
  });
  assert.deepEqual(problems, []);
});

test('their ids are unique, and there is room for patterns of the operator', () => {
  const ids = [...shippedPatterns(), ...BUILTIN_RULES].map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(shippedPatterns().length <= SCRUB_LIMITS.patterns - 150, `${shippedPatterns().length}`);
});

test('personal data is looked for by none that is not asked for', () => {
  for (const { id, mode } of shippedPatterns()) assert.equal(mode === 'off', id.startsWith('pii-'), id);
});

const GOOD = {
  id: 'own-rule',
  description: 'x',
  severity: 'low',
  re2: "'banana'",
  literals: '[banana]',
  tests: '{ hit: [a banana], miss: [an apple] }',
};

async function refusal(entry: Readonly<Record<string, string>>, count = 1): Promise<ConfigError> {
  const folder = await mkdtemp(join(tmpdir(), 'patterns-'));
  const file = join(folder, 'own.yml');
  try {
    const one = (at: number): string =>
      `  - ${Object.entries({ ...entry, id: count > 1 ? `${entry.id}-${at}` : (entry.id ?? '') })
        .map(([key, value]) => `${key}: ${value}`)
        .join('\n    ')}`;
    await writeFile(file, `patterns:\n${Array.from({ length: count }, (_, at) => one(at)).join('\n')}\n`);
    await loadOwnPatterns([file], folder);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.equal(error.code, 'config_invalid');
    return error;
  } finally {
    await rm(folder, { recursive: true });
  }
  throw new assert.AssertionError({ message: 'it was taken' });
}

const REFUSED: readonly (readonly [why: string, entry: Readonly<Record<string, string>>, says: RegExp])[] = [
  ['look-around is not in RE2', { ...GOOD, re2: "'(?=banana)banana'" }, /own\.yml:5:\d+: .*not in RE2/],
  ['a back-reference is not in RE2', { ...GOOD, re2: "'(banana)\\1'" }, /not in RE2/],
  ['no test that hits', { ...GOOD, tests: '{ hit: [], miss: [x] }' }, /needs tests/],
  ['no tests at all', { ...GOOD, tests: '' }, /tests: missing/],
  ['a hit that is none', { ...GOOD, tests: '{ hit: [an apple], miss: [x] }' }, /tests\.hit\[0\] is not found/],
  ['a miss that hits', { ...GOOD, tests: '{ hit: [banana], miss: [x, banana] }' }, /tests\.miss\[1\] is found/],
  ['no literals', { ...GOOD, literals: '[]' }, /needs literals/],
  ['a literal in capitals', { ...GOOD, literals: '[Banana]' }, /lower case/],
  ['a pattern over 1 KiB', { ...GOOD, re2: `'banana${'x?'.repeat(512)}'` }, /longer than 1024 bytes/],
  [
    'a pattern that compiles to too much',
    { ...GOOD, re2: "'banana[^a]{0,900}[^b]{0,900}[^c]{0,900}[^d]{0,900}'" },
    /compiles to \d+ steps/,
  ],
  ['a check that does not exist', { ...GOOD, check: 'toString' }, /check toString does not exist/],
  ['the id of a shipped pattern', { ...GOOD, id: 'secrecy' }, /is in the shipped patterns already/],
  ['an unknown key', { ...GOOD, regex: 'x' }, /unknown key/],
  ['an unknown surface', { ...GOOD, surfaces: '[results]' }, /surfaces\[0\]/],
];

for (const [why, entry, says] of REFUSED) {
  test(`a pattern file is refused: ${why}`, async () => {
    assert.match((await refusal(entry)).message, says);
  });
}

test('a pattern file is refused: more patterns than there is room for', async () => {
  assert.match((await refusal(GOOD, 300)).message, /more than \d+ patterns of your own/);
});

test('what stands for a secret in a test is made when it runs: the same every time, of its set', () => {
  const text = expandSamples('key {{[A-F0-9]:32}} {{[a-z]:4}}');
  assert.match(text, /^key [A-F0-9]{32} [a-z]{4}$/);
  assert.equal(text, expandSamples('key {{[A-F0-9]:32}} {{[a-z]:4}}'));
});
