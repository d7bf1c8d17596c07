// Our client and the C SDK, through the test network, in both roles.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ZitiContext, type ZitiContextOptions } from '../../src/context.ts';
import { enroll } from '../../src/enroll/enroll.ts';
import { parseIdentity } from '../../src/identity.ts';
import { startTestNetwork, type TestNetwork, type TestNetworkOptions } from '../../src/testing/index.ts';
import { coded } from '../streams.ts';
import { cDial, cHost, keepAwake, withoutCSdk } from '../testing/c-sdk/peer.ts';
import { comesBack, echoMessages } from './messages.ts';

const options = { timeout: 120_000, skip: withoutCSdk };
/** Of either role, at once. */
const CONNECTIONS = 20;
const BYTES = 100_000;

for (const encryption of [true, false]) {
  const kind = encryption ? 'an encrypted' : 'a plain';

  test(
    `we dial a C host over ${kind} service: ${CONNECTIONS} connections at once get their own bytes back`,
    options,
    async () => {
      await using rig = await network({}, encryption);
      await using _host = await cHost(rig.c, 'echo');
      const us = await rig.open();
      const back = async (): Promise<boolean> => {
        const connection = await us.dial('echo');
        assert.equal(connection.binding === null, !encryption);
        const equal = await comesBack(connection, BYTES);
        connection.destroy();
        return equal;
      };
      const all = await Promise.all(Array.from({ length: CONNECTIONS }, back));
      assert.deepEqual(
        all,
        Array.from({ length: CONNECTIONS }, () => true),
      );
    },
  );

  test(
    `C clients dial us over ${kind} service: ${CONNECTIONS} connections at once get their own bytes back`,
    options,
    async () => {
      await using rig = await network({}, encryption);
      const us = await rig.open();
      const callers: (string | undefined)[] = [];
      await us.listen('echo', {
        onConnection: (connection) => {
          callers.push(connection.remoteIdentity);
          void echoMessages(connection);
        },
      });
      await using dialer = cDial(rig.c, 'echo', { connections: CONNECTIONS, bytes: BYTES });
      assert.equal(await dialer.exited, 0, dialer.output);
      assert.deepEqual(
        callers,
        Array.from({ length: CONNECTIONS }, () => 'c'),
      );
    },
  );
}

test('megabytes go through both, in pieces of both sizes', options, async () => {
  await using rig = await network();
  const us = await rig.open();
  await using host = await cHost(rig.c, 'echo');
  const connection = await us.dial('echo');
  assert.ok(await comesBack(connection, 5_000_000));
  connection.destroy();
  await host.kill();
  await us.listen('echo', { onConnection: (accepted) => void echoMessages(accepted) });
  await using dialer = cDial(rig.c, 'echo', { connections: 2, bytes: 3_000_000 });
  assert.equal(await dialer.exited, 0, dialer.output);
});

test('we and C reach each other from router to router', options, async () => {
  await using rig = await network({ routers: 2 });
  const [first, second] = rig.net.routers;
  second?.setListedOnline(false);
  await using host = await cHost(rig.c, 'echo');
  second?.setListedOnline(true);
  first?.setListedOnline(false);
  const us = await rig.open();
  const connection = await us.dial('echo');
  assert.ok(await comesBack(connection, BYTES));
  const [circuit] = rig.net.circuits;
  assert.deepEqual([circuit?.dialerRouter, circuit?.hostRouter], ['router-2', 'router-1']);
  connection.destroy();
  await host.kill();
  await us.listen('echo', { onConnection: (accepted) => void echoMessages(accepted) });
  first?.setListedOnline(true);
  await using dialer = cDial(rig.c, 'echo', { connections: 3, bytes: BYTES });
  assert.equal(await dialer.exited, 0, dialer.output);
});

test('instance names and refusals mean the same to us and to C', options, async () => {
  await using rig = await network();
  const us = await rig.open();
  await using _host = await cHost(rig.c, 'echo', 'theirs');
  const connection = await us.dial('echo', { instance: 'theirs' });
  assert.ok(await comesBack(connection, 1000));
  connection.destroy();
  await assert.rejects(us.dial('echo', { instance: 'nobody' }), coded('dial_refused', 'service_not_hosted'));
  const admit = (): string => 'not you';
  await us.listen('echo', { onConnection: () => assert.fail('admitted'), admit, instance: 'ours' });
  await using dialer = cDial(rig.c, 'echo', { instance: 'ours' });
  assert.equal(await dialer.exited, 1);
  assert.match(dialer.output, /-23, 'connection is closed'/);
});

test('an identity that we enrolled is one for the C SDK, too', options, async () => {
  await using rig = await network();
  const folder = await mkdtemp(join(tmpdir(), 'enrolled-'));
  try {
    const { token } = rig.net.addEnrollment('fresh');
    const { identityFile } = await enroll(token, { out: join(folder, 'fresh.json') });
    const us = await rig.open();
    await us.listen('echo', { onConnection: (accepted) => void echoMessages(accepted) });
    await using dialer = cDial(identityFile, 'echo');
    assert.equal(await dialer.exited, 0, dialer.output);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a C host that is killed is a loss to us, not an end', options, async () => {
  await using rig = await network();
  await using host = await cHost(rig.c, 'echo');
  const us = await rig.open();
  const connection = await us.dial('echo', { closeMeans: 'error' });
  assert.ok(await comesBack(connection, 1000));
  const over = new Promise((resolve) => connection.once('close', () => resolve(connection.errored)));
  await host.kill();
  assert.ok(coded('connection_closed', 'connection_lost')(await over));
  await assert.rejects(us.dial('echo'), coded('service_not_hosted', 'dial_refused'));
});

interface Rig extends AsyncDisposable {
  readonly net: TestNetwork;
  /** Identity file of the C peer. */
  readonly c: string;
  /** Our context. */
  open(how?: ZitiContextOptions): Promise<ZitiContext>;
}

async function network(how: TestNetworkOptions = {}, encryption = true): Promise<Rig> {
  const net = await startTestNetwork(how);
  net.addService('echo', { encryption });
  const awake = keepAwake(net);
  const c = await net.identityFile(net.addIdentity('c'));
  const ours = parseIdentity(net.addIdentity('us').json);
  const contexts: ZitiContext[] = [];
  return {
    net,
    c,
    async open(own = {}) {
      const context = await ZitiContext.open(ours, own);
      contexts.push(context);
      return context;
    },
    async [Symbol.asyncDispose]() {
      awake[Symbol.dispose]();
      await Promise.all(contexts.map((context) => context.close()));
      await net.close();
    },
  };
}
