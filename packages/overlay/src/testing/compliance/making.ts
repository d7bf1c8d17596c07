// What making and removing shares promises, where the overlay's user may: names, who is first, what stays and what goes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isShareToken } from '../../share-token.ts';
import type { OverlayFactory } from '../compliance.ts';
import { coded } from '../connections.ts';
import { spawnHost } from '../host-process.ts';
import { EDGE_TOKENS, echo, randomName } from './names.ts';

const timeout = 60_000;

export function makingRules(factory: OverlayFactory): void {
  test('good names are taken as they are, whatever they look like', { timeout }, async () => {
    await using net = await factory();
    const names = [...new Set([...EDGE_TOKENS, ...Array.from({ length: 30 }, randomName)])];
    for (const name of names) assert.equal((await net.overlay.createShare(name)).token, name);
    const listed = await net.other.listShares();
    assert.deepEqual(
      listed.map(({ token }) => token),
      [...names].sort(),
    );
  });

  test('a name is made once, and free again once it is deleted', { timeout }, async () => {
    await using net = await factory();
    await net.overlay.createShare('only-once');
    await assert.rejects(net.other.createShare('only-once'), coded('share_exists'));
    await net.other.deleteShare('only-once');
    await assert.rejects(net.overlay.dial('only-once'), coded('share_unknown'));
    await net.overlay.createShare('only-once');
  });

  test('of many that make one name at the same time one succeeds', { timeout }, async () => {
    await using net = await factory();
    const tries = Array.from({ length: 20 }, (_, i) => (i % 2 ? net.overlay : net.other).createShare('wanted'));
    const settled = await Promise.allSettled(tries);
    assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.ok(settled.every((one) => one.status === 'fulfilled' || coded('share_exists')(one.reason)));
  });

  test('names made for us are good and never alike', { timeout }, async () => {
    await using net = await factory();
    const made = await Promise.all(Array.from({ length: 20 }, () => net.overlay.createShare()));
    assert.equal(new Set(made.map(({ token }) => token)).size, 20);
    assert.ok(made.every(({ token, persistent }) => isShareToken(token) && persistent));
  });

  test('an ephemeral share is listed while it is hosted, and gone when it is closed', { timeout }, async () => {
    await using net = await factory();
    const listener = await net.overlay.listenEphemeral(echo);
    const listed = await net.other.listShares();
    assert.deepEqual(
      listed.map(({ token, persistent, hosted }) => [token, persistent, hosted !== false]),
      [[listener.share, false, true]],
    );
    await assert.rejects(net.other.listen(listener.share, echo), coded('share_in_use'));
    await assert.rejects(net.other.createShare(listener.share), coded('share_exists'));
    await listener.close();
    await assert.rejects(net.other.dial(listener.share), coded('share_unknown'));
    assert.deepEqual(await net.other.listShares(), []);
  });

  test('a persistent share keeps its token and its birthday over hosts', { timeout }, async () => {
    await using net = await factory();
    const made = await net.overlay.createShare('stays');
    for (const overlay of [net.overlay, net.other]) {
      const listener = await overlay.listen('stays', echo);
      await listener.close();
    }
    await net.overlay.close();
    const [listed] = await net.other.listShares();
    assert.deepEqual(
      [listed?.token, listed?.persistent, listed?.createdAt],
      ['stays', true, made.createdAt],
      'nothing about it changed',
    );
    assert.notEqual(listed?.hosted, true);
  });

  test('a hosted share cannot be deleted', { timeout }, async () => {
    await using net = await factory();
    const { token } = await net.overlay.createShare();
    const listener = await net.overlay.listen(token, echo);
    await assert.rejects(net.other.deleteShare(token), coded('share_in_use'));
    (await net.other.dial(token)).destroy();
    await listener.close();
    await net.other.deleteShare(token);
    assert.deepEqual(await net.other.listShares(), []);
  });

  test('a killed host of an ephemeral share: not hosted, then swept away by whoever looks', { timeout }, async () => {
    await using net = await factory();
    await using host = await spawnHost(net.env, net.overlay.kind);
    const [listed] = await net.overlay.listShares();
    assert.equal(listed?.token, host.share);
    await host.kill();
    await assert.rejects(net.overlay.dial(host.share), coded('share_not_hosted', 'share_unknown'));
    assert.deepEqual(await net.overlay.listShares(), []);
    await assert.rejects(net.overlay.dial(host.share), coded('share_unknown'));
  });
}
