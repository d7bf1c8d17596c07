// Pieces of what is sent, frames of several messages, pauses, deadlines.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadline } from '../../src/edge/deadline.ts';
import { splitMultipart } from '../../src/edge/multipart.ts';
import { OutPieces, PIECE_BYTES } from '../../src/edge/out-pieces.ts';
import { backoffMs, Pause } from '../../src/edge/retry.ts';
import { coded } from '../streams.ts';

test('pieces are what was added, in order, none empty, none too large, and all but the last are full', () => {
  const sizes = fc.array(fc.oneof(fc.nat(50), fc.nat(3 * PIECE_BYTES)), { maxLength: 30 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 9 }), (lengths, batch) => {
      const out = new OutPieces();
      const added: Buffer[] = [];
      const taken: Uint8Array[] = [];
      for (const [n, length] of lengths.entries()) {
        const chunk = Buffer.alloc(length, n + 1);
        added.push(chunk);
        out.add(chunk);
        if (n % batch !== 0) continue;
        const group: number[] = [];
        while (!out.empty) {
          const piece = out.take();
          assert.ok(piece.length > 0 && piece.length <= PIECE_BYTES);
          group.push(piece.length);
          taken.push(piece);
        }
        assert.ok(group.slice(0, -1).every((size) => size === PIECE_BYTES));
      }
      while (!out.empty) taken.push(out.take());
      assert.ok(Buffer.concat(taken).equals(Buffer.concat(added)));
    }),
  );
});

test('a frame of several messages is the messages, whatever their lengths', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (messages) => {
      const frame = Buffer.concat(
        messages.flatMap((message) => [Buffer.from(Uint16Array.of(message.length).buffer), message]),
      );
      const parts = splitMultipart(frame);
      assert.deepEqual(
        parts.map((part) => [...part]),
        messages.filter(({ length }) => length > 0).map((message) => [...message]),
      );
    }),
  );
});

test('a frame of several messages that is cut off anywhere is refused', () => {
  const frame = Buffer.from('0300616263020064650000', 'hex');
  const whole = [0, 5, 9, 11];
  for (let end = 0; end <= frame.length; end += 1) {
    const part = frame.subarray(0, end);
    if (whole.includes(end)) splitMultipart(part);
    else assert.throws(() => splitMultipart(part), coded('connection_violation'), String(end));
  }
});

test('pauses double from the first to the last, with jitter downwards', () => {
  const timing = { retryMinMs: 500, retryMaxMs: 30_000 };
  for (let failures = 1; failures < 2000; failures += 1) {
    const full = Math.min(30_000, 500 * 2 ** (failures - 1));
    const ms = backoffMs(failures, timing);
    assert.ok(ms >= full / 2 && ms <= full, `${failures}: ${ms}`);
  }
  const some = new Set(Array.from({ length: 20 }, () => backoffMs(1, timing)));
  assert.ok(some.size > 1);
});

test('a pause ends by time, by waking, by a wake that came before, and by its signal', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const pause = new Pause();
  const stop = new AbortController();
  const byTime = pause.wait(1000, stop.signal);
  t.mock.timers.tick(1000);
  await byTime;
  const byWaking = pause.wait(1e9, stop.signal);
  pause.wake();
  await byWaking;
  pause.wake();
  await pause.wait(1e9, stop.signal);
  const bySignal = pause.wait(1e9, stop.signal);
  stop.abort();
  await bySignal;
  await pause.wait(1e9, stop.signal);
});

test('a deadline says what took too long, a caller that gives up says so, and either ends a race', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const options = {
    ms: 100,
    late: 'dial_timeout',
    what: 'the dial of service echo',
    stage: 'no answer',
    signal: undefined,
  } as const;
  {
    using deadline = new Deadline(options);
    deadline.stage = 'no answer of router r1';
    const race = assert.rejects(deadline.race(new Promise(() => {})), coded('dial_timeout'));
    t.mock.timers.tick(100);
    await race;
    assert.match(String(deadline.signal.reason), /echo.*100 ms.*router r1/);
  }
  const caller = new AbortController();
  {
    using deadline = new Deadline({ ...options, signal: caller.signal });
    const race = assert.rejects(deadline.race(Promise.race([])), coded('aborted'));
    caller.abort();
    await race;
  }
  using late = new Deadline({ ...options, signal: caller.signal });
  await assert.rejects(late.race(Promise.resolve(1)), coded('aborted'));
  assert.equal(await new Deadline({ ...options }).race(Promise.resolve(1)), 1);
});
