// How one session leaves: held for a while, served again where a call takes long, gone in a moment without open calls.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { depart, type Leaving } from '../../src/succession/depart.ts';

const reason = { code: 'away', reason: 'it leaves' };

function leavingSession(tries: readonly boolean[]) {
  const did: string[] = [];
  const left = [...tries];
  const session: Leaving = {
    hold: async () => {
      did.push('hold');
      return left.shift() ?? true;
    },
    goOn: async () => void did.push('go on'),
    close: async ({ code }) => void did.push(`close ${code}`),
  };
  return { session, did };
}

test('an idle session is closed away at once', async () => {
  const { session, did } = leavingSession([true]);
  await depart(session, { delivered: () => true, reason, over: new AbortController().signal });
  assert.deepEqual(did, ['hold', 'close away']);
});

test('a session whose call takes long is served meanwhile, and tried again when that is over', async () => {
  const { session, did } = leavingSession([false, false, true]);
  await depart(session, { delivered: () => true, reason, over: new AbortController().signal });
  assert.deepEqual(did, ['hold', 'go on', 'hold', 'go on', 'hold', 'close away']);
});

test('an agent that is away and lacks answers is waited for', async () => {
  const { session, did } = leavingSession([true]);
  let looks = 0;
  const delivered = (): boolean => {
    looks += 1;
    return looks > 2;
  };
  await depart(session, { delivered, reason, over: new AbortController().signal });
  assert.equal(looks, 3);
  assert.deepEqual(did, ['hold', 'close away']);
});

test('when the time is up nothing more is done', async () => {
  const over = new AbortController();
  const { session, did } = leavingSession([true]);
  const leaving = depart(session, { delivered: () => false, reason, over: over.signal });
  over.abort();
  await leaving;
  assert.deepEqual(did, ['hold']);
});
