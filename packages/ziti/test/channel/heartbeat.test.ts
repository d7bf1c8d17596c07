import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Heartbeat } from '../../src/channel/heartbeat.ts';
import { type ManualClock, manualClock } from '../manual-clock.ts';

function watched(): {
  clock: ManualClock;
  probes: (() => void)[];
  silences: number[];
  heartbeat: Heartbeat;
  read(): void;
  blind(on: boolean): void;
} {
  const clock = manualClock();
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

test('it probes at once and then each 30 s, and knows the last round trip', async () => {
  const { clock, probes, silences, heartbeat, read } = watched();
  assert.equal(probes.length, 1);
  assert.equal(heartbeat.rttMs, undefined);
  for (let count = 1; count <= 5; count += 1) {
    await clock.advance(count);
    read();
    probes.at(-1)?.();
    assert.equal(heartbeat.rttMs, count);
    await clock.advance(29_999);
    assert.equal(probes.length, count);
    await clock.advance(1);
    assert.equal(probes.length, count + 1);
  }
  assert.deepEqual(silences, []);
  heartbeat.stop();
  assert.deepEqual(clock.pending, []);
});

test('an answer counts once', async () => {
  const { clock, probes, heartbeat } = watched();
  await clock.advance(4);
  probes[0]?.();
  await clock.advance(10);
  probes[0]?.();
  assert.equal(heartbeat.rttMs, 4);
  heartbeat.stop();
});

test('a router that falls silent is found within 45 s of a probe that it answered', async () => {
  const { clock, probes, silences, read } = watched();
  read();
  probes[0]?.();
  await clock.advance(30_000);
  assert.equal(probes.length, 2);
  await clock.advance(10_000);
  assert.deepEqual(silences, [], 'a second look comes first');
  await clock.advance(1000);
  assert.deepEqual(silences, [41_000]);
});

test('a router that falls silent is found 31 s after its last byte, if a probe was open then', async () => {
  for (const lastByteMs of [1, 1000, 5000, 9999]) {
    const { clock, probes, silences, read } = watched();
    probes[0]?.();
    await clock.advance(30_000 + lastByteMs);
    read();
    assert.deepEqual(silences, []);
    await clock.advance(30_999);
    assert.deepEqual(silences, []);
    await clock.advance(1);
    assert.deepEqual(silences, [31_000]);
  }
});

test('bytes that waited for a blocked event loop are a sign of life', async () => {
  const { clock, probes, silences, read } = watched();
  probes[0]?.();
  await clock.advance(40_500);
  read();
  await clock.advance(500);
  assert.deepEqual(silences, []);
  await clock.advance(30_000);
  assert.equal(probes.length, 2);
  assert.deepEqual(silences, []);
});

test('a router that answers no probe but sends is alive', async () => {
  const { clock, probes, silences, read, heartbeat } = watched();
  for (let count = 0; count < 20; count += 1) {
    await clock.advance(15_000);
    read();
  }
  assert.deepEqual(silences, []);
  assert.equal(probes.length, 11);
  assert.equal(heartbeat.rttMs, undefined);
});

test('who does not listen does not judge', async () => {
  const { clock, silences, blind, read } = watched();
  blind(true);
  await clock.advance(600_000);
  assert.deepEqual(silences, []);
  blind(false);
  read();
  await clock.advance(29_000);
  assert.deepEqual(silences, []);
  await clock.advance(60_000);
  assert.equal(silences.length, 1);
});

test('after its end it does nothing', async () => {
  const { clock, probes, silences, heartbeat } = watched();
  heartbeat.stop();
  probes[0]?.();
  await clock.advance(1_000_000);
  assert.deepEqual([probes.length, silences.length, clock.pending.length, heartbeat.rttMs], [1, 0, 0, undefined]);
});
