import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorMessage, requestMessage, resultMessage } from '../../src/index.ts';
import { errorOf, INIT, openSteady, shakenHands } from './one-server.ts';

const START_MS = 60_000;
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a second initialize does not bring a working session to its end', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const house = await shakenHands({ startMs: START_MS });
  house.session.send(requestMessage('1', 'initialize', INIT));
  await house.first.got.next();
  house.first.far.send(errorMessage('1', 'invalid_request', 'initialized already'));
  assert.equal(errorOf(await house.client.next())?.code, -32600);
  t.mock.timers.tick(START_MS + 1);
  await turn();
  assert.equal(house.session.state.phase, 'up');
  assert.equal(house.servers.length, 1);
  await house.session.close();
});

test('a server that refused initialize is not ended for not having started', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const house = openSteady({ startMs: START_MS });
  const server = await house.server(0);
  house.session.send(requestMessage('0', 'initialize', INIT));
  await server.got.next();
  server.far.send(errorMessage('0', 'invalid_params', 'unknown version'));
  await house.client.next();
  t.mock.timers.tick(START_MS + 1);
  await turn();
  assert.equal(house.session.state.phase, 'up');
  // And the client may try another version.
  house.session.send(requestMessage('1', 'initialize', INIT));
  await server.got.next();
  server.far.send(resultMessage('1', {}));
  assert.equal(errorOf(await house.client.next()), undefined);
  await house.session.close();
});

test('the initialize that made the session rebuilds it, not a later one that was refused', async () => {
  await using house = await shakenHands();
  house.session.send(requestMessage('1', 'initialize', { ...INIT, protocolVersion: 'never' }));
  await house.first.got.next();
  house.first.far.send(errorMessage('1', 'invalid_request', 'initialized already'));
  await house.client.next();
  house.first.far.break();
  const second = await house.server(1);
  assert.match(String((await second.got.next()).bytes), /2025-11-25/);
});
