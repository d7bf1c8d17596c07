// Numbers beyond a double come back as they went; all else is as JSON.parse and JSON.stringify have it.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ExactNumber, parseExact, RawJson, stringifyExact, survivesDouble } from '../src/json-exact.ts';
import { scan } from '../src/json-scan.ts';
import { LIMITS } from '../src/limits.ts';
import { jsonCases, missingCorpora, naughtyStrings } from './json-corpora.ts';

/** Another way to compare numbers than the code's: as an integer and a power of ten. */
function sameNumber(left: string, right: string): boolean {
  const parse = (text: string) => {
    const [, sign, whole = '', fraction = '', exponent = '0'] =
      /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
    return { sign, digits: BigInt(whole + fraction), power: Number(exponent) - fraction.length };
  };
  const [a, b] = [parse(left), parse(right)];
  if (a.sign !== b.sign) return false;
  if (a.digits === 0n || b.digits === 0n) return a.digits === b.digits;
  const power = Math.min(a.power, b.power);
  return a.digits * 10n ** BigInt(a.power - power) === b.digits * 10n ** BigInt(b.power - power);
}

const digits = (maxLength: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${maxLength}}$`));
const numberText = fc
  .record({
    sign: fc.constantFrom('', '', '-'),
    whole: fc.oneof(fc.constant('0'), fc.bigInt({ min: 1n, max: 10n ** 25n }).map(String), fc.nat().map(String)),
    fraction: fc.oneof(
      fc.constant(''),
      digits(22).map((text) => `.${text}`),
    ),
    exponent: fc.oneof(
      fc.constant(''),
      fc.integer({ min: -340, max: 320 }).map((power) => `e${power}`),
    ),
  })
  .map(({ sign, whole, fraction, exponent }) => `${sign}${whole}${fraction}${exponent}`);

test('what a double carries is a number, what it does not is kept as text', () => {
  for (const text of [
    '0',
    '1.0',
    '1e3',
    '1E+2',
    '9007199254740992',
    '0.1',
    '1e23',
    '1e400'.slice(0, 3),
    '5e-324',
    '1700000000000000000',
    '0e999999999999',
    '100.00',
  ]) {
    assert.equal(typeof parseExact(text), 'number', text);
  }
  for (const text of [
    '9007199254740993',
    '-9007199254740993',
    '123456789012345678901234567890',
    '0.1000000000000000055511151231257827',
    '1e400',
    '-1e400',
    '1e-400',
    '-0',
    '-0.0',
    '1e99999999999999999999',
  ]) {
    assert.deepEqual(parseExact(text), new ExactNumber(text), text);
    assert.equal(stringifyExact(parseExact(`{"a":[${text}]}`)), `{"a":[${text}]}`);
  }
});

test('the test for it agrees with integer arithmetic', () => {
  fc.assert(
    fc.property(numberText, (text) => {
      const number = Number(text);
      const expected = Number.isFinite(number) && sameNumber(text, Object.is(number, -0) ? '0' : String(number));
      assert.equal(survivesDouble(text), expected, text);
    }),
    { numRuns: 20_000 },
  );
});

test('the scan says so for each number of a text', () => {
  fc.assert(
    fc.property(fc.array(numberText, { minLength: 1, maxLength: 3 }), (texts) => {
      const found = scan(Buffer.from(`{"a":[${texts.join(' , ')}]}`), LIMITS);
      assert.equal(found.fault, undefined);
      assert.equal(found.inexact, !texts.every(survivesDouble), texts.join());
    }),
    { numRuns: 20_000 },
  );
  assert.equal(scan(Buffer.from('{"a":"9007199254740993"}'), LIMITS).inexact, false);
});

test('all else is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom(undefined, 1, '\t'), (text, indent) => {
      const spaced = JSON.stringify(JSON.parse(text), null, indent);
      // fast-check's -0 is written 0 by JSON.stringify; so every number of `spaced` survives.
      if (scan(Buffer.from(spaced), LIMITS).inexact) return;
      assert.deepEqual(parseExact(spaced), JSON.parse(spaced));
    }),
    { numRuns: 5_000 },
  );
});

test('JSONTestSuite and naughty strings survive reading and writing', { skip: missingCorpora }, () => {
  const texts = [...jsonCases('test_transform'), ...jsonCases()]
    .filter(({ bytes }) => scan(bytes, LIMITS).fault === undefined)
    .map(({ bytes }) => bytes.toString('utf8'));
  assert.ok(texts.length > 110);
  for (const text of [...texts, ...naughtyStrings().map((one) => JSON.stringify({ [one]: [one] }))]) {
    const once = stringifyExact(parseExact(text));
    assert.equal(stringifyExact(parseExact(once)), once);
    if (!scan(Buffer.from(text), LIMITS).inexact) assert.equal(once, JSON.stringify(JSON.parse(text)));
  }
});

test('broken text throws a SyntaxError', () => {
  for (const text of ['', '{', '[1,]', '{"a":1e}', '01', '"\n"', 'nul'])
    assert.throws(() => parseExact(text), SyntaxError);
});

test('__proto__ is a member like any other and pollutes nothing', () => {
  const value = parseExact('{"__proto__":{"polluted":1e400},"constructor":{"prototype":2}}') as Record<string, unknown>;
  assert.deepEqual(Object.keys(value), ['__proto__', 'constructor']);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
  assert.equal(stringifyExact(value), '{"__proto__":{"polluted":1e400},"constructor":{"prototype":2}}');
});

test('raw JSON is written as it came, and never in two lines', () => {
  assert.equal(
    stringifyExact({ a: new RawJson('"\\u00e9"'), b: [new RawJson('1.0'), undefined], c: undefined }),
    '{"a":"\\u00e9","b":[1.0,null]}',
  );
  assert.throws(() => new RawJson('[1,\n2]'), TypeError);
  assert.equal(stringifyExact(undefined), 'null');
  assert.equal(
    stringifyExact({ at: new Date(0), n: new ExactNumber('1e400') }),
    '{"at":"1970-01-01T00:00:00.000Z","n":1e400}',
  );
});

test('a log that knows nothing of exact numbers writes the nearest value and does not throw', () => {
  assert.equal(JSON.stringify(parseExact('[9007199254740993,1e400,-0]')), '[9007199254740992,"1e400",0]');
});
