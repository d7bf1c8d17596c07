// A client that we did not write, through the test network: the C SDK dials and hosts, alone and many at once, near and far.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestNetwork, type TestNetwork, type TestNetworkOptions } from '../../src/testing/index.ts';
import { cDial, cHost, keepAwake, withoutCSdk } from './c-sdk/peer.ts';

const options = { timeout: 120_000, skip: withoutCSdk };

for (const encryption of [true, false]) {
  test(`a C client and a C host talk over ${encryption ? 'an encrypted' : 'a plain'} service`, options, async () => {
    await using net = await network({}, { encryption });
    await using host = await cHost(net.host, 'echo');
    await using dialer = cDial(net.dialer, 'echo');
    assert.equal(await dialer.exited, 0, dialer.output);
    assert.match(dialer.output, /^equal 1$/m);
    await net.until(() => net.circuits.length === 0);
    await host.kill();
    await net.until(() => net.terminators.length === 0);
  });
}

test('twenty C connections at once carry 100 kB each, and get their own bytes back', options, async () => {
  await using net = await network();
  using _awake = keepAwake(net);
  await using _host = await cHost(net.host, 'echo');
  await using dialer = cDial(net.dialer, 'echo', { connections: 20, bytes: 100_000 });
  assert.equal(await dialer.exited, 0, dialer.output);
});

test('a C client reaches a C host on another router', options, async () => {
  await using net = await network({ routers: 2 });
  using _awake = keepAwake(net);
  const [near, far] = net.routers;
  // Each is allowed to see one router only, so that the circuit has to go over both.
  far?.setListedOnline(false);
  await using _host = await cHost(net.host, 'echo');
  far?.setListedOnline(true);
  near?.setListedOnline(false);
  const seen: string[] = [];
  near?.onFrame(({ channel }) => void seen.push(`${channel.identity} near`));
  far?.onFrame(({ channel }) => void seen.push(`${channel.identity} far`));
  await using dialer = cDial(net.dialer, 'echo', { connections: 3, bytes: 300_000 });
  assert.equal(await dialer.exited, 0, dialer.output);
  assert.deepEqual([...new Set(seen)].sort(), ['dialer far', 'host near', 'undefined far']);
});

test('C clients find instances by name, and only those', options, async () => {
  await using net = await network();
  await using _one = await cHost(net.host, 'echo', 'one');
  await using found = cDial(net.dialer, 'echo', { instance: 'one' });
  assert.equal(await found.exited, 0, found.output);
  await using lost = cDial(net.dialer, 'echo', { instance: 'two' });
  assert.equal(await lost.exited, 1);
  assert.match(lost.output, /-23, 'connection is closed'/);
  assert.equal(net.terminators[0]?.instance, 'one');
});

test('C clients are refused as by a real network', options, async () => {
  await using net = await network();
  await using noHost = cDial(net.dialer, 'echo');
  assert.equal(await noHost.exited, 1);
  assert.match(noHost.output, /-23, 'connection is closed'/);
  await using noService = cDial(net.dialer, 'other');
  assert.equal(await noService.exited, 1);
  assert.match(noService.output, /-17, 'Service not available'/);
  net.setPermissions('echo', { bind: [] });
  await assert.rejects(cHost(net.host, 'echo'), /-34/);
});

test('the frames of a C client survive every split of the writes to it', options, async () => {
  await using net = await network();
  await using _host = await cHost(net.host, 'echo');
  for (const splitBytes of [1, 7, 19, 4096]) {
    net.routers[0]?.faults.writes({ splitBytes });
    await using dialer = cDial(net.dialer, 'echo', { connections: 2, bytes: 2000 });
    assert.equal(await dialer.exited, 0, `${splitBytes}: ${dialer.output}`);
  }
  net.routers[0]?.faults.writes({ joinMs: 20 });
  await using dialer = cDial(net.dialer, 'echo', { connections: 4, bytes: 50_000 });
  assert.equal(await dialer.exited, 0, dialer.output);
});

interface Rig
  extends AsyncDisposable,
    Pick<TestNetwork, 'routers' | 'circuits' | 'terminators' | 'until' | 'setPermissions'> {
  readonly host: string;
  readonly dialer: string;
}

async function network(network: TestNetworkOptions = {}, service: { encryption?: boolean } = {}): Promise<Rig> {
  const net = await startTestNetwork(network);
  net.addService('echo', service);
  const host = await net.identityFile(net.addIdentity('host'));
  const dialer = await net.identityFile(net.addIdentity('dialer'));
  return Object.assign(net, { host, dialer });
}
