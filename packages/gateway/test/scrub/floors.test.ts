// What the shipped rules find in texts nobody of us wrote. Floors, not a promise: a change that finds less, or more where
// nothing is, fails here. They were set a little below what was measured when they were set (docs/SCRUBBING.md).

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Surface } from '../../src/scrub/pattern.ts';
import { shippedPatterns } from '../../src/scrub/pattern-files.ts';
import { Rulebook } from '../../src/scrub/rulebook.ts';
import { newContext, Scanner } from '../../src/scrub/scan.ts';
import { attackCases, naughtyStrings } from './corpora.ts';

const root = join(import.meta.dirname, '../../../..');
const scanner = new Scanner(new Rulebook(shippedPatterns(), ({ mode }) => mode === 'off'), undefined);
const hit = (text: string, surface: Surface = 'text'): boolean => scanner.scan(text, newContext(surface)).length > 0;

/** Share of a category's positives that any rule finds. */
const FLOORS: Readonly<Record<string, number>> = {
  'prompt-injection': 0.36,
  'context-exfiltration': 0.43,
  'tool-poisoning': 0.32,
  'agent-manipulation': 0.25,
  'skill-compromise': 0.28,
};
const FLOOR_OF_ALL = 0.3;
const CEILING_OF_NEGATIVES = 0.01;
const CEILING_OF_DOCUMENTS = 0.01;

test('T01, T02: attacks of agent-threat-rules are found at least as often as when the floors were set', (t) => {
  const cases = attackCases();
  if (!cases) return t.skip('no corpus');
  const share = (some: typeof cases): number =>
    some.filter(({ text, field }) => hit(text, field === 'tool_description' ? 'description' : 'text')).length /
    some.length;
  const positives = cases.filter(({ label }) => label === 'positive');
  t.diagnostic(`all positives ${share(positives).toFixed(3)}`);
  assert.ok(share(positives) >= FLOOR_OF_ALL, `all: ${share(positives)}`);
  for (const [category, floor] of Object.entries(FLOORS)) {
    const found = share(positives.filter((one) => one.category === category));
    t.diagnostic(`${category} ${found.toFixed(3)}`);
    assert.ok(found >= floor, `${category}: ${found}`);
  }
  const negatives = share(cases.filter(({ label }) => label === 'negative'));
  t.diagnostic(`negatives ${negatives.toFixed(4)}`);
  assert.ok(negatives <= CEILING_OF_NEGATIVES, `negatives: ${negatives}`);
});

test('documentation of others is hit in no more than one piece of 4 KiB in a hundred', (t) => {
  const pieces = documents().flatMap((text) => text.match(/[\s\S]{1,4096}/g) ?? []);
  assert.ok(pieces.length > 500, `${pieces.length} pieces`);
  const share = pieces.filter((piece) => hit(piece)).length / pieces.length;
  t.diagnostic(`${pieces.length} pieces, ${(share * 100).toFixed(2)} % hit`);
  assert.ok(share <= CEILING_OF_DOCUMENTS, `${share}`);
});

test('awkward strings alone are no finding, but for scripts, terminal sequences, hidden and mixed characters', (t) => {
  const strings = naughtyStrings();
  if (!strings) return t.skip('no corpus');
  const rules = strings.flatMap((text) => scanner.scan(text, newContext('text')).map(({ rule }) => rule));
  const expected = /^(?:invisible-|terminal-|mixed-|script-markup|link-script|command-|path-)/;
  assert.deepEqual(
    [...new Set(rules)].filter((rule) => !expected.test(rule)),
    [],
  );
});

/** READMEs and manuals of packages that are installed, and our own sources. */
function documents(): string[] {
  const texts: string[] = [];
  const visit = (folder: string, depth: number): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && depth < 4) visit(path, depth + 1);
      else if (entry.isFile() && /\.md$/i.test(entry.name)) texts.push(readFileSync(path, 'utf8'));
    }
  };
  visit(join(root, 'node_modules'), 0);
  for (const name of readdirSync(join(root, 'packages/relay/src'))) {
    if (name.endsWith('.ts')) texts.push(readFileSync(join(root, 'packages/relay/src', name), 'utf8'));
  }
  return texts;
}
