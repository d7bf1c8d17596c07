// A context that is told of a dial to come: what it does ahead of it, and that nothing of it is in the way of a failure.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIdentity } from '../../src/identity.ts';
import { ZitiContext } from '../../src/index.ts';
import { coded } from '../streams.ts';
import { echo, echoed, onNetwork } from './network.ts';

const timeout = 30_000;

test('the channel is there before the dial, and the dial takes it', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  await (await on.open('host')).listen('echo', { onConnection: echo });
  const channels = () =>
    on.net.routers.flatMap(({ channels }) => channels).filter(({ identity }) => identity === 'client');
  const client = await on.open('client', { dialSoon: { service: 'echo' } });
  await on.net.until(() => channels().length === 1);
  assert.equal(await echoed(await client.dial('echo'), 'hello'), 'hello');
  assert.equal(channels().length, 1);
  assert.equal(on.net.apiSessions.filter(({ identity }) => identity === 'client').length, 1, 'one login');
});

test('with more routers than are tried at once none is guessed', { timeout }, async () => {
  await using on = await onNetwork({ routers: 5 });
  const client = await on.open('client', { dialSoon: { service: 'echo' } });
  const asked = () => on.net.controllers.flatMap(({ requests }) => requests).map(({ path }) => path);
  await on.net.until(() => asked().some((path) => path.endsWith('/current-identity/edge-routers')));
  await client.services();
  assert.deepEqual(
    client.status().routers.map(({ state }) => state),
    ['idle', 'idle', 'idle', 'idle', 'idle'],
  );
});

test('nothing ahead of time without a word', { timeout }, async () => {
  await using on = await onNetwork();
  await on.open('client');
  assert.deepEqual(on.net.apiSessions, []);
});

test('a network that is away is told by the dial, not by the opening', { timeout }, async () => {
  await using on = await onNetwork();
  const { json } = on.net.addIdentity('client');
  await on.net.close();
  await using client = await ZitiContext.open(parseIdentity(json), { dialSoon: { service: 'echo' } });
  await assert.rejects(client.dial('echo', { timeoutMs: 2000 }), coded('controller_unreachable'));
});

test('without encryption nothing that was begun stays', { timeout }, async () => {
  await using on = await onNetwork();
  const { json } = on.net.addIdentity('client');
  const opening = ZitiContext.open(parseIdentity(json), {
    dialSoon: { service: 'echo' },
    sodium: { native: 'always' },
  });
  await assert.rejects(opening, coded('crypto_unavailable'));
  assert.deepEqual(on.net.apiSessions, []);
});
