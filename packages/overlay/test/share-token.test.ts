import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkShareToken, isShareToken, OverlayError, randomShareToken } from '../src/index.ts';

test('every text of 3 to 32 of a-z, 0-9 and - is a token, and nothing else is', () => {
  const allowed = new Set('abcdefghijklmnopqrstuvwxyz0123456789-');
  const near = fc.string({ unit: fc.constantFrom(...allowed, 'A', '_', '\n', '.', '/', 'é', '\0'), maxLength: 40 });
  fc.assert(
    fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), (text) => {
      const expected = text.length >= 3 && text.length <= 32 && [...text].every((char) => allowed.has(char));
      assert.equal(isShareToken(text), expected);
    }),
    { numRuns: 5000 },
  );
});

test('a wrong token is shown, but not all of a long one, and the rule is told', () => {
  const error = refusal('Bad Token');
  assert.equal(error.code, 'bad_token');
  assert.match(error.message, /"Bad Token"/);
  assert.match(error.hint ?? '', /3 to 32/);
  assert.ok(refusal('x'.repeat(1_000_000)).message.length < 100);
  assert.doesNotMatch(refusal('\u001b[2J\n').message, /[\u001b\n]/, 'nothing that moves a terminal');
});

test('random tokens are tokens, all of one length, and never alike', () => {
  const made = Array.from({ length: 5000 }, randomShareToken);
  assert.ok(made.every((token) => isShareToken(token) && token.length === 25));
  assert.equal(new Set(made).size, made.length);
});

function refusal(text: string): OverlayError {
  try {
    checkShareToken(text);
  } catch (error) {
    assert.ok(error instanceof OverlayError);
    return error;
  }
  throw new Error(`${text} was taken`);
}
