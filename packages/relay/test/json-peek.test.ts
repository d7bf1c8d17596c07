// Of a line that is skipped the id is told if it can be, from either end, and never a wrong one.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { GLIMPSE_BYTES, type Glimpse, glimpseEnds } from '../src/json-peek.ts';
import { longLineFault } from '../src/json-rpc.ts';

const BIG = 'x'.repeat(3 * GLIMPSE_BYTES);

function glimpse(line: string, keep = GLIMPSE_BYTES): Glimpse {
  const bytes = Buffer.from(line);
  return glimpseEnds({ head: bytes.subarray(0, keep), tail: bytes.subarray(-keep) });
}

test('an id in front or at the end is told, with the kind', () => {
  const big = JSON.stringify({ text: BIG, id: 'inner' });
  const lines: [string, Glimpse['kind'], string | undefined][] = [
    [`{"jsonrpc":"2.0","id":7,"method":"x","params":${big}}`, 'request', '7'],
    [`{"jsonrpc":"2.0","method":"x","params":${big},"id":7}`, 'request', '7'],
    [`{"method":"x","params":${big} , "id" : "a\\"b" , "jsonrpc":"2.0" } \r`, 'request', '"a\\"b"'],
    [`{"params":${big},"method":"x","id":1.0}`, 'request', '1.0'],
    [`{"params":${big},"i\\u0064":-0,"method":"x"}`, 'request', '-0'],
    [`{"params":${big},"id":1,"_meta":{"a":[{"id":2},"}"]},"method":"x"}`, 'request', '1'],
    [`{"jsonrpc":"2.0","id":7,"result":${big}}`, 'response', '7'],
    [`{"jsonrpc":"2.0","result":${big},"id":7}`, 'response', '7'],
    [`{"jsonrpc":"2.0","error":${big},"id":7}`, 'response', '7'],
    [`{"jsonrpc":"2.0","method":"x","params":${big}}`, 'unknown', undefined],
    [`{"params":${big},"id":{},"method":"x"}`, 'unknown', undefined],
    [`{"params":${big},"id":null,"method":"x"}`, 'unknown', undefined],
    [`{"id":1,"params":${big},"id":2,"method":"x"}`, 'unknown', undefined],
    [`{"params":${big},"id":1,"id":1,"method":"x"}`, 'unknown', undefined],
    [`{"id":"${BIG}","method":"x"}`, 'unknown', undefined],
    [BIG, 'unknown', undefined],
    [`"${BIG}`, 'unknown', undefined],
    [`[${big}]`, 'unknown', undefined],
    [`${'\\'.repeat(BIG.length)}"}`, 'unknown', undefined],
    ['', 'unknown', undefined],
    ['}', 'unknown', undefined],
    [':}', 'unknown', undefined],
    ['":1}', 'unknown', undefined],
  ];
  for (const [line, kind, id] of lines) assert.deepEqual(glimpse(line), { kind, id }, line.replaceAll(BIG, '…'));
});

test('an id that the cut went through is not told', () => {
  const line = `{"id":123456789,"params":"${BIG}"}`;
  for (let keep = 1; keep < line.indexOf(',') + 1; keep++) {
    assert.equal(glimpseEnds({ head: Buffer.from(line.slice(0, keep)), tail: Buffer.alloc(0) }).id, undefined);
  }
  const backwards = `{"params":"${BIG}","id":"a\\\\\\"b"}`;
  for (let keep = 1; keep < 30; keep++) {
    const { id } = glimpseEnds({ head: Buffer.alloc(0), tail: Buffer.from(backwards).subarray(-keep) });
    assert.equal(id, keep > '"id":"a\\\\\\"b"}'.length ? '"a\\\\\\"b"' : undefined, `${keep} bytes`);
  }
});

test('whatever a message holds, wherever it is cut: the id told is its id', () => {
  const awkward = fc.constantFrom('"id":5}', '\\', '\\"', '{"id":6', ',"id":7}', '}', ']', '"', 'id', 'method');
  const text = fc.array(fc.oneof(awkward, fc.string()), { maxLength: 4 }).map((parts) => parts.join(''));
  const value = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 3 }, text, fc.integer(), fc.constant(null), tie('list'), tie('map')),
    list: fc.array(tie('any'), { maxLength: 3 }),
    map: fc.dictionary(fc.oneof(fc.constantFrom('id', 'method', 'result'), text), tie('any'), { maxKeys: 3 }),
  })).any;
  const member = fc.tuple(
    fc.oneof(
      fc.constantFrom('params', 'method', '_meta', 'a'),
      text.filter((key) => key !== 'id'),
    ),
    value,
  );
  const message = fc.tuple(
    fc.array(member, { maxLength: 3 }),
    fc.oneof(fc.integer(), text),
    fc.array(member, { maxLength: 3 }),
  );
  let told = 0;
  fc.assert(
    fc.property(message, fc.nat(200), fc.constantFrom(undefined, 1), ([before, id, after], keep, indent) => {
      const line = JSON.stringify(Object.fromEntries([...before, ['id', id], ...after]), null, indent);
      const seen = glimpse(line, keep).id;
      if (seen !== undefined) told++;
      assert.ok(seen === undefined || seen === JSON.stringify(id), `${seen} in ${line}`);
    }),
    { numRuns: process.env.TEST_LONG === undefined ? 5_000 : 200_000 },
  );
  assert.ok(told > 500, `only ${told} ids were told`);
});

test('no bytes make it throw', () => {
  const bytes = fc.array(fc.constantFrom(...Buffer.from('"\\{}[],:id1 \n\xff', 'latin1')), { maxLength: 40 });
  fc.assert(
    fc.property(bytes, bytes, (head, tail) => {
      const fault = longLineFault({ bytes: 99, head: Buffer.from(head), tail: Buffer.from(tail) });
      assert.equal(fault.code, 'message_too_large');
    }),
    { numRuns: 20_000 },
  );
});
