import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { requestMessage } from '@mcp-overlay/relay';
import { type Call, newTrail, type Reply } from '../../src/call/call.ts';
import { Cancel } from '../../src/call/cancel.ts';
import { deadline } from '../../src/call/deadline.ts';

test('a call of a backend that can be reached has its time once', async (t) => {
  const { call, reply } = started(t, () => true);
  t.mock.timers.tick(1000);
  assert.deepEqual(errorOf(await reply), { error: 'call_timeout', backend: 'far', afterMs: 1000 });
  assert.equal(call.cancel.cancelled, true);
});

test('one whose way is broken when its time is over has as long again, and is answered when the way is back', async (t) => {
  const { call, answer, reply } = started(t, () => false);
  t.mock.timers.tick(1999);
  assert.equal(call.cancel.cancelled, false);
  answer({ result: { fine: true } });
  assert.deepEqual(await reply, { result: { fine: true } });
});

test('but not for ever; progress begins its time anew', async (t) => {
  const { call, reply } = started(t, () => false);
  t.mock.timers.tick(1500);
  call.trail.onProgress?.();
  t.mock.timers.tick(1000);
  t.mock.timers.tick(999);
  assert.equal(call.cancel.cancelled, false);
  t.mock.timers.tick(1);
  assert.deepEqual(errorOf(await reply), { error: 'call_timeout', backend: 'far', afterMs: 2000 });
});

function started(t: TestContext, reachable: () => boolean) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const call: Call = {
    method: 'tools/call',
    params: {},
    message: requestMessage('1', 'tools/call', {}),
    cancel: new Cancel(),
    trail: { ...newTrail(), backend: 'far', reachable },
  };
  let answer: (reply: Reply) => void = () => {};
  const held = new Promise<Reply>((resolve) => {
    answer = resolve;
  });
  const reply = deadline(1000)(() => held)(call);
  return { call, reply, answer };
}

function errorOf(reply: Reply): unknown {
  return 'error' in reply ? reply.error.data : reply;
}
