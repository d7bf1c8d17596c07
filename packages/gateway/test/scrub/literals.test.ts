import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LiteralFinder } from '../../src/scrub/literals.ts';

function found(literals: readonly string[], text: string): string[] {
  const finder = new LiteralFinder(literals);
  const places: string[] = [];
  finder.eachIn(text, (literal, end) => places.push(`${literals[literal]}@${end}`));
  return places.sort();
}

function naively(literals: readonly string[], text: string): string[] {
  const lower = text.toLowerCase();
  const places: string[] = [];
  for (const literal of literals) {
    for (let at = lower.indexOf(literal); at >= 0; at = lower.indexOf(literal, at + 1)) {
      places.push(`${literal}@${at + literal.length}`);
    }
  }
  return places.sort();
}

test('every literal is found at every place, overlapping and nested ones too, without regard to case', () => {
  assert.deepEqual(found(['he', 'she', 'hers', 'his'], 'uSHErs'), ['he@4', 'hers@6', 'she@4']);
  assert.deepEqual(found(['aa'], 'aaaa'), ['aa@2', 'aa@3', 'aa@4']);
});

test('it finds what looking for each literal by itself finds', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '界', 'ж'), minLength: 1, maxLength: 4 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'A', 'B', '界', 'ж', ' '), maxLength: 60 });
  fc.assert(
    fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 8 }), text, (literals, haystack) => {
      assert.deepEqual(found(literals, haystack), naively(literals, haystack));
    }),
  );
});
