import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMessage, requestMessage } from '@mcp-overlay/relay';
import { OpenCalls } from '../../src/session/open-calls.ts';

const AWAY = { code: 'away', reason: 'the gateway is ending' };

function opened() {
  const calls = new OpenCalls();
  const cancelled: string[] = [];
  const add = (id: string, method: string, number?: number): void => {
    const call = calls.add(id, requestMessage(id, method, {}, number), undefined);
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

test('a host that goes and keeps outcomes lets calls with a key go on, and says of others that nobody knows', () => {
  const { calls, cancelled } = opened();
  assert.deepEqual(errors(calls.end(AWAY, true)), ['2 outcome_unknown']);
  assert.deepEqual(cancelled, ['2', '3']);
  assert.equal(calls.get('1')?.abandoned, true);
});

test('a host that goes and keeps nothing says so of every call that may have had effects', () => {
  const { calls, cancelled } = opened();
  assert.deepEqual(errors(calls.end(AWAY, false)), ['1 outcome_unknown', '2 outcome_unknown']);
  assert.deepEqual(cancelled, ['1', '2', '3']);
});

test('a client that ends its session is told nothing more, and its servers work for nobody', () => {
  const { calls, cancelled } = opened();
  assert.deepEqual(calls.end({ code: 'done', reason: '' }, true), []);
  assert.deepEqual(cancelled, ['1', '2', '3']);
});
