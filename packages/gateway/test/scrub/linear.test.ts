// T18: no text is slower than linear, whatever the pattern. Counted, not timed: characters that anything looked at. What
// re2js does with each of them is bounded by the size of a program, which is capped (timed by test/long/scrub.long.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWordy } from '../../src/scrub/decode.ts';
import { SCRUB_LIMITS } from '../../src/scrub/limits.ts';
import { shippedPatterns } from '../../src/scrub/pattern-files.ts';
import { compileRegex } from '../../src/scrub/regex.ts';
import { Rulebook } from '../../src/scrub/rulebook.ts';
import { newContext, Scanner } from '../../src/scrub/scan.ts';
import { spec } from './one-scrubber.ts';
import { worstCases } from './worst-cases.ts';

function steps(scanner: Scanner, text: string): number {
  const context = newContext('text');
  scanner.scan(text, context);
  return context.steps;
}

test('T18: twice the text is at most twice the work, for the worst texts of every shipped pattern', () => {
  const scanner = new Scanner(new Rulebook(shippedPatterns(), () => false), undefined);
  for (const pattern of shippedPatterns().filter((_, at) => at % 6 === 0)) {
    for (const unit of worstCases(pattern.re2, pattern.literals, 2)) {
      const text = unit.repeat(Math.ceil(2000 / unit.length));
      const [once, twice] = [steps(scanner, text), steps(scanner, text + text)];
      assert.ok(
        twice <= 2.3 * once + 2 * SCRUB_LIMITS.matchWork * text.length,
        `${pattern.id}: ${once} then ${twice} for ${JSON.stringify(unit.slice(0, 60))}`,
      );
    }
  }
});

test('T18: literals side by side make one piece, not one each', () => {
  const scanner = new Scanner(new Rulebook([spec('banana', { reach: 4096 })], () => false), undefined);
  const text = 'banan banana '.repeat(4000);
  assert.ok(
    steps(scanner, text) < 3 * (1 + SCRUB_LIMITS.matchWork) * text.length,
    `${steps(scanner, text)} for ${text.length}`,
  );
});

test('T18: words and paths that end as none are told in one way', () => {
  const words = `a${'-b'.repeat(400_000)}`;
  assert.equal(isWordy(`${words}-Cd`), true);
  // Two ways for each word would take longer than anybody lives.
  assert.equal(isWordy(`${words}-CD`), false);
  assert.equal(isWordy(`${words}=`), false);
});

test('T18: patterns that blow up a backtracking engine take what they take for any text', () => {
  for (const source of ['(a+)+$', '(?:a|aa)+$', '(?:.*a){12}$', '(\\w+\\s?)+:$']) {
    const regex = compileRegex(source);
    assert.equal(regex.test(`${'a'.repeat(20_000)}!`), false, source);
  }
});

test('a text is looked through in windows that overlap: what lies across a border is found, once', () => {
  const scanner = new Scanner(new Rulebook([spec('banana')], () => false), undefined);
  const { windowChars, overlapChars } = SCRUB_LIMITS;
  const border = windowChars - overlapChars;
  for (const at of [border - 3, windowChars - 3, border + 10]) {
    const text = `${' '.repeat(at)}banana${' '.repeat(windowChars)}`;
    const findings = scanner.scan(text, newContext('text'));
    assert.deepEqual(
      findings.map(({ start }) => start),
      [at],
    );
  }
});

test('when the work allowed is done nothing more is looked at, and that is said', () => {
  const scanner = new Scanner(new Rulebook([spec('banana')], () => false), undefined);
  const late = newContext('text', 0);
  assert.deepEqual(scanner.scan(`${' '.repeat(SCRUB_LIMITS.windowChars)} banana`, late), []);
  assert.equal(late.partly, true);
});

test('findings of one text are capped, and that is said', () => {
  const scanner = new Scanner(new Rulebook([spec('banana')], () => false), undefined);
  const context = newContext('text');
  assert.equal(scanner.scan('banana '.repeat(5000), context).length, SCRUB_LIMITS.findings);
  assert.equal(context.partly, true);
});
