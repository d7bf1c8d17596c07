// Where only an administrator makes shares: the overlay says so, whatever is asked, and shows what it may use.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OverlayError } from '../../errors.ts';
import type { OverlayFactory } from '../compliance.ts';
import { coded } from '../connections.ts';
import { EDGE_TOKENS, echo, randomName } from './names.ts';
import { makeShare } from './setup.ts';

const timeout = 60_000;

export function refusingRules(factory: OverlayFactory): void {
  test('making and removing shares is refused, saying who can', { timeout }, async () => {
    await using net = await factory();
    const token = await makeShare(net);
    const refused = [
      net.overlay.createShare('my-own'),
      net.overlay.createShare(),
      net.overlay.deleteShare(token),
      net.overlay.listenEphemeral(echo),
    ];
    for (const one of await Promise.allSettled(refused)) {
      assert.equal(one.status, 'rejected');
      assert.ok(one.reason instanceof OverlayError);
      assert.equal(one.reason.code, 'not_permitted');
      assert.match(one.reason.hint ?? '', /administrator|exists/);
    }
    await assert.rejects(net.overlay.createShare(token), coded('share_exists'));
  });

  test('shares that were made are listed with what we may do, whatever they are called', { timeout }, async () => {
    await using net = await factory();
    const names = [...new Set([...EDGE_TOKENS, ...Array.from({ length: 30 }, randomName)])];
    for (const name of names) await net.administrator?.make(name);
    const listed = await net.other.listShares();
    assert.deepEqual(
      listed.map(({ token, persistent, may }) => [token, persistent, may]),
      [...names].sort().map((name) => [name, true, ['dial', 'host']]),
    );
  });

  test('a share that is removed is unknown from then on, and a new one of its name is another', {
    timeout,
  }, async () => {
    await using net = await factory();
    const token = await makeShare(net);
    const listener = await net.overlay.listen(token, echo);
    (await net.other.dial(token)).destroy();
    await net.administrator?.remove(token);
    await assert.rejects(net.other.dial(token), coded('share_unknown'));
    await listener.close();
    await makeShare(net, token);
    const again = await net.overlay.listen(token, echo);
    (await net.other.dial(token)).destroy();
    await again.close();
  });
}
