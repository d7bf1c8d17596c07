// What shares promise: names, who may host, what stays and what goes.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import type { OverlayFactory } from '../compliance.ts';
import { atLeast, coded } from '../connections.ts';
import { echo, FOREIGN, NOT_TOKENS, randomName } from './names.ts';
import { hostNew, joinedIn, makeShare } from './setup.ts';

const timeout = 60_000;
export function shareRules(factory: OverlayFactory): void {
  test('bad names are refused by every operation, and make nothing', { timeout }, async () => {
    await using net = await factory();
    const spoilt = Array.from({ length: 100 }, () => {
      const name = randomName();
      const at = randomInt(name.length + 1);
      return name.slice(0, at) + FOREIGN[randomInt(FOREIGN.length)] + name.slice(at);
    });
    for (const name of [...NOT_TOKENS, ...spoilt]) {
      await assert.rejects(net.overlay.createShare(name), coded('bad_token'), JSON.stringify(name));
      await assert.rejects(net.overlay.deleteShare(name), coded('bad_token'));
      await assert.rejects(net.overlay.listen(name, echo), coded('bad_token'));
      await assert.rejects(net.overlay.dial(name), coded('bad_token'));
    }
    assert.deepEqual(await net.overlay.listShares(), []);
  });

  test('a share nobody made is unknown to every operation', { timeout }, async () => {
    await using net = await factory();
    await assert.rejects(net.overlay.dial('never-made'), coded('share_unknown'));
    await assert.rejects(net.overlay.deleteShare('never-made'), coded('share_unknown'));
    await assert.rejects(net.overlay.listen('never-made', echo), (error: { hint?: string; message?: string }) => {
      assert.ok(coded('share_unknown')(error));
      assert.match(error.message ?? '', /never-made/);
      assert.match(error.hint ?? '', /(?:mcp-tools create|edge create service) never-made/);
      return true;
    });
  });

  test('a share nobody hosts now is told apart from an unknown one', { timeout }, async () => {
    await using net = await factory();
    const token = await makeShare(net, 'made-once');
    await assert.rejects(net.other.dial(token), coded('share_not_hosted'));
    const listener = await net.overlay.listen(token, echo);
    (await net.other.dial(token)).destroy();
    await listener.close();
    await assert.rejects(net.other.dial(token), coded('share_not_hosted'));
  });

  test('two hosts of one name: the second is refused, and may when the first is gone', { timeout }, async () => {
    await using net = await factory();
    const token = await makeShare(net);
    const first = await net.overlay.listen(token, echo);
    await assert.rejects(net.other.listen(token, echo), coded('share_in_use'));
    await assert.rejects(net.overlay.listen(token, echo), coded('share_in_use'));
    const connection = await net.other.dial(token);
    connection.write('x');
    assert.equal(String(await atLeast(connection, 1)), 'x');
    connection.destroy();
    await first.close();
    const second = await net.other.listen(token, echo);
    (await net.overlay.dial(token)).destroy();
    await second.close();
  });

  test('of many that host one name at the same time one succeeds', { timeout }, async () => {
    await using net = await factory();
    const token = await makeShare(net);
    for (let round = 0; round < 5; round += 1) {
      const tries = Array.from({ length: 8 }, (_, i) => (i % 2 ? net.overlay : net.other).listen(token, echo));
      const settled = await Promise.allSettled(tries);
      const winners = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      assert.equal(winners.length, 1);
      assert.ok(settled.every((one) => one.status === 'fulfilled' || coded('share_in_use')(one.reason)));
      (await net.other.dial(token)).destroy();
      await winners[0]?.close();
    }
  });

  test('connections outlive their listener, and closing twice is closing once', { timeout }, async () => {
    await using net = await factory();
    await using pair = await joinedIn(net);
    await Promise.all([pair.listener.close(), pair.listener.close()]);
    await pair.listener.close();
    pair.dialer.write('still here');
    assert.equal(String(await atLeast(pair.host, 10)), 'still here');
  });

  test('a closed overlay hosts nothing, and says that it is closed', { timeout }, async () => {
    await using net = await factory();
    const token = await makeShare(net);
    const [other] = await Promise.all([hostNew(net, net.overlay, echo), net.overlay.listen(token, echo)]);
    await Promise.all([net.overlay.close(), net.overlay.close()]);
    // An ephemeral one is gone with its host.
    await assert.rejects(net.other.dial(other.share), coded(net.administrator ? 'share_not_hosted' : 'share_unknown'));
    await assert.rejects(net.other.dial(token), coded('share_not_hosted'));
    await assert.rejects(net.overlay.dial(token), coded('overlay_unavailable'));
    await assert.rejects(net.overlay.listen(token, echo), coded('overlay_unavailable'));
    await other.close();
    await net.overlay.close();
  });
}
