// What shares promise: names, who may host, what stays and what goes.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import type { ListenOptions } from '../../overlay.ts';
import { isShareToken } from '../../share-token.ts';
import type { OverlayFactory } from '../compliance.ts';
import { atLeast, coded, joined } from '../connections.ts';

const timeout = 60_000;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789-';
const FOREIGN = ['A', '_', '.', '/', '\\', ' ', '\0', '\n', ':', '~', '%', 'é', 'ß', '٣', '😀', '\u202e'];
const NOT_TOKENS = [
  '',
  'a',
  'ab',
  'a'.repeat(33),
  '..',
  '../',
  '../../etc/passwd',
  'abc\n',
  ' abc',
  'abc ',
  'ABC',
  'a/b/c',
];
const EDGE_TOKENS = ['abc', '---', '000', 'a'.repeat(32), '-ab', 'ab-', '0x0', 'constructor', '--help'];

const echo: ListenOptions = { onConnection: (connection) => void connection.pipe(connection) };

export function shareRules(factory: OverlayFactory): void {
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
      assert.match(error.hint ?? '', /mcp-tools create never-made/);
      return true;
    });
  });

  test('a share nobody hosts now is told apart from an unknown one', { timeout }, async () => {
    await using net = await factory();
    const { token } = await net.overlay.createShare('made-once');
    await assert.rejects(net.other.dial(token), coded('share_not_hosted'));
    const listener = await net.overlay.listen(token, echo);
    (await net.other.dial(token)).destroy();
    await listener.close();
    await assert.rejects(net.other.dial(token), coded('share_not_hosted'));
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

  test('two hosts of one name: the second is refused, and may when the first is gone', { timeout }, async () => {
    await using net = await factory();
    const { token } = await net.overlay.createShare();
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
    const { token } = await net.overlay.createShare();
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

  test('connections outlive their listener, and closing twice is closing once', { timeout }, async () => {
    await using net = await factory();
    await using pair = await joined(net.overlay, net.other);
    await Promise.all([pair.listener.close(), pair.listener.close()]);
    await pair.listener.close();
    pair.dialer.write('still here');
    assert.equal(String(await atLeast(pair.host, 10)), 'still here');
  });

  test('a closed overlay hosts nothing, and says that it is closed', { timeout }, async () => {
    await using net = await factory();
    const { token } = await net.overlay.createShare();
    const [ephemeral] = await Promise.all([net.overlay.listenEphemeral(echo), net.overlay.listen(token, echo)]);
    await Promise.all([net.overlay.close(), net.overlay.close()]);
    await assert.rejects(net.other.dial(ephemeral.share), coded('share_unknown'));
    await assert.rejects(net.other.dial(token), coded('share_not_hosted'));
    await assert.rejects(net.overlay.dial(token), coded('overlay_unavailable'));
    await assert.rejects(net.overlay.listen(token, echo), coded('overlay_unavailable'));
    await ephemeral.close();
    await net.overlay.close();
  });
}

function randomName(): string {
  return Array.from({ length: randomInt(3, 33) }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}
