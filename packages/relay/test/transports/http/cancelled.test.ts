// A call that its client took back is over: its stream ends, and it holds no room.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { door, exchange, newSession, open, POST_HEADERS } from './harness.ts';

const CALL = { jsonrpc: '2.0', id: 'slow', method: 'tools/call', params: { name: 'hold' } };
const CANCEL = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'slow' } };

test('the stream of a cancelled call ends, and its id is free', { timeout: 5000 }, async () => {
  await using door_ = await door();
  const session = await newSession(door_.url);
  const headers = { ...POST_HEADERS, ...session };
  const { response } = await open(door_.url, { headers, body: CALL });
  assert.equal((await exchange(door_.url, { headers, body: CANCEL })).status, 202);
  for await (const _ of response);
  const again = await open(door_.url, { headers, body: CALL });
  assert.equal(again.response.statusCode, 200);
  again.request.destroy();
});
