import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMessage, requestMessage } from '@mcp-overlay/relay';
import { OpenCalls } from '../../src/session/open-calls.ts';

const KEEPING = [{ id: 'far', keepsOutcomes: true }];
const AWAY = { code: 'away', reason: 'the gateway is ending' };

function opened() {
  const calls = new OpenCalls();
  const cancelled: string[] = [];
  const add = (id: string, method: string, number?: number): void => {
    const call = calls.add(id, requestMessage(id, method, {}, number), undefined);
    call.trail.backend = 'far';
    call.cancel.listen(() => cancelled.push(id));
  };
  add('1', 'tools/call', 17);
  add('2', 'tools/call');
  add('3', 'tools/list');
  return { calls, cancelled };
}

function errors(answers: readonly Parameters<typeof parseMessage>[0][]): (string | undefined)[] {
  return answers.map((answer) => {
    const { id, error } = parseMessage(answer) as { id: number; error?: { data?: { error?: string } } };
    return `${id} ${error?.data?.error}`;
  });
}

test('calls with a key go on at a host behind that keeps outcomes; of others nobody knows', () => {
  const { calls, cancelled } = opened();
  assert.deepEqual(errors(calls.end(AWAY, KEEPING)), ['2 outcome_unknown']);
  assert.deepEqual(cancelled, ['2', '3']);
  assert.equal(calls.get('1')?.abandoned, true);
});

test('servers of our own go with us: of every call of theirs that may have had effects nobody knows', () => {
  const { calls, cancelled } = opened();
  assert.deepEqual(errors(calls.end(AWAY, [{ id: 'far', keepsOutcomes: false }])), [
    '1 outcome_unknown',
    '2 outcome_unknown',
  ]);
  assert.deepEqual(cancelled, ['1', '2', '3']);
});

test('a client that ends its session is told nothing more, and its servers work for nobody', () => {
  const { calls, cancelled } = opened();
  assert.deepEqual(calls.end({ code: 'done', reason: '' }, KEEPING), []);
  assert.deepEqual(cancelled, ['1', '2', '3']);
});
