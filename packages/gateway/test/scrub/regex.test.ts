// Patterns are shown to texts without their counts first: what that says no to has no match.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RE2JS } from 're2js';
import { shippedPatterns } from '../../src/scrub/pattern-files.ts';
import { compileRegex, withoutCounts } from '../../src/scrub/regex.ts';
import { attackCases } from './corpora.ts';
import { picker, worstCases } from './worst-cases.ts';

test('counts become repeats; classes, escapes and small counts stay', () => {
  for (const [source, without] of [
    ['a{0,40}b{2,9}c{4}d{5,}?', 'a*b+c+d+?'],
    ['a{0,2}b{3}c?', 'a{0,2}b{3}c?'],
    ['[^{0,40}]{0,40}[]{0,9}][[:alpha:]{0,9}]', '[^{0,40}]*[]{0,9}][[:alpha:]{0,9}]'],
    ['\\{0,40}\\x{1234}\\p{Greek}{0,9}\\pN', '\\{0,40}\\x{1234}\\p{Greek}*\\pN'],
    ['\\Qa{0,40}\\E', '\\Qa{0,40}\\E'],
  ] as const) {
    assert.equal(withoutCounts(source), without);
  }
});

test('where many places begin a match and none goes on, the rest is looked at in one go, and found', () => {
  const ours = compileRegex('\\bignore [^.]{0,20}rules\\b|<x{1,4}>');
  const text = `${'ignore it. '.repeat(200)}ignore all rules. <xx> ${'ignore. '.repeat(80)}ignore rules`;
  const seen: string[] = [];
  assert.equal(
    ours.each(text, 0, (start, end) => seen.push(text.slice(start, end))),
    true,
  );
  assert.deepEqual(seen, ['ignore all rules', '<xx>', 'ignore rules']);
});

test('every match of every shipped pattern is found, in attacks and in its worst texts', (t) => {
  const attacks = attackCases()?.filter(({ label }) => label !== 'negative') ?? [];
  if (attacks.length === 0) t.diagnostic('no corpus: worst texts alone');
  const pick = picker(11);
  const some = Array.from({ length: Math.min(60, attacks.length) }, () => attacks[pick(attacks.length)]?.text ?? '');
  let found = 0;
  for (const { re2, literals, tests } of shippedPatterns()) {
    const plain = RE2JS.compile(re2);
    const ours = compileRegex(re2);
    for (const text of [...some, ...worstCases(re2, literals, 2), ...tests.hit, ...tests.miss]) {
      const folded = text.toLowerCase().slice(0, 1000);
      const matcher = plain.matcher(folded);
      const expected: string[] = [];
      while (matcher.find()) if (matcher.end() > matcher.start()) expected.push(`${matcher.start()} ${matcher.end()}`);
      const seen: string[] = [];
      ours.each(folded, 0, (start, end) => seen.push(`${start} ${end}`));
      assert.deepEqual(seen, expected, `${re2} in ${JSON.stringify(folded)}`);
      assert.equal(ours.test(folded), expected.length > 0 || plain.test(folded));
      found += expected.length;
    }
  }
  assert.ok(found > 300, `${found}`);
});
