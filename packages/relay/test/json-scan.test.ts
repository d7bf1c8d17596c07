// The scan must agree with JSON.parse on every byte string: it decides what passes, others parse it.

import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import test from 'node:test';
import fc from 'fast-check';
import { MEMBER, type Scan, scan } from '../src/json-scan.ts';
import { LIMITS } from '../src/limits.ts';
import { jsonCases, missingCorpora, naughtyStrings } from './json-corpora.ts';

const ROOMY = { jsonDepth: 1_000_000, jsonTokens: 10_000_000 };
const LONG = process.env.TEST_LONG !== undefined;

function faultOf(bytes: Buffer | string, limits = ROOMY): Scan['fault'] {
  return scan(typeof bytes === 'string' ? Buffer.from(bytes) : bytes, limits).fault;
}

/** What JSON.parse behind a fatal UTF-8 decoder says. */
function verdict(bytes: Buffer): Scan['fault'] {
  if (!isUtf8(bytes)) return 'invalid_utf8';
  try {
    JSON.parse(bytes.toString('utf8'));
    return undefined;
  } catch {
    return 'not_json';
  }
}

/** A small generator of our own: 10^5 mutations in little time, and a failure can be repeated by its seed. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function mutate(bytes: Buffer, pick: (below: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  const at = pick(copy.length + 1);
  const pieces = [
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '0',
    '-',
    '.',
    'e',
    ' ',
    '\n',
    '\t',
    '\u0000',
    '\u001f',
    'é',
    '\\u00',
    'true',
    'nul',
    '\ufeff',
  ];
  const piece = Buffer.from(pieces[pick(pieces.length)] ?? '');
  switch (pick(5)) {
    case 0:
      return Buffer.concat([copy.subarray(0, at), piece, copy.subarray(at)]);
    case 1:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1)]);
    case 2:
      return copy.subarray(0, at);
    case 3:
      return Buffer.concat([copy.subarray(0, at), piece, copy.subarray(at + piece.length)]);
    default:
      if (at < copy.length) copy[at] = pick(256);
      return copy;
  }
}

test('JSONTestSuite: what must be JSON is', { skip: missingCorpora }, () => {
  const cases = jsonCases().filter(({ name }) => name.startsWith('y_'));
  assert.equal(cases.length, 95);
  for (const { name, bytes } of cases) assert.equal(faultOf(bytes, LIMITS), undefined, name);
  for (const { name, bytes } of jsonCases('test_transform')) assert.equal(faultOf(bytes, LIMITS), verdict(bytes), name);
});

test('JSONTestSuite: what must not be JSON is refused', { skip: missingCorpora }, () => {
  const cases = jsonCases().filter(({ name }) => name.startsWith('n_'));
  assert.equal(cases.length, 188);
  for (const { name, bytes } of cases) {
    assert.notEqual(faultOf(bytes, LIMITS), undefined, name);
    assert.equal(faultOf(bytes), verdict(bytes), name);
  }
});

test('JSONTestSuite: what is left to each parser is decided here', { skip: missingCorpora }, () => {
  const decided: Record<string, Scan['fault']> = {
    'i_structure_500_nested_arrays.json': 'too_deep',
    'i_structure_UTF-8_BOM_empty_object.json': 'not_json',
    'i_string_UTF-16LE_with_BOM.json': 'invalid_utf8',
    'i_string_UTF-8_invalid_sequence.json': 'invalid_utf8',
    'i_string_UTF8_surrogate_U+D800.json': 'invalid_utf8',
    'i_string_invalid_utf-8.json': 'invalid_utf8',
    'i_string_iso_latin_1.json': 'invalid_utf8',
    'i_string_lone_utf8_continuation_byte.json': 'invalid_utf8',
    'i_string_not_in_unicode_range.json': 'invalid_utf8',
    'i_string_overlong_sequence_2_bytes.json': 'invalid_utf8',
    'i_string_overlong_sequence_6_bytes.json': 'invalid_utf8',
    'i_string_overlong_sequence_6_bytes_null.json': 'invalid_utf8',
    'i_string_truncated-utf-8.json': 'invalid_utf8',
    'i_string_utf16BE_no_BOM.json': 'invalid_utf8',
    'i_string_utf16LE_no_BOM.json': 'invalid_utf8',
  };
  const cases = jsonCases().filter(({ name }) => name.startsWith('i_'));
  assert.equal(cases.length, 35);
  for (const name of Object.keys(decided))
    assert.ok(
      cases.some((one) => one.name === name),
      name,
    );
  // All others (numbers of any size, lone surrogates as escapes) pass.
  for (const { name, bytes } of cases) assert.equal(faultOf(bytes, LIMITS), decided[name], name);
});

test('the scan agrees with JSON.parse on generated JSON', () => {
  const json = fc.oneof(
    fc.json({ maxDepth: 5 }),
    fc.jsonValue().map((value) => JSON.stringify(value, null, 1)),
  );
  fc.assert(
    fc.property(json, (text) => {
      assert.equal(faultOf(text), undefined);
    }),
    { numRuns: LONG ? 50_000 : 5_000 },
  );
});

test('the scan agrees with JSON.parse on mutated JSON', () => {
  const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31);
  const pick = random(seed);
  const texts = [
    '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a","arguments":{"n":[1,-2.5e+3,true,false,null]}}}',
    '{"jsonrpc":"2.0","id":"é\\u00e9\\ud83d\\ude00","result":{"text":"a long text of some fifty characters, \\"quoted\\", and more\\n"}}',
    `["${'ab漢'.repeat(30)}","${'x'.repeat(200)}",{"":{}},[[]], 0 ,\t-0.0e-0 ]`,
  ];
  const seeds = [...texts.map((text) => Buffer.from(text)), ...jsonCases().map(({ bytes }) => bytes)].filter(
    ({ length }) => length < 2000,
  );
  const rounds = LONG ? 5_000_000 : 100_000;
  let accepted = 0;
  for (let round = 0; round < rounds; round++) {
    // Another start in memory each time: long strings are read word by word.
    const source = seeds[pick(seeds.length)] ?? Buffer.alloc(0);
    let bytes = mutate(source, pick);
    if (pick(2) === 0) bytes = mutate(bytes, pick);
    const shift = pick(4);
    const placed = Buffer.concat([Buffer.alloc(shift, 0x22), bytes, Buffer.from('"x"')]).subarray(
      shift,
      shift + bytes.length,
    );
    const expected = verdict(placed);
    if (expected === undefined) accepted++;
    if (faultOf(placed) !== expected) {
      assert.fail(`seed ${seed}, round ${round}: ${faultOf(placed)}, not ${expected}: ${placed.toString('base64')}`);
    }
  }
  assert.ok(accepted > rounds / 20, `only ${accepted} of ${rounds} were JSON`);
});

test('naughty strings pass as values and as keys', { skip: missingCorpora }, () => {
  for (const text of naughtyStrings()) {
    assert.equal(faultOf(JSON.stringify({ [text]: text })), undefined, JSON.stringify(text));
  }
});

test('each byte value is judged alike at each place of a long string, wherever it lies in memory', () => {
  const length = 75;
  const memory = Buffer.alloc(length + 2 + 4);
  for (let shift = 0; shift < 4; shift++) {
    for (let at = 0; at < length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const text = memory.subarray(shift, shift + length + 2);
        text.fill(0x61);
        text[0] = 0x22;
        text[length + 1] = 0x22;
        text[at + 1] = byte;
        const expected =
          byte >= 0x80 ? 'invalid_utf8' : byte < 0x20 || byte === 0x22 || byte === 0x5c ? 'not_json' : undefined;
        if (faultOf(text) !== expected) assert.fail(`byte ${byte} at ${at}, shift ${shift}: ${faultOf(text)}`);
      }
    }
  }
});

test('every prefix of a JSON object is refused, and none is read beyond its end', () => {
  const whole = Buffer.from(`{"a":[1.5e-3,"\\u00e9 é",true,null,{"b":"${'x'.repeat(70)}"}],"c":false}`);
  for (let length = 0; length < whole.length; length++) {
    const prefix = whole.subarray(0, length);
    assert.equal(faultOf(prefix), verdict(prefix), `length ${length}`);
  }
  assert.equal(faultOf(whole), undefined);
});

test('depth is capped: the limit passes, one more does not', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  assert.equal(faultOf(nested(LIMITS.jsonDepth), LIMITS), undefined);
  assert.equal(faultOf(nested(LIMITS.jsonDepth + 1), LIMITS), 'too_deep');
  assert.equal(faultOf(`{"a":${nested(LIMITS.jsonDepth - 1)}}`, LIMITS), undefined);
  assert.equal(faultOf(`{"a":${nested(LIMITS.jsonDepth)}}`, LIMITS), 'too_deep');
  assert.equal(faultOf('['.repeat(18 * 1024 * 1024), LIMITS), 'too_deep');
});

test('values and keys are capped', () => {
  const limits = { jsonDepth: 64, jsonTokens: 7 };
  // The object, two keys, two values; the array has two more.
  assert.equal(faultOf('{"a":1,"b":[2,3]}', limits), undefined);
  assert.equal(faultOf('{"a":1,"b":[2,3,4]}', limits), 'too_many_tokens');
  assert.equal(faultOf('{"a":1,"b":{"c":2}}', limits), undefined);
  assert.equal(faultOf('{"a":1,"b":{"c":2},"d":0}', limits), 'too_many_tokens');
});

test('the envelope is found by its own keys only, escaped ones too', () => {
  const text = '{ "method" : "a" , "params":{"id":1,"result":2}, "\\u0069d":[3], "ids":4 }';
  const found = scan(Buffer.from(text), LIMITS);
  assert.equal(found.keys, MEMBER.method | MEMBER.params | MEMBER.id);
  assert.equal(text.slice(found.methodStart, found.methodEnd), '"a"');
  assert.equal(text.slice(found.idStart, found.idEnd), '[3]');
  assert.equal(found.twice, false);
  assert.equal(scan(Buffer.from('{"id":1,"i\\u0064":2}'), LIMITS).twice, true);
  assert.equal(scan(Buffer.from('{"__proto__":1,"constructor":2,"\\u0074oString":3}'), LIMITS).keys, 0);
});

test('line breaks between tokens are told', () => {
  for (const text of ['{"a":\n1}', '{"a":1\r}', '\n1', '1\r\n', '[1,\n2]', '{\n}', '{"a"\n:1}', '[\n]']) {
    assert.equal(scan(Buffer.from(text), LIMITS).breaks, true, JSON.stringify(text));
  }
  assert.equal(scan(Buffer.from('{"a\\n": "\\r" }\t'), LIMITS).breaks, false);
});

test('time grows with size, not faster', () => {
  const shapes: Record<string, (size: number) => string> = {
    string: (size) => JSON.stringify('x'.repeat(size)),
    escapes: (size) => JSON.stringify('"\\'.repeat(size / 4)),
    zeros: (size) => `1.${'0'.repeat(size)}1`,
    digits: (size) => '9'.repeat(size),
    blanks: (size) => `[${' '.repeat(size)}]`,
    keys: (size) => `{${'"id":1,'.repeat(size / 7)}"id":1}`,
    numbers: (size) => `[${'1234567890.12345678,'.repeat(size / 20)}0]`,
    'odd zeros': (size) => `[1${'0000000000000000001'.repeat(size / 19)}e-5]`,
  };
  const cost = (bytes: Buffer): number => {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 6; round++) {
      const start = process.hrtime.bigint();
      scan(bytes, ROOMY);
      best = Math.min(best, Number(process.hrtime.bigint() - start));
    }
    return best;
  };
  for (const [name, make] of Object.entries(shapes)) {
    cost(Buffer.from(make(1 << 16)));
    const ratio = cost(Buffer.from(make(1 << 20))) / cost(Buffer.from(make(1 << 16)));
    // 16 times the size. Squared it would be 256 times the cost.
    assert.ok(ratio < 150, `${name}: 16 times the size cost ${ratio.toFixed(1)} times as much`);
  }
});
