// Which router a dial takes, how many channels there are, and what happens when one goes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { ZitiConnection } from '../../src/edge/connection.ts';
import { EDGE_TYPES } from '../../src/edge/ids.ts';
import type { TestNetwork } from '../../src/testing/index.ts';
import { coded, everything, over } from '../streams.ts';
import { echo, echoed, joined, onNetwork, QUICK } from './network.ts';

const timeout = 30_000;

function channelsOf({ routers }: TestNetwork, identity: string): number[] {
  return routers.map(({ channels }) => channels.filter((channel) => channel.identity === identity).length);
}

test('who dials and hosts has a channel for each, and only one of each', async () => {
  await using on = await onNetwork();
  for (const service of ['one', 'two']) on.net.addService(service);
  const both = await on.open('both');
  const other = await on.open('other');
  await both.listen('one', { onConnection: echo });
  await other.listen('two', { onConnection: echo });
  for (let n = 0; n < 3; n += 1) (await both.dial('two')).destroy();
  assert.deepEqual(both.status().routers[0]?.channels, { dial: 1, bind: 1 });
  assert.deepEqual(channelsOf(on.net, 'both'), [2]);
});

test('many dials at once share the first channel while it opens, and get more as it fills', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host');
  const client = await on.open('client');
  await host.listen('echo', { onConnection: echo });
  const dialMany = (count: number) => Promise.all(Array.from({ length: count }, () => client.dial('echo')));
  await dialMany(20);
  assert.equal(client.status().routers[0]?.channels.dial, 1);
  for (let round = 0; round < 20; round += 1) await dialMany(20);
  assert.deepEqual(channelsOf(on.net, 'client'), [4], 'and not more than that');
  assert.equal(client.status().connections, 420);
  const [last] = await dialMany(1);
  assert.equal(await echoed(last as ZitiConnection, 'x'), 'x');
});

test('a host is bound at every router up to its limit, under one name', { timeout }, async () => {
  await using on = await onNetwork({ routers: 4 });
  on.net.addService('echo');
  const [host, modest] = await Promise.all([on.open('host'), on.open('modest')]);
  await host.listen('echo', { onConnection: echo });
  await on.net.until(() => on.net.terminators.length === 3);
  assert.equal(new Set(on.net.terminators.map(({ router }) => router)).size, 3);
  await modest.listen('echo', { onConnection: echo, maxTerminators: 1 });
  assert.equal(on.net.terminators.filter(({ identity }) => identity === 'modest').length, 1);
});

test('a router that dies is left for another one, by dials at once and by hosts when it stays away', {
  timeout,
}, async () => {
  await using on = await onNetwork({ routers: 2 });
  on.net.addService('echo');
  const host = await on.open('host', { timing: QUICK });
  const client = await on.open('client');
  await host.listen('echo', { onConnection: echo, maxTerminators: 1 });
  const [first] = on.net.terminators;
  assert.equal(on.net.terminators.length, 1);
  const used = on.net.routers.find(({ name }) => name === first?.router);
  (await client.dial('echo')).destroy();
  await used?.kill();
  await on.net.until(() => on.net.terminators.some(({ router }) => router !== first?.router));
  assert.equal(await echoed(await client.dial('echo'), 'over there'), 'over there');
  await used?.start();
  assert.equal(on.net.terminators.length, 1);
});

test('of several routers the nearest one carries the dials', { timeout }, async () => {
  await using on = await onNetwork({ routers: 2 });
  on.net.addService('echo');
  const host = await on.open('host');
  const [far, near] = on.net.routers;
  assert.ok(far && near);
  await host.listen('echo', { onConnection: echo });
  far.faults.delay(60);
  const client = await on.open('client', { timing: { exploreMs: 0 } });
  // The first dials take whoever answers, and look for the others meanwhile.
  const connections = [await client.dial('echo')];
  await on.net.until(() => channelsOf(on.net, 'client').every((count) => count === 1));
  const measured = (): boolean => client.status().routers.every(({ rttMs }) => rttMs !== undefined);
  while (!measured()) connections.push(await client.dial('echo'));
  connections.push(await client.dial('echo'), await client.dial('echo'));
  const circuits = on.net.circuits.slice(-2).map(({ dialerRouter }) => dialerRouter);
  assert.deepEqual(circuits, [near.name, near.name]);
});

test('no router can be reached: the error says which and why', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const client = await on.open('client');
  const [router] = on.net.routers;
  assert.ok(router);
  on.net.addService('nowhere', { routers: [] });
  await assert.rejects(client.dial('nowhere'), coded('no_edge_routers'));
  router.setListedOnline(true);
  await client.services();
  const session = client.dial('echo').catch(() => {});
  await session;
  await router.kill();
  await assert.rejects(client.dial('echo'), coded('router_unreachable', 'no_edge_routers'));
});

test('a router that is there and says nothing', { timeout }, async () => {
  await using on = await onNetwork({ routers: 2 });
  on.net.addService('echo');
  const host = await on.open('host');
  await host.listen('echo', { onConnection: echo, maxTerminators: 1 });
  const [used] = on.net.terminators;
  const mute = on.net.routers.find(({ name }) => name !== used?.router);
  mute?.faults.halfOpen(true);
  const client = await on.open('client', { timing: { openMs: 200 } });
  for (let n = 0; n < 3; n += 1) assert.equal(await echoed(await client.dial('echo'), 'x'), 'x');
});

test('channels that nobody uses are closed, and opened again when needed', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host');
  await host.listen('echo', { onConnection: echo });
  const client = await on.open('client', { timing: { idleMs: 20 } });
  const connection = await client.dial('echo');
  connection.end('last');
  assert.equal(String(await everything(connection)), 'last');
  await on.net.until(() => channelsOf(on.net, 'client')[0] === 0);
  while (client.status().routers[0]?.state !== 'idle') await turn();
  assert.equal(await echoed(await client.dial('echo'), 'again'), 'again');
});

test('a cut cable is a loss for every connection on it, with a reason, and the next dial works', {
  timeout,
}, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host');
  await host.listen('echo', { onConnection: echo });
  for (const how of ['cut', 'reset'] as const) {
    const client = await on.open(`client-${how}`);
    const connections = await Promise.all(Array.from({ length: 5 }, () => client.dial('echo')));
    const lost = connections.map((connection) => over(connection));
    const [channel] = on.net.routers[0]?.channels.filter(({ identity }) => identity === `client-${how}`) ?? [];
    channel?.[how]();
    for (const error of await Promise.all(lost)) {
      assert.ok(coded('connection_lost')(error), String(error));
      assert.match(String(error), /router-1/);
    }
    assert.equal(await echoed(await client.dial('echo'), 'again'), 'again');
  }
});

test('a dial whose channel is lost is tried once more', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { client } = await joined(on);
  const [router] = on.net.routers;
  let cuts = 0;
  router?.faults.drop((frame) => {
    if (frame.type !== EDGE_TYPES.connect || frame.direction !== 'from-client') return false;
    cuts += 1;
    if (cuts === 1) setImmediate(() => frame.channel.cut());
    return cuts === 1;
  });
  (await client.dial('echo')).destroy();
  assert.equal(cuts, 2);
});

test('closing a context ends connections, binds, channels and logins, whatever it was doing', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { client, host, dialled, accepted } = await joined(on);
  const ends = [over(dialled), over(accepted.resume())];
  const dialling = client.dial('echo').catch((error) => error);
  const listening = host.listen('echo', { onConnection: echo }).catch((error) => error);
  await Promise.all([client.close(), host.close(), client.close()]);
  assert.ok(coded('context_closed')((await Promise.all(ends))[0]));
  const outcomes = [await dialling, await listening];
  for (const outcome of outcomes) {
    if (outcome instanceof Error)
      assert.ok(
        coded('context_closed', 'controller_closed', 'listener_closed', 'connection_lost', 'aborted')(outcome),
        String(outcome),
      );
  }
  await on.net.until(() => on.net.terminators.length + on.net.circuits.length === 0);
  assert.deepEqual(channelsOf(on.net, 'client').concat(channelsOf(on.net, 'host')), [0, 0]);
  assert.deepEqual(on.net.apiSessions, []);
});

for (const version of ['v1.6.20', 'v2.0.3', 'v2.1.0']) {
  test(`routers that say they are ${version}: hosted, dialled, refused, bound again`, { timeout }, async () => {
    await using on = await onNetwork({ version });
    on.net.addService('echo');
    const host = await on.open('host', { timing: QUICK });
    const client = await on.open('client');
    await assert.rejects(client.dial('echo'), coded('service_not_hosted'));
    await host.listen('echo', { onConnection: echo });
    assert.equal(await echoed(await client.dial('echo'), 'x'), 'x');
    on.net.deleteServiceSessions({ type: 'Bind' });
    await on.net.until(() => on.net.terminators.length === 0);
    await on.net.until(() => on.net.terminators.length === 1);
    assert.equal(await echoed(await client.dial('echo'), 'y'), 'y');
  });
}
