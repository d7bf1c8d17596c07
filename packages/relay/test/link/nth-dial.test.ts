// A scripted exchange in which one dial fails, the first, the second …, in each way that a dial can fail: it is refused, it
// leads to somebody who hangs up at once, or to one who hangs up in the middle of his first line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, duplexPair, note, Recorder, stage, textOf } from './support.ts';

const MESSAGES = 8;
/** Each connection carries so little that there have to be many. */
const BYTES = 700;

/** Resolves with how many dials it took. */
async function exchange(failing: number, how: 'refused' | 'hung up' | 'half a line'): Promise<number> {
  const scene = stage({
    onLink: (link, recorder) => {
      recorder.onMessage = (message) => link.send(note(`answer to ${textOf(message)}`));
    },
  });
  let dials = 0;
  const dialer = scene.dial({
    connect: async () => {
      dials += 1;
      if (dials === failing && how === 'refused') throw new Error('nobody there');
      const cut = dials === failing ? { there: 1e6, back: how === 'hung up' ? 0 : 20 } : { there: BYTES, back: BYTES };
      const [near, far] = duplexPair(cut);
      if (dials === failing && how === 'hung up') setImmediate(() => near.die());
      scene.host.accept(far);
      return near;
    },
  });
  const near = new Recorder(dialer);
  const texts = Array.from({ length: MESSAGES }, (_, n) => `m${n} ${'x'.repeat(100)}`);
  for (const [n, text] of texts.entries()) dialer.send(n % 2 === 0 ? note(text) : call(n, text));
  await near.upTo(MESSAGES);
  await dialer.close();
  await scene.host.close();
  const sent = texts.map((text, n) => (n % 2 === 0 ? text : `@${n} ${text}`));
  assert.deepEqual(
    near.texts,
    sent.map((text) => `answer to ${text}`),
  );
  // A link whose welcome was lost is opened again; only one was ever used.
  const used = scene.hosted.filter(({ recorder }) => recorder.texts.length > 0);
  assert.equal(used.length, 1);
  assert.deepEqual(used[0]?.recorder.texts, sent);
  return dials;
}

for (const how of ['refused', 'hung up', 'half a line'] as const) {
  test(`the nth dial is ${how}, for each n: everything arrives once and in order`, { timeout: 30_000 }, async () => {
    const whole = await exchange(0, how);
    assert.ok(whole >= 3, `${whole} dials`);
    for (let failing = 1; failing <= whole + 1; failing += 1) {
      const dials = await exchange(failing, how);
      assert.ok(dials >= whole, `${dials} dials`);
    }
  });
}
