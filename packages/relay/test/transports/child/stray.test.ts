import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault } from '../../../src/message.ts';
import { strayGuard } from '../../../src/transports/child/stray.ts';

const LINE: Fault = { code: 'not_json', id: undefined, kind: 'unknown', bytes: 20, preview: 'listening on 3000' };

function setup() {
  const clock = { now: 0 };
  const shown: object[] = [];
  const log = { debug() {}, info() {}, warn: (fields: object) => void shown.push(fields) };
  const limits = { strayLines: 1000, strayBytes: 1024 * 1024, strayWindowMs: 10_000 };
  return { clock, shown, guard: strayGuard({ name: 'fs', limits, now: () => clock.now, log }) };
}

test('a thousand stray lines in the window are borne, one more is too much', () => {
  const { guard } = setup();
  for (let n = 0; n < 1000; n += 1) assert.equal(guard.tooMuch(LINE), false);
  assert.equal(guard.tooMuch(LINE), true);
});

test('the limit is a rate: a server may print a stray line each second for ever', () => {
  const { guard, clock } = setup();
  for (let n = 0; n < 100_000; n += 1) {
    clock.now += 1000;
    assert.equal(guard.tooMuch(LINE), false);
  }
});

test('a mebibyte of stray bytes is too much in however few lines', () => {
  const { guard } = setup();
  assert.equal(guard.tooMuch({ ...LINE, bytes: 1024 * 1024 }), false);
  assert.equal(guard.tooMuch({ ...LINE, bytes: 1 }), true);
});

test('stray lines are shown, but not all of a flood', () => {
  const { guard, shown } = setup();
  for (let n = 0; n < 500; n += 1) guard.tooMuch(LINE);
  assert.equal(shown.length, 20);
  assert.deepEqual(shown[0], { backend: 'fs', fault: 'not_json', bytes: 20, preview: 'listening on 3000', total: 1 });
});

test('broken messages and huge objects are no stray lines', () => {
  const { guard } = setup();
  for (let n = 0; n < 5000; n += 1) {
    assert.equal(guard.tooMuch({ ...LINE, kind: 'response', id: '1', code: 'too_deep' }), false);
    assert.equal(guard.tooMuch({ ...LINE, code: 'message_too_large', bytes: 2 ** 30, preview: '{"result":{' }), false);
  }
});
