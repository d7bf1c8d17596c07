// Each doubt is settled once, for all who wait, and nobody waits long.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Doubts } from '../../src/edge/doubts.ts';

test('without a doubt nobody is asked', async () => {
  const doubts = new Doubts(1000);
  assert.equal(await doubts.settle('a', () => assert.fail('asked')), false);
});

test('the first one asks, the others wait for the same answer, and it is over', async () => {
  const doubts = new Doubts(1000);
  doubts.raise('a');
  doubts.raise('a');
  let asked = 0;
  let answer = (): void => {};
  const ask = () =>
    new Promise<void>((resolve) => {
      asked += 1;
      answer = resolve;
    });
  const settling = [doubts.settle('a', ask), doubts.settle('a', ask), doubts.settle('b', ask)];
  answer();
  assert.deepEqual(await Promise.all(settling), [true, true, false]);
  assert.equal(asked, 1);
  assert.equal(await doubts.settle('a', ask), false);
});

test('an answer that is an error, or none, settles it, too', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const doubts = new Doubts(1000);
  doubts.raise('a');
  assert.equal(await doubts.settle('a', () => Promise.reject(new Error('down'))), true);
  doubts.raise('a');
  const waiting = doubts.settle('a', () => new Promise(() => {}));
  t.mock.timers.tick(1000);
  assert.equal(await waiting, true);
});
