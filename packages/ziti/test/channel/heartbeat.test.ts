import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Heartbeat } from '../../src/channel/heartbeat.ts';
import { ManualClock } from './clock.ts';

function watched(): {
  clock: ManualClock;
  probes: (() => void)[];
  silences: number[];
  heartbeat: Heartbeat;
  read(): void;
  blind(on: boolean): void;
} {
  const clock = new ManualClock();
  const probes: (() => void)[] = [];
  const silences: number[] = [];
  let lastRead = clock.now();
  let blind = false;
  const heartbeat = new Heartbeat({
    clock,
    probeMs: 30_000,
    probe: (onAnswer) => probes.push(onAnswer),
    lastRead: () => (blind ? clock.now() : lastRead),
    onSilent: (ms) => silences.push(ms),
  });
  const read = (): void => {
    lastRead = clock.now();
  };
  return {
    clock,
    probes,
    silences,
    heartbeat,
    read,
    blind: (on) => {
      blind = on;
    },
  };
}

test('it probes at once and then each 30 s, and knows the last round trip', () => {
  const { clock, probes, silences, heartbeat, read } = watched();
  assert.equal(probes.length, 1);
  assert.equal(heartbeat.rttMs, undefined);
  for (let count = 1; count <= 5; count += 1) {
    clock.pass(count);
    read();
    probes.at(-1)?.();
    assert.equal(heartbeat.rttMs, count);
    clock.pass(29_999);
    assert.equal(probes.length, count);
    clock.pass(1);
    assert.equal(probes.length, count + 1);
  }
  assert.deepEqual(silences, []);
  heartbeat.stop();
  assert.equal(clock.pending, 0);
});

test('an answer counts once', () => {
  const { clock, probes, heartbeat } = watched();
  clock.pass(4);
  probes[0]?.();
  clock.pass(10);
  probes[0]?.();
  assert.equal(heartbeat.rttMs, 4);
  heartbeat.stop();
});

test('a router that falls silent is found within 45 s of a probe that it answered', () => {
  const { clock, probes, silences, read } = watched();
  read();
  probes[0]?.();
  clock.pass(30_000);
  assert.equal(probes.length, 2);
  clock.pass(10_000);
  assert.deepEqual(silences, [], 'a second look comes first');
  clock.pass(1000);
  assert.deepEqual(silences, [41_000]);
});

test('a router that falls silent is found 31 s after its last byte, if a probe was open then', () => {
  for (const lastByteMs of [1, 1000, 5000, 9999]) {
    const { clock, probes, silences, read } = watched();
    probes[0]?.();
    clock.pass(30_000 + lastByteMs);
    read();
    assert.deepEqual(silences, []);
    clock.pass(30_999);
    assert.deepEqual(silences, []);
    clock.pass(1);
    assert.deepEqual(silences, [31_000]);
  }
});

test('bytes that waited for a blocked event loop are a sign of life', () => {
  const { clock, probes, silences, read } = watched();
  probes[0]?.();
  clock.pass(40_500);
  read();
  clock.pass(500);
  assert.deepEqual(silences, []);
  clock.pass(30_000);
  assert.equal(probes.length, 2);
  assert.deepEqual(silences, []);
});

test('a router that answers no probe but sends is alive', () => {
  const { clock, probes, silences, read, heartbeat } = watched();
  for (let count = 0; count < 20; count += 1) {
    clock.pass(15_000);
    read();
  }
  assert.deepEqual(silences, []);
  assert.equal(probes.length, 11);
  assert.equal(heartbeat.rttMs, undefined);
});

test('who does not listen does not judge', () => {
  const { clock, silences, blind, read } = watched();
  blind(true);
  clock.pass(600_000);
  assert.deepEqual(silences, []);
  blind(false);
  read();
  clock.pass(29_000);
  assert.deepEqual(silences, []);
  clock.pass(60_000);
  assert.equal(silences.length, 1);
});

test('after its end it does nothing', () => {
  const { clock, probes, silences, heartbeat } = watched();
  heartbeat.stop();
  probes[0]?.();
  clock.pass(1_000_000);
  assert.deepEqual([probes.length, silences.length, clock.pending, heartbeat.rttMs], [1, 0, 0, undefined]);
});
