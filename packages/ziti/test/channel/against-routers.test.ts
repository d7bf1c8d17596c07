// Our channel and the routers of the test network, whose frames come from an encoder of its own: each checks the other.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { Channel } from '../../src/channel/channel.ts';
import { Headers } from '../../src/channel/headers.ts';
import type { Message } from '../../src/channel/message.ts';
import { type OpenChannelOptions, openChannel } from '../../src/channel/open-channel.ts';
import { createController } from '../../src/controller/controller.ts';
import { parseIdentity } from '../../src/identity.ts';
import { startTestNetwork, type TestNetwork, type TestNetworkOptions } from '../../src/testing/index.ts';
import type { ObservedFrame, TestChannel, TestRouter } from '../../src/testing/types.ts';
import { manualClock } from '../manual-clock.ts';

interface Joined extends AsyncDisposable {
  readonly net: TestNetwork;
  readonly router: TestRouter;
  open(scheme: 'tls' | 'wss', options?: Partial<OpenChannelOptions>): Promise<{ channel: Channel; there: TestChannel }>;
}

async function joined(options: TestNetworkOptions = {}): Promise<Joined> {
  const net = await startTestNetwork({ wss: true, ...options });
  const identity = parseIdentity(net.addIdentity('client').json);
  const controller = createController(identity, {});
  const { token } = await controller.apiSession();
  const [router] = net.routers;
  assert.ok(router);
  return {
    net,
    router,
    async open(scheme, how = {}) {
      const url = router.urls[scheme] ?? '';
      const channel = await openChannel({ url, identity, token, timeoutMs: 5000, ...how });
      const there = router.channels.at(-1);
      assert.ok(there);
      return { channel, there };
    },
    async [Symbol.asyncDispose]() {
      await controller.close();
      await net.close();
    },
  };
}

const TYPE = 61_000;

for (const scheme of ['tls', 'wss'] as const) {
  test(`${scheme}: a login's token opens a channel, probes are answered`, async () => {
    await using it = await joined();
    const { channel, there } = await it.open(scheme);
    assert.deepEqual([there.underlay, channel.routerId], [scheme, it.router.id]);
    assert.deepEqual(channel.routerVersion, { major: 1, minor: 6, patch: 0 });
    channel.onMessage = () => {};
    await it.net.until(() => there.identity === 'client');
    while (channel.rttMs === undefined) await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await channel.close()).by, 'us');
    await it.net.until(() => it.router.channels.length === 0);
  });

  test(`${scheme}: what one side says is what the other hears, however the network cuts and joins it`, async () => {
    await using it = await joined();
    for (const shape of [undefined, { splitBytes: 1 }, { splitBytes: 7 }, { joinMs: 5 }]) {
      const { channel, there } = await it.open(scheme);
      there.faults.writes(shape);
      const heard: Message[] = [];
      const count = shape?.splitBytes === 1 ? 20 : 200;
      const all = new Promise<void>((resolve) => {
        channel.onMessage = (message) => heard.push(message) === count && resolve();
      });
      const bodies = Array.from({ length: count }, (_, index) => randomBytes((index * 37) % 400));
      for (const [index, body] of bodies.entries()) there.send(TYPE + index, { 1000: index, 1026: `c/${index}` }, body);
      await all;
      for (const [index, message] of heard.entries()) {
        assert.equal(message.type, TYPE + index);
        assert.deepEqual([message.headers.u32(1000), message.headers.string(1026)], [index, `c/${index}`]);
        assert.ok(bodies[index]?.equals(message.body));
      }
      await channel.close();
    }
  });

  test(`${scheme}: frames of ours are read by the router as they were meant`, async () => {
    await using it = await joined();
    const seen: ObservedFrame[] = [];
    const stop = it.router.onFrame((frame) => frame.direction === 'from-client' && seen.push(frame));
    const { channel } = await it.open(scheme);
    const headers = new Headers().setU32(1000, 7).setU16(1004, 9).setBool(1023, true).setString(1021, 'é');
    const body = randomBytes(100_000);
    const sequences = [channel.send(TYPE, headers, body), channel.send(TYPE + 1, new Headers())];
    while (!seen.some(({ type }) => type === TYPE + 1)) await new Promise((resolve) => setImmediate(resolve));
    stop();
    const [one, two] = seen.filter(({ type }) => type >= TYPE);
    assert.ok(one && two && one.body.equals(body));
    assert.deepEqual([one.sequence, two.sequence], sequences);
    const values = [...one.headers].map(([key, value]) => [key, value.toString('hex')]);
    assert.deepEqual(Object.fromEntries(values), { 1000: '07000000', 1004: '0900', 1021: 'c3a9', 1023: '01' });
    await channel.close();
  });

  test(`${scheme}: a token that the router does not accept shows as an end without a message`, async () => {
    await using it = await joined({ timing: { badTokenMs: 50 } });
    const { channel } = await it.open(scheme, { token: 'of-nobody' });
    channel.onMessage = () => {};
    const { by, error, received, ageMs } = await channel.closed;
    assert.deepEqual([by, error.code, received], ['router', 'channel_closed', 0]);
    assert.ok(ageMs < 5000);
  });

  test(`${scheme}: bytes that are no frame, a reset, a kill, a router that only seems to be there`, async () => {
    await using it = await joined();
    for (const [fault, code] of [
      [(there: TestChannel) => there.sendRaw(Buffer.from('no frame at all, none')), /^frame_bad_magic$/],
      [(there: TestChannel) => there.reset(), /^channel_(lost|closed)$/],
      [(there: TestChannel) => there.cut(), /^channel_(lost|closed)$/],
      [() => void it.router.kill(), /^channel_(lost|closed)$/],
    ] as const) {
      if (!it.router.running) await it.router.start();
      const { channel, there } = await it.open(scheme);
      channel.onMessage = () => {};
      fault(there);
      assert.match((await channel.closed).error.code, code);
    }
    await it.router.start();
    const clock = manualClock();
    const { channel, there } = await it.open(scheme, { clock });
    channel.onMessage = () => {};
    while (channel.rttMs === undefined) await new Promise((resolve) => setImmediate(resolve));
    there.faults.halfOpen(true);
    await clock.advance(41_000);
    assert.equal((await channel.closed).error.code, 'channel_silent');
  });
}
