// One member goes into an answer's `_meta`; everything else is the bytes that came.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { payloadOf, resultMetaOf, withResultMeta } from '../src/json-members.ts';
import { isFault, readMessage, withId } from '../src/json-rpc.ts';
import { LIMITS } from '../src/limits.ts';
import type { Message } from '../src/message.ts';

const KEY = 'mcp-overlay/audit';

function answer(text: string): Message {
  const read = readMessage(Buffer.from(text), LIMITS);
  assert.ok(!isFault(read), text);
  return read;
}

const put = (text: string, value = '{"seq":1}'): string => withResultMeta(answer(text), KEY, value).bytes.toString();

test('a result without _meta gets one, in front, and nothing else changes', () => {
  assert.equal(
    put('{"jsonrpc":"2.0","id":7,"result":{"a":1.00000000000000000001}}'),
    '{"jsonrpc":"2.0","id":7,"result":{"_meta":{"mcp-overlay/audit":{"seq":1}},"a":1.00000000000000000001}}',
  );
  assert.equal(
    put('{"result": { } ,"id":"x","jsonrpc":"2.0"}'),
    '{"result": {"_meta":{"mcp-overlay/audit":{"seq":1}} } ,"id":"x","jsonrpc":"2.0"}',
  );
});

test('an own _meta gets one more member; one of the same name is replaced, however its key is spelt', () => {
  const head = '{"jsonrpc":"2.0","id":1,"result":{"x":["_meta"],';
  assert.equal(put(`${head}"_meta":{}}}`), `${head}"_meta":{"mcp-overlay/audit":{"seq":1}}}}`);
  assert.equal(put(`${head}"_meta":{"k":2}}}`), `${head}"_meta":{"mcp-overlay/audit":{"seq":1},"k":2}}}`);
  assert.equal(
    put(`${head}"\\u005fmeta":{"mcp-overlay\\/audit": {"seq":9},"k":2}}}`),
    `${head}"\\u005fmeta":{"mcp-overlay\\/audit": {"seq":1},"k":2}}}`,
  );
});

test('what has no object to put it into passes as it is', () => {
  for (const text of [
    '{"jsonrpc":"2.0","id":1,"result":null}',
    '{"jsonrpc":"2.0","id":1,"result":[{"_meta":{}}]}',
    '{"jsonrpc":"2.0","id":1,"result":{"_meta":"mine"}}',
    '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":{"result":{}}}}',
  ]) {
    assert.equal(put(text), text);
  }
});

test('of two equal keys the one that JSON.parse reads is taken', () => {
  const text = put('{"jsonrpc":"2.0","id":1,"result":{"_meta":{"a":1},"_meta":{"b":2}}}');
  assert.deepEqual(JSON.parse(text).result._meta, { [KEY]: { seq: 1 }, b: 2 });
});

test('the id can still be changed, wherever it stands', () => {
  for (const text of ['{"id":12,"jsonrpc":"2.0","result":{}}', '{"jsonrpc":"2.0","result":{},"id":12}']) {
    const changed = withId(withResultMeta(answer(text), KEY, '1'), '"longer"');
    assert.deepEqual(JSON.parse(changed.bytes.toString()), {
      jsonrpc: '2.0',
      id: 'longer',
      result: { _meta: { [KEY]: 1 } },
    });
  }
});

test('any answer: the value is what it was, plus the member; and it is found again', () => {
  const key = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('_meta', 'result', 'id', KEY, '\\', '"', '\\"'));
  const value = fc.jsonValue({ maxDepth: 4 });
  const plain = fc.dictionary(key, value);
  fc.assert(
    fc.property(plain, fc.option(plain), fc.boolean(), fc.nat(3), (result, meta, escaped, blanks) => {
      const whole = meta === null ? result : { ...result, _meta: meta };
      let text = JSON.stringify({ before: '"result":{', jsonrpc: '2.0', id: 5, result: whole }, undefined, blanks);
      if (escaped) text = text.replaceAll('_meta', '\\u005fmeta').replaceAll('/', '\\/');
      const line = answer(text);
      const changed = withResultMeta(line, KEY, '{"seq":3}');
      assert.ok(!isFault(readMessage(changed.bytes, LIMITS)));
      const now = JSON.parse(changed.bytes.toString());
      const its = (JSON.parse(text) as { result: { _meta?: unknown } }).result._meta;
      if (its !== undefined && (typeof its !== 'object' || its === null || Array.isArray(its))) {
        assert.equal(changed, line);
        return;
      }
      const expected = JSON.parse(text);
      expected.result._meta = { ...expected.result._meta, [KEY]: { seq: 3 } };
      assert.deepEqual(now, expected);
      assert.deepEqual(JSON.parse(String(payloadOf(changed, 'result'))), expected.result);
      if (!escaped) assert.equal(resultMetaOf(changed, KEY), '{"seq":3}');
    }),
    { numRuns: 500 },
  );
});

test('16 MiB, of one string, of backslashes and of small values, are linear', () => {
  const size = 16 * 1024 * 1024;
  const values = [`"${'x'.repeat(size)}"`, `"${'\\\\'.repeat(size / 2)}"`, `["_meta"${',"ab"'.repeat(400_000)}]`];
  for (const value of values) {
    const line = answer(`{"jsonrpc":"2.0","id":1,"result":{"content":${value},"_meta":{}}}`);
    const since = performance.now();
    const changed = withResultMeta(line, KEY, '1');
    const tookMs = performance.now() - since;
    assert.equal(changed.bytes.length, line.bytes.length + KEY.length + 4);
    assert.ok(tookMs < 1500, `${tookMs} ms`);
  }
});
