// Receipts in answers: found where a gateway puts them, and nowhere else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, resultMessage, toMessage } from '@mcp-overlay/relay';
import { readReceipt, receiptIn } from '../../src/receipts/receipt.ts';

const RECEIPT = { log: '9f3c', seq: 7, hash: `sha256:${'a'.repeat(64)}` };
const KEY = 'mcp-overlay/audit';
const failed = (data: unknown): Message =>
  toMessage({ jsonrpc: '2.0', id: 1, error: { code: -31060, message: 'm', data } });

test('a receipt is read from _meta of a result, and from an error of the gateway', () => {
  assert.deepEqual(receiptIn(resultMessage('1', { content: [], _meta: { [KEY]: { ...RECEIPT, more: 1 } } })), RECEIPT);
  assert.deepEqual(receiptIn(failed({ error: 'busy', audit: RECEIPT })), RECEIPT);
});

test('what only looks like one is none', () => {
  for (const result of [
    { content: [{ _meta: { [KEY]: RECEIPT } }] },
    { _meta: { other: { [KEY]: RECEIPT } } },
    { _meta: [{ [KEY]: RECEIPT }] },
    { _meta: { [KEY]: { ...RECEIPT, seq: -1 } } },
    { _meta: { [KEY]: { ...RECEIPT, seq: 2 ** 53 } } },
    { _meta: { [KEY]: { ...RECEIPT, hash: 'sha256:' } } },
    { _meta: { [KEY]: { ...RECEIPT, log: 'x'.repeat(65) } } },
    { _meta: { [KEY]: { ...RECEIPT, log: 'a\u001bb' } } },
    { _meta: { [KEY]: null } },
  ]) {
    assert.equal(receiptIn(resultMessage('1', result)), undefined, JSON.stringify(result));
  }
  for (const data of [null, 'audit', { inner: { audit: RECEIPT } }, { audit: null, x: '"audit":{' }]) {
    assert.equal(receiptIn(failed(data)), undefined, JSON.stringify(data));
  }
  assert.equal(readReceipt('{'), undefined);
  assert.equal(readReceipt('null'), undefined);
});

test('an answer of 16 MiB without a receipt costs a search, not a reading', () => {
  const large = resultMessage('1', { content: [{ text: 'm'.repeat(16 * 1024 * 1024) }] });
  const since = performance.now();
  assert.equal(receiptIn(large), undefined);
  assert.ok(performance.now() - since < 200);
});
