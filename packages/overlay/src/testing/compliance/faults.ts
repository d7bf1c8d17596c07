// What happens when hosts die, freeze or leave while they are dialled: an answer with a reason, always, and soon.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Connection } from '../../overlay.ts';
import type { OverlayFactory } from '../compliance.ts';
import { atLeast, coded, over } from '../connections.ts';
import { spawnHost } from '../host-process.ts';
import { echo } from './names.ts';
import { hostNew, makeShare } from './setup.ts';

const timeout = 60_000;

export function faultRules(factory: OverlayFactory): void {
  test('a killed host: its connections break, and its share can be hosted again at once', { timeout }, async () => {
    await using net = await factory();
    const token = await makeShare(net);
    await using host = await spawnHost(net.env, net.overlay.kind, token);
    const connection = await net.overlay.dial(token);
    connection.write('x');
    await atLeast(connection, 1);
    const broken = over(connection);
    connection.resume();
    await host.kill();
    assert.ok(coded('connection_lost', 'connection_aborted')(await broken), String(await broken));
    await assert.rejects(net.overlay.dial(token), coded('share_not_hosted'));
    const successor = await net.other.listen(token, echo);
    (await net.overlay.dial(token)).destroy();
    await successor.close();
  });

  test('a frozen host: dialling ends in time, or when its caller says so', { timeout }, async () => {
    await using net = await factory();
    const token = await makeShare(net);
    await using host = await spawnHost(net.env, net.overlay.kind, token);
    host.freeze();
    await assert.rejects(net.overlay.dial(token, { timeoutMs: 200 }), coded('dial_timeout'));
    const caller = new AbortController();
    const dialling = net.overlay.dial(token, { signal: caller.signal });
    setTimeout(() => caller.abort(), 50);
    await assert.rejects(dialling, coded('dial_aborted'));
    await assert.rejects(net.other.listen(token, echo), coded('share_in_use'), 'frozen is not dead');
    host.thaw();
    (await net.overlay.dial(token)).destroy();
    await host.end();
    await assert.rejects(net.overlay.dial(token), coded('share_not_hosted'));
  });

  test('a dial whose caller gave up before it began is aborted', { timeout }, async () => {
    await using net = await factory();
    const listener = await hostNew(net, net.overlay, echo);
    await assert.rejects(net.other.dial(listener.share, { signal: AbortSignal.abort() }), coded('dial_aborted'));
    const late = new AbortController();
    const connection = await net.other.dial(listener.share, { signal: late.signal });
    late.abort();
    await turn();
    assert.equal(connection.destroyed, false, 'the signal is about dialling, not about the connection');
    connection.destroy();
    await listener.close();
  });

  test('a listener closed while it is dialled: every dial ends, with a connection or a reason', {
    timeout,
  }, async () => {
    await using net = await factory();
    const token = await makeShare(net);
    for (let round = 0; round < 20; round += 1) {
      const accepted: Connection[] = [];
      const listener = await net.overlay.listen(token, { onConnection: (connection) => accepted.push(connection) });
      const dials = Array.from({ length: 20 }, () => net.other.dial(token));
      // Each round closes a little later in the course of the dials.
      for (let i = 0; i < round; i += 1) await turn();
      const closed = listener.close();
      const settled = await Promise.allSettled(dials);
      await closed;
      const atClose = accepted.length;
      for (const one of settled) {
        if (one.status === 'fulfilled') one.value.destroy();
        else assert.ok(coded('share_not_hosted')(one.reason), String(one.reason));
      }
      await turn();
      assert.equal(accepted.length, atClose, 'nobody comes in after the close');
      for (const connection of accepted) connection.destroy();
    }
  });
}
