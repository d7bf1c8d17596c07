// What sessions of one seat share, and when it ends.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Lives } from '../../src/backend/lives.ts';

function lives(lingerMs: number) {
  const closed: number[] = [];
  let made = 0;
  let tell: (() => void) | undefined;
  const all = new Lives<number>({
    make: () => ++made,
    close: async (value) => {
      closed.push(value);
      tell?.();
    },
    lingerMs,
  });
  const next = (): Promise<void> => new Promise((resolve) => (tell = resolve));
  return { all, closed, next };
}

test('one seat has one life, another has another', () => {
  const { all } = lives(1);
  const session = new AbortController();
  assert.equal(all.enter('a', session.signal), 1);
  assert.equal(all.enter('a', new AbortController().signal), 1);
  assert.equal(all.enter('b', session.signal), 2);
  assert.equal(all.size, 2);
});

test('it ends a while after the last session, and is made anew for the next', async () => {
  const { all, closed, next } = lives(1);
  const [one, two] = [new AbortController(), new AbortController()];
  all.enter('a', one.signal);
  all.enter('a', one.signal);
  all.enter('a', two.signal);
  one.abort();
  assert.equal(all.enter('a', two.signal), 1);
  const gone = next();
  const hold = setTimeout(() => {}, 10_000);
  two.abort();
  await gone;
  clearTimeout(hold);
  assert.deepEqual(closed, [1]);
  assert.equal(all.enter('a', new AbortController().signal), 2);
});

test('a session that comes back meanwhile finds it', async () => {
  const { all, closed } = lives(60_000);
  const one = new AbortController();
  all.enter('a', one.signal);
  one.abort();
  assert.equal(all.enter('a', new AbortController().signal), 1);
  assert.deepEqual(closed, []);
  await all.close();
  assert.deepEqual(closed, [1]);
});

test('a session that is over already holds nothing', async () => {
  const { all, closed, next } = lives(1);
  const gone = next();
  const hold = setTimeout(() => {}, 10_000);
  all.enter('a', AbortSignal.abort());
  await gone;
  clearTimeout(hold);
  assert.deepEqual(closed, [1]);
});

test('the shared seat stays until the end; then nothing is made any more', async () => {
  const { all, closed } = lives(1);
  const one = new AbortController();
  all.enter('', one.signal);
  one.abort();
  assert.equal(all.enter('', new AbortController().signal), 1);
  await all.close();
  assert.deepEqual(closed, [1]);
  assert.throws(() => all.enter('', new AbortController().signal), /ending/);
});
