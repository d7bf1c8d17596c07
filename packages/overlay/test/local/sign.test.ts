import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ListenOptions } from '../../src/index.ts';
import { tempOverlay } from '../../src/testing/index.ts';

const timeout = 20_000;
const echo: ListenOptions = { onConnection: (connection) => void connection.pipe(connection) };

test('whoever waits for a share is told when it is hosted, each time, and not of others', { timeout }, async () => {
  await using net = await tempOverlay();
  for (const name of ['wanted', 'other']) await net.overlay.createShare(name);
  let told = 0;
  let wake: () => void = () => {};
  const end = net.overlay.onSign?.('wanted', () => {
    told += 1;
    wake();
  });
  // Until its watcher is there, a sign may be missed.
  for (let round = 0; round < 3; round += 1) {
    const before = told;
    while (told === before) {
      const heard = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const listener = await net.overlay.listen('wanted', echo);
      await Promise.race([heard, new Promise((resolve) => setTimeout(resolve, 500))]);
      (await net.overlay.dial('wanted')).destroy();
      await listener.close();
    }
  }
  const before = told;
  end?.();
  const listener = await net.overlay.listen('wanted', echo);
  await listener.close();
  assert.equal(told, before);
});

test('a sign of a share in a folder that is none is never given, and disturbs nobody', { timeout }, async () => {
  await using net = await tempOverlay();
  const end = net.overlay.onSign?.('nowhere', () => assert.fail('told of nothing'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  end?.();
});
