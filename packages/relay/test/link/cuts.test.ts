// Nothing lost, doubled or reordered, wherever and however often the connection is cut.

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { dialLink } from '../../src/link/dialer.ts';
import { LinkHost } from '../../src/link/host.ts';
import { type Cut, call, note, numbered, Recorder, SESSION, socketStage, stage, textOf, tracked } from './support.ts';

const LONG = process.env.TEST_LONG !== undefined;

/** The scripted exchange: calls that are answered, and messages of the host's own. Returns the bytes that passed. */
async function exchange(cuts: readonly Cut[]): Promise<{ there: number; back: number; breaks: number }> {
  const count = 6;
  const scene = stage({
    cuts,
    onLink: (link, recorder) => {
      recorder.onMessage = (message) => {
        link.send(note(`answer to ${textOf(message)}`));
        if (recorder.texts.length === 3) for (const text of numbered('own', 3)) link.send(note(text));
      };
    },
  });
  const dialer = scene.dial();
  const near = new Recorder(dialer);
  for (let n = 1; n <= count; n += 1) dialer.send(n % 2 ? call(n, `c${n}`) : note(`n${n}`));
  await near.upTo(count + 3);
  const sent = ['@1 c1', 'n2', '@3 c3', 'n4', '@5 c5', 'n6'];
  const answers = sent.map((text) => `answer to ${text}`);
  const expected = [...answers.slice(0, 3), ...numbered('own', 3), ...answers.slice(3)];
  const [first] = scene.connections;
  const facts = { there: first?.passed ?? 0, back: first?.other?.passed ?? 0, breaks: dialer.stats().breaks };
  await dialer.close();
  await scene.host.close();
  assert.deepEqual(near.texts, expected);
  // A link whose welcome was lost is opened again; only one was ever used.
  const used = scene.hosted.filter(({ recorder }) => recorder.texts.length > 0);
  assert.equal(used.length, 1);
  assert.deepEqual(used[0]?.recorder.texts, sent);
  assert.deepEqual(near.closedWith, { code: 'done', reason: 'session ended' });
  return facts;
}

for (const direction of ['there', 'back'] as const) {
  test(`a scripted exchange survives a cut after every byte ${direction}`, async () => {
    const whole = await exchange([]);
    assert.equal(whole.breaks, 0);
    assert.ok(whole[direction] > 400, `${whole[direction]} bytes passed`);
    for (let bytes = 0; bytes <= whole[direction]; bytes += 1) {
      const hows = LONG ? (['end', 'reset'] as const) : ([bytes % 2 ? 'end' : 'reset'] as const);
      for (const how of hows) await exchange([{ [direction]: bytes, how }]);
    }
  });
}

test('a scripted exchange survives arriving byte by byte', async () => {
  await exchange([{ pieceBytes: 1 }]);
});

test('a scripted exchange survives connections that each die a little later', async () => {
  const whole = await exchange([]);
  for (const [there, back] of [
    [200, undefined],
    [undefined, 200],
    [260, 230],
  ]) {
    const cuts: Cut[] = [];
    for (let more = 0; more < Math.max(whole.there, whole.back); more += 7) {
      cuts.push({ ...(there && { there: there + more }), ...(back && { back: back + more }), pieceBytes: 5 });
    }
    await exchange(cuts);
  }
});

type Act =
  | { act: 'send'; from: 'near' | 'far'; bytes: number }
  | { act: 'cut' | 'turn' | 'mend' }
  | { act: 'pause' | 'resume'; who: 'near' | 'far' };

const side = fc.constantFrom('near' as const, 'far' as const);
const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ act: fc.constant('send' as const), from: side, bytes: fc.integer({ min: 0, max: 3000 }) }),
    },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('cut' as const) }) },
    { weight: 3, arbitrary: fc.record({ act: fc.constant('turn' as const) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('mend' as const) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('pause' as const, 'resume' as const), who: side }) },
  ),
  { minLength: 5, maxLength: 60 },
);
const cutList: fc.Arbitrary<Cut[]> = fc.array(
  fc.record(
    {
      there: fc.integer({ min: 0, max: 4000 }),
      back: fc.integer({ min: 0, max: 4000 }),
      how: fc.constantFrom('end' as const, 'reset' as const),
      pieceBytes: fc.integer({ min: 1, max: 700 }),
    },
    { requiredKeys: ['how'] },
  ),
  { maxLength: 6 },
);

test('any order of sends, pauses and cuts delivers everything once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(acts, cutList, fc.boolean(), async (script, cuts, small) => {
      const limits = small ? { softQueueBytes: 2000, resendBytes: 6000, hardQueueBytes: 1e6 } : {};
      const scene = stage({ cuts, limits });
      const dialer = scene.dial();
      const near = new Recorder(dialer);
      await dialer.ready;
      // The first welcome may have been lost: the link that counts is the last one opened.
      const hosted = scene.hosted.at(-1);
      assert.ok(hosted);
      const { link, recorder: far } = hosted;
      const sent = { near: [] as string[], far: [] as string[] };
      for (const act of script) {
        const [end] = act.act === 'pause' || act.act === 'resume' ? [act.who === 'near' ? dialer : link] : [];
        if (act.act === 'send') {
          const text = `${sent[act.from].length} ${'x'.repeat(act.bytes)}`;
          sent[act.from].push(text);
          (act.from === 'near' ? dialer : link).send(note(text));
        } else if (act.act === 'cut') scene.connections.at(-1)?.die();
        else if (act.act === 'turn') await new Promise((resolve) => setImmediate(resolve));
        else if (act.act === 'mend') {
          while (dialer.stats().state !== 'up') await new Promise((resolve) => setTimeout(resolve, 1));
        } else if (act.act === 'pause') end?.pause();
        else end?.resume();
      }
      dialer.resume();
      link.resume();
      await Promise.all([near.upTo(sent.far.length), far.upTo(sent.near.length)]);
      assert.deepEqual(near.texts, sent.far);
      assert.deepEqual(far.texts, sent.near);
      await Promise.all([dialer.drained(), link.drained()]);
      await dialer.close();
      await scene.host.close();
      assert.deepEqual([near.texts.length, far.texts.length], [sent.far.length, sent.near.length]);
    }),
    { numRuns: LONG ? 20_000 : 120 },
  );
});

test('on real sockets, destroyed at random, everything arrives once and in order', async () => {
  const far = new Recorder();
  const host = new LinkHost({
    by: 'host/1',
    judge: () => ({ principal: { id: 'owner' } }),
    onLink: (link) => {
      far.listen(link);
      far.onMessage = (message) => link.send(note(`r ${textOf(message)}`));
    },
  });
  await using sockets = await socketStage(host);
  const dialed: Socket[] = [];
  const connect = async (): Promise<Socket> => {
    const socket = await sockets.connect();
    dialed.push(socket);
    return socket;
  };
  const dialer = tracked(dialLink({ connect, session: SESSION, by: 'dialer/1', backoff: { minMs: 0, maxMs: 2 } }));
  const near = new Recorder(dialer);
  await dialer.ready;
  const count = LONG ? 20_000 : 3000;
  let sent = 0;
  near.onMessage = () => {
    // One in fifty answers is followed by a cut, from either end in turn.
    if (near.texts.length % 50 === 0) (near.texts.length % 100 ? sockets.accepted : dialed).at(-1)?.destroy();
    if (sent < count) dialer.send(note(`m${++sent} ${'y'.repeat((sent * 37) % 5000)}`));
  };
  for (let n = 0; n < 32; n += 1) dialer.send(note(`m${++sent} `));
  await near.upTo(count);
  const strip = (texts: string[]): string[] => texts.map((text) => text.replace(/ y*$/, ''));
  assert.deepEqual(strip(far.texts), numbered('m', count));
  assert.deepEqual(strip(near.texts), numbered('r m', count));
  assert.ok(dialer.stats().breaks > 10);
  await dialer.close();
});
