// When a channel is not read, for how long, and who is given up for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Reader, ReadGate } from '../../src/edge/read-gate.ts';

const limits = { connectionBufferBytes: 100, channelBufferBytes: 250 };
const PAUSE_MS = 1500;

class FakeReader implements Reader {
  unreadBytes = 0;
  given = false;
  readonly #gate: () => ReadGate;

  constructor(gate: () => ReadGate) {
    this.#gate = gate;
  }

  add(bytes: number): void {
    this.unreadBytes += bytes;
    this.#gate().changed(this, bytes);
  }

  tooSlow(): void {
    this.given = true;
    const bytes = this.unreadBytes;
    this.unreadBytes = 0;
    this.#gate().left(this, bytes);
  }
}

function setUp() {
  const state = { paused: false };
  const gate: ReadGate = new ReadGate({
    limits,
    pauseMs: PAUSE_MS,
    pause: () => {
      state.paused = true;
    },
    resume: () => {
      state.paused = false;
    },
  });
  const reader = (): FakeReader => new FakeReader(() => gate);
  return { state, gate, reader };
}

test('one connection over its cap stops the channel until it has read half of it', () => {
  const { state, reader, gate } = setUp();
  const one = reader();
  one.add(100);
  assert.equal(state.paused, false);
  one.add(1);
  assert.equal(state.paused, true);
  one.add(-50);
  assert.equal(state.paused, true);
  one.add(-1);
  assert.equal(state.paused, false);
  gate.stop();
});

test('all together over their cap stop the channel, though none is over its own', () => {
  const { state, reader, gate } = setUp();
  const many = [reader(), reader(), reader()];
  for (const one of many) one.add(90);
  assert.equal(state.paused, true);
  many[0]?.add(-90);
  assert.equal(state.paused, true, '180 are still too many to begin again');
  many[1]?.add(-60);
  assert.equal(state.paused, false);
  gate.stop();
});

test('who does not read in time is given up, and nobody else', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { state, reader } = setUp();
  const [slow, good] = [reader(), reader()];
  good.add(50);
  slow.add(101);
  t.mock.timers.tick(PAUSE_MS - 1);
  assert.deepEqual([slow.given, state.paused], [false, true]);
  t.mock.timers.tick(1);
  assert.deepEqual([slow.given, good.given, state.paused], [true, false, false]);
});

test('when all together are too many, the largest of those that took nothing goes, and only after a long time', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { state, reader } = setUp();
  const [stuck, moving, small] = [90, 99, 70].map((bytes) => {
    const one = reader();
    one.add(bytes);
    return one;
  });
  moving?.add(-1);
  t.mock.timers.tick(4 * PAUSE_MS - 1);
  assert.deepEqual([stuck?.given, state.paused], [false, true]);
  t.mock.timers.tick(1);
  assert.deepEqual([stuck?.given, moving?.given, small?.given], [true, false, false]);
  assert.equal(state.paused, false, '168 are less than when it stopped');
});

test('when all together are too many and all take something, nobody goes', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { state, reader } = setUp();
  const many = [90, 99, 70].map((bytes) => {
    const one = reader();
    one.add(bytes);
    return one;
  });
  for (const one of many) one.add(-1);
  t.mock.timers.tick(100 * PAUSE_MS);
  assert.equal(state.paused, true);
  assert.ok(many.every(({ given }) => !given));
  many[1]?.add(-25);
  t.mock.timers.tick(PAUSE_MS);
  assert.equal(state.paused, false, 'a sixteenth less');
});

test('a program that was stopped has not been slow: time counts only when the loop turns', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { reader } = setUp();
  const one = reader();
  one.add(101);
  // Ten turns make the whole time, however late they come; nine do not.
  for (let turns = 0; turns < 9; turns += 1) t.mock.timers.tick(PAUSE_MS / 10);
  assert.equal(one.given, false);
  t.mock.timers.tick(PAUSE_MS / 10);
  assert.equal(one.given, true);
});

test('each pause has its own time', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { reader } = setUp();
  const one = reader();
  for (let round = 0; round < 5; round += 1) {
    one.add(101);
    t.mock.timers.tick(PAUSE_MS - 1);
    one.add(-101);
    t.mock.timers.tick(PAUSE_MS);
  }
  assert.equal(one.given, false);
});

test('who reads slowly may go on, as long as it takes a sixteenth of the cap in that time', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { state, reader } = setUp();
  const one = reader();
  for (let round = 0; round < 5; round += 1) {
    one.add(101 - one.unreadBytes);
    assert.equal(state.paused, true);
    one.add(-8);
    t.mock.timers.tick(PAUSE_MS);
    assert.deepEqual([one.given, state.paused], [false, false]);
  }
  one.add(101 - one.unreadBytes);
  one.add(-7);
  t.mock.timers.tick(PAUSE_MS);
  assert.deepEqual([one.given, state.paused], [true, false]);
});

test('whatever happens, the channel is stopped exactly while somebody is over a cap or was and has not read half', () => {
  const step = fc.record({ who: fc.nat(3), bytes: fc.integer({ min: -120, max: 120 }), leave: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { state, gate, reader } = setUp();
      const readers = [reader(), reader(), reader(), reader()];
      for (const { who, bytes, leave } of steps) {
        const one = readers[who];
        if (!one) continue;
        if (leave && bytes > 60) one.tooSlow();
        else one.add(Math.max(bytes, -one.unreadBytes));
        const held = readers.map(({ unreadBytes }) => unreadBytes);
        const total = held.reduce((sum, next) => sum + next, 0);
        assert.equal(gate.unreadBytes, total);
        assert.equal(gate.paused, state.paused);
        if (total > 250 || held.some((one_) => one_ > 100)) assert.ok(state.paused);
        if (total <= 125 && held.every((one_) => one_ <= 50)) assert.ok(!state.paused);
      }
      gate.stop();
    }),
  );
});
