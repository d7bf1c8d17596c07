// A key that comes twice somewhere in params is seen, wherever and however it is written; nothing else is taken for one.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { isFault, parseMessage, readMessage } from '../src/json-rpc.ts';
import { hasTwins } from '../src/json-twins.ts';
import { LIMITS } from '../src/limits.ts';

function twins(params: string, around = ''): boolean {
  const read = readMessage(Buffer.from(`{"jsonrpc":"2.0",${around}"id":1,"method":"m","params":${params}}`), LIMITS);
  assert.ok(!isFault(read), params);
  return hasTwins(read, (parseMessage(read) as { params?: unknown }).params);
}

test('T20: a key twice is seen at any depth, also where one of the two is written with escapes', () => {
  for (const text of [
    '{"a":1,"a":1}',
    '{"a":{"q":"SELECT 1","q":"DROP TABLE t"}}',
    '{"a":[{},{"x":{"b":1,"c":2,"b":3}}]}',
    '{"query":1,"qu\\u0065ry":2}',
    '{"__proto__":1,"__proto__":2}',
    '{"constructor":{"a":1},"constructor":{}}',
    '{"":1,"":2}',
    '{ "a" : 1 , "n" : 12345678901234567890123 , "a" : 2 }',
  ])
    assert.equal(twins(text), true, text);
});

test('what only looks like twins is none: equal keys of different objects, colons in texts, exact numbers, twins outside', () => {
  for (const text of [
    '{}',
    'null',
    '[]',
    '[{"a":1},{"a":2}]',
    '{"a":{"a":{"a":"a:b:c"}}}',
    '{"a":"\\":\\":","b\\":":1}',
    '{"a":"\\\\","b":":"}',
    '{"n":12345678901234567890123,"m":-0,"o":{"p":1.00000000000000000001}}',
    '{"__proto__":{"a":1},"constructor":1,"toString":2}',
  ])
    assert.equal(twins(text), false, text);
  assert.equal(twins('{"a":1}', '"extra":{"x":1,"x":2},'), false, 'nobody judges what is beside params');
  const bare = readMessage(Buffer.from('{"jsonrpc":"2.0","id":1,"method":"m"}'), LIMITS);
  assert.ok(!isFault(bare));
  assert.equal(hasTwins(bare, undefined), false);
});

test('any value is free of twins as JSON.stringify writes it, and has them once a member is put in again', () => {
  const nested = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(fc.string(), fc.constantFrom(':', '"', '\\', '__proto__')), tie('value'), { maxKeys: 4 }),
    ),
  })).value;
  fc.assert(
    fc.property(nested, fc.string(), nested, (value, key, again) => {
      const text = JSON.stringify({ deep: [value] });
      assert.equal(twins(text), false, text);
      const member = `${JSON.stringify(key)}:${JSON.stringify(again)}`;
      const put = `{"deep":[${JSON.stringify(value)},{${member},${member}}]}`;
      assert.equal(twins(put), true, put);
    }),
    { numRuns: process.env.TEST_LONG === undefined ? 2000 : 200_000 },
  );
});
