// Any order of what a router and a user can do to a channel, over a wire in memory: messages arrive in order and once, every
// request is settled, the end comes with one reason, and nothing is thrown that was not promised.

import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CloseReason } from '../../src/channel/channel.ts';
import { Headers } from '../../src/channel/headers.ts';
import { LiveChannel } from '../../src/channel/live-channel.ts';
import { encodeMessage } from '../../src/channel/message.ts';
import { MessageReader } from '../../src/channel/message-reader.ts';
import { ZitiError } from '../../src/errors.ts';
import { manualClock } from '../manual-clock.ts';

type Step =
  | { readonly do: 'hear'; readonly count: number; readonly split: number }
  | { readonly do: 'answer'; readonly which: number; readonly times: number }
  | { readonly do: 'lie'; readonly replyFor: number }
  | { readonly do: 'probe' | 'pause' | 'resume' | 'request' | 'send' | 'deaf' | 'listen' }
  | { readonly do: 'garbage'; readonly bytes: Uint8Array }
  | { readonly do: 'end' | 'break' | 'close' }
  | { readonly do: 'wait'; readonly ms: number };

const calm = fc.oneof(
  fc.record({
    do: fc.constant('hear' as const),
    count: fc.integer({ min: 1, max: 5 }),
    split: fc.integer({ min: 1, max: 60 }),
  }),
  fc.record({ do: fc.constant('answer' as const), which: fc.nat(3), times: fc.integer({ min: 1, max: 2 }) }),
  fc.record({ do: fc.constant('lie' as const), replyFor: fc.integer({ min: -3, max: 30 }) }),
  fc.record({ do: fc.constantFrom('probe', 'pause', 'resume', 'request', 'send', 'deaf', 'listen') }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 900, 5000) }),
);
const fatal = fc.oneof(
  fc.record({ do: fc.constant('garbage' as const), bytes: fc.uint8Array({ minLength: 20, maxLength: 60 }) }),
  fc.record({ do: fc.constantFrom('end', 'break', 'close') }),
);
const steps = fc
  .tuple(fc.array(calm, { maxLength: 25 }), fc.option(fatal), fc.array(calm, { maxLength: 5 }))
  .map(([before, middle, after]): Step[] => [...before, ...(middle ? [middle] : []), ...after]);

/** The router's side is in the test's hand; what we write is read by `taken`. */
class Wire extends Duplex {
  readonly taken = new MessageReader('client');

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.taken.push(chunk);
    setImmediate(done);
  }
}

test('whatever comes in which order, nothing is lost, doubled, forgotten or thrown', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.option(fc.nat(10)), async (plan, closeAt) => {
      await play(plan, closeAt);
    }),
    { numRuns: 300 },
  );
});

/** `closeAt`: the user closes the channel while it is given this message. */
async function play(plan: readonly Step[], closeAt: number | null): Promise<void> {
  const wire = new Wire();
  const clock = manualClock();
  const channel = new LiveChannel({
    url: 'tls:fake:1',
    peer: 'router',
    socket: wire,
    reader: new MessageReader('router'),
    hello: { routerId: 'fake', routerVersion: null, headers: new Headers() },
    clock,
    probeMs: 30_000,
  });
  const ends: CloseReason[] = [];
  void channel.closed.then((reason) => ends.push(reason));
  const heard: number[] = [];
  let [answersUp, answersPut, answersTaken, closed] = [0, 0, 0, false];
  const close = (): void => {
    closed = true;
    void channel.close();
  };
  const listen = (message: { type: number; headers: Headers }): void => {
    assert.ok(ends.length === 0 && !closed, 'a message after the end');
    if (message.type === 2001) answersUp += 1;
    if (message.type !== 2000) return;
    heard.push(message.headers.u32(1000) ?? -1);
    if (heard.length === closeAt) close();
  };
  channel.onMessage = listen;
  const settledTimes: number[] = [];
  const open: { sequence: number; index: number }[] = [];
  let [said, over, sound] = [0, false, true];
  const put = (bytes: Buffer, size = bytes.length): void => {
    for (let at = 0; at < bytes.length && !wire.destroyed && !over; at += size)
      wire.push(bytes.subarray(at, at + size));
  };
  const frame = (type: number, headers: Headers): Buffer => encodeMessage(type, 1, headers, Buffer.from('body'));
  for (const step of plan) {
    if (step.do === 'hear') {
      const frames = Array.from({ length: step.count }, () => frame(2000, new Headers().setU32(1000, said++)));
      put(Buffer.concat(frames), step.split);
    } else if (step.do === 'answer') {
      const [asked] = open.splice(step.which % Math.max(1, open.length), 1);
      for (let times = 0; asked && times < step.times; times += 1) {
        put(frame(2001, new Headers().setI32(1, asked.sequence)));
        answersPut += 1;
      }
    } else if (step.do === 'lie') {
      put(frame(2002, new Headers().setI32(1, step.replyFor)));
    } else if (step.do === 'probe') {
      put(frame(3, new Headers().setU64(128, 5n)));
    } else if (step.do === 'request') {
      const index = settledTimes.push(0) - 1;
      const count = (): void => {
        settledTimes[index] = (settledTimes[index] ?? 0) + 1;
      };
      channel.request(2003, new Headers(), undefined, { timeoutMs: 10_000 }).then(
        ({ type }) => {
          // A lie may hit the right number.
          if (type === 2001) answersTaken += 1;
          count();
        },
        (error) => {
          assert.ok(error instanceof ZitiError, String(error));
          count();
        },
      );
      await new Promise((resolve) => setImmediate(resolve));
      for (let message = wire.taken.next(); message; message = wire.taken.next()) {
        if (message.type === 2003) open.push({ sequence: message.sequence, index });
      }
    } else if (step.do === 'send') {
      try {
        channel.send(2004, new Headers(), Buffer.alloc(100));
      } catch (error) {
        assert.ok(error instanceof ZitiError && (ends.length > 0 || over || closed), String(error));
      }
    } else if (step.do === 'garbage') {
      sound = false;
      put(Buffer.from(step.bytes));
    } else if (step.do === 'end') {
      if (!wire.destroyed) wire.push(null);
      over = true;
    } else if (step.do === 'break') {
      sound = false;
      wire.destroy(new Error('cut'));
    } else if (step.do === 'close') {
      close();
    } else if (step.do === 'wait') {
      await clock.advance(step.ms);
    } else if (step.do === 'pause') channel.pause();
    else if (step.do === 'resume') channel.resume();
    else channel.onMessage = step.do === 'listen' ? listen : undefined;
    if (step.do !== 'hear') await new Promise((resolve) => setImmediate(resolve));
  }
  channel.onMessage = listen;
  channel.resume();
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  const expected = Array.from({ length: said }, (_, index) => index);
  // In order and once; all of it, unless something broke.
  assert.deepEqual(heard, expected.slice(0, heard.length));
  if (sound && !over && !closed) {
    assert.equal(heard.length, said);
    assert.equal(answersUp + answersTaken, answersPut);
  }
  const reason = await Promise.race([channel.close(), clock.advance(2000).then(() => channel.closed)]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(ends, [reason]);
  assert.ok(reason.error instanceof ZitiError);
  assert.deepEqual(
    settledTimes,
    settledTimes.map(() => 1),
  );
  assert.deepEqual(clock.pending, []);
  assert.ok(wire.destroyed);
}
