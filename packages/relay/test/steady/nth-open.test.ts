// A scripted life of a session in which one start of its server fails, the first, the second …: nothing is lost but what was
// open when a server died.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, requestMessage, resultMessage, type SourceEvents } from '../../src/index.ts';
import { type LinkedTransport, linkedTransports } from '../../src/testing/linked.ts';
import { errorOf, INIT, openSteady, WELCOME } from './one-server.ts';

const ROUNDS = 4;

/** Servers that answer all but `hang`. Resolves with how often one was started. */
async function life(failing: number): Promise<number> {
  let starts = 0;
  let hanging: LinkedTransport | undefined;
  let hangs = (): void => {};
  const open = async (_events: SourceEvents): Promise<LinkedTransport> => {
    starts += 1;
    if (starts === failing) throw new Error('it does not start');
    const [near, far] = linkedTransports();
    far.start({
      message: ({ id, kind, method }: Message) => {
        if (kind !== 'request' || id === undefined) return;
        if (method === 'tools/call') {
          hanging = far;
          hangs();
        } else far.send(resultMessage(id, method === 'initialize' ? WELCOME : { tools: [] }));
      },
      fault: () => {},
      closed: () => {},
    });
    return near;
  };
  await using house = openSteady({ open });
  const { session, client } = house;
  session.send(requestMessage('0', 'initialize', INIT));
  assert.equal((await client.next()).id, '0');
  for (let round = 1; round <= ROUNDS; round += 1) {
    const [list, call] = [`${round}00`, `${round}01`];
    session.send(requestMessage(list, 'tools/list', {}));
    const listed = await client.next();
    assert.deepEqual([listed.id, errorOf(listed)], [list, undefined]);
    const reached = new Promise<void>((resolve) => {
      hangs = resolve;
    });
    session.send(requestMessage(call, 'tools/call', {}));
    await reached;
    hanging?.break();
    const lost = await client.next();
    assert.deepEqual([lost.id, errorOf(lost)?.data?.error], [call, 'outcome_unknown']);
  }
  session.send(requestMessage('999', 'ping'));
  assert.equal((await client.next()).id, '999');
  return starts;
}

test('the nth start fails, for each n: what waits is answered by the next one', { timeout: 20_000 }, async () => {
  const whole = await life(0);
  assert.equal(whole, ROUNDS + 1);
  for (let failing = 1; failing <= whole; failing += 1) assert.equal(await life(failing), whole + 1);
});
