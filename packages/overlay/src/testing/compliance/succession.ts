// What taking a share over promises: at every moment somebody answers, first the one and then the other; connections of the
// first live on; and who agreed to lose a share has it again when the other came to nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection, Overlay } from '../../overlay.ts';
import type { OverlayFactory } from '../compliance.ts';
import { atLeast, coded } from '../connections.ts';
import { hostNew, makeShare } from './setup.ts';

const timeout = 60_000;

/** `gapless`: no dial fails; else one that fails is answered when it is made again. */
export function successionRules(factory: OverlayFactory, { gapless }: { readonly gapless: boolean }): void {
  test('a share is taken over: whoever dials meanwhile is answered, by one of the two', { timeout }, async () => {
    await using net = await factory();
    const token = await makeShare(net);
    const first = await net.overlay.listen(token, saying('1'));
    const before = await net.other.dial(token);
    assert.equal(await heard(before), '1');
    let over = false;
    const answers: string[] = [];
    const dialling = (async (): Promise<void> => {
      while (!over) {
        const answer = answerOf(net.other, token);
        answers.push(await (gapless ? answer : answer.catch(() => answerOf(net.other, token))));
      }
    })();
    first.yield();
    const second = await net.other.listen(token, { ...saying('2'), takeOver: true });
    await first.close();
    over = true;
    await dialling;
    assert.equal(await answerOf(net.other, token), '2');
    assert.ok(answers.length > 0 && answers.every((answer) => answer === '1' || answer === '2'), String(answers));
    before.write('x');
    assert.equal(await heard(before), '1', 'it belongs to the first, which lives on');
    before.destroy();
    await assert.rejects(net.overlay.listen(token, saying('3')), coded('share_in_use'));
    await second.close();
    await assert.rejects(net.other.dial(token), coded('share_not_hosted'));
  });

  test('a successor that fails leaves the share where it was', { timeout }, async () => {
    await using net = await factory();
    const token = await makeShare(net);
    const first = await net.overlay.listen(token, saying('1'));
    const yielding = first.yield();
    const second = await net.other.listen(token, { ...saying('2'), takeOver: true });
    await second.close();
    await yielding.takeBack();
    await yielding.takeBack();
    assert.equal(await answerOf(net.other, token), '1');
    await assert.rejects(net.other.listen(token, saying('3')), coded('share_in_use'));
    await first.close();
    await assert.rejects(net.other.dial(token), coded('share_not_hosted'));
  });

  test('of a share that nobody hosts any more, taking over is hosting', { timeout }, async () => {
    await using net = await factory();
    const token = await makeShare(net);
    const listener = await net.other.listen(token, { ...saying('2'), takeOver: true });
    assert.equal(await answerOf(net.overlay, token), '2');
    await assert.rejects(net.overlay.listen(token, saying('3')), coded('share_in_use'));
    await listener.close();
  });

  test('a share that ends with its host is not handed over', { timeout }, async (t) => {
    await using net = await factory();
    if (net.administrator) return t.skip('such shares are made by administrators only, and stay');
    const listener = await hostNew(net, net.overlay, saying('1'));
    assert.throws(() => listener.yield(), coded('not_permitted'));
    await listener.close();
  });
}

/** Says who it is, and again for each byte. */
function saying(word: string) {
  return {
    onConnection: (connection: Connection): void => {
      connection.on('error', () => {});
      connection.write(word);
      connection.on('data', () => connection.write(word));
    },
  };
}

async function heard(connection: Connection): Promise<string> {
  const said = atLeast(connection, 1);
  connection.resume();
  return String(await said);
}

async function answerOf(overlay: Overlay, token: string): Promise<string> {
  const connection = await overlay.dial(token);
  connection.on('error', () => {});
  try {
    return await heard(connection);
  } finally {
    connection.destroy();
  }
}
