// What one Data frame costs on its way: sealed, encoded, decoded, opened; and a whole channel over TLS, both ends in one process.
// By hand: node --import tsx packages/ziti/test/channel/wire.bench.ts

import { randomBytes } from 'node:crypto';
import { Headers } from '../../src/channel/headers.ts';
import { encodeMessage } from '../../src/channel/message.ts';
import { MessageReader } from '../../src/channel/message-reader.ts';
import { PullStream, PushStream } from '../../src/crypto/secret-stream.ts';
import { loadSodium } from '../../src/crypto/sodium.ts';
import { type Opened, opened } from './opened.ts';

const DATA = 60786;
/** What Node's TLS hands on at most at once. */
const CHUNK_BYTES = 16_384;
const ROUNDS = 5;
const headers = new Headers().setU32(1000, 7);
const sodium = await loadSodium();

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The best of some rounds: the others were disturbed. */
function timed(name: string, bytes: number, times: number, run: () => void): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const begun = performance.now();
    for (let count = 0; count < times; count += 1) run();
    best = Math.min(best, ((performance.now() - begun) * 1000) / times);
  }
  report(`${name.padEnd(36)} ${best.toFixed(2).padStart(8)} us ${(bytes / best).toFixed(0).padStart(7)} MB/s`);
}

function alone(bytes: number): void {
  const times = bytes > 10_000 ? 3000 : 30_000;
  const plain = randomBytes(bytes);
  const key = randomBytes(32);
  const push = new PushStream(sodium, key);
  const pull = new PullStream(sodium, key, push.header);
  const sealed = Array.from({ length: times * ROUNDS }, () => push.push(plain));
  const body = randomBytes(bytes + 17);
  const frame = encodeMessage(DATA, 1, headers, body);
  const chunks: Buffer[] = [];
  for (let at = 0; at < frame.length; at += CHUNK_BYTES) chunks.push(Buffer.from(frame.subarray(at, at + CHUNK_BYTES)));
  const reader = new MessageReader('router');
  let at = 0;
  timed(`${bytes} B, seal (${sodium.kind})`, bytes, times, () => push.push(plain));
  timed(`${bytes} B, open (${sodium.kind})`, bytes, times, () => pull.pull(sealed[at++] ?? body));
  timed(`${bytes} B, encode`, bytes, times, () => encodeMessage(DATA, 1, headers, body));
  timed(`${bytes} B, decode`, bytes, times, () => {
    for (const chunk of chunks) {
      reader.push(chunk);
      reader.next();
    }
  });
  push.dispose();
  pull.dispose();
}

async function upwards({ channel, end }: Opened, bytes: number, total: number): Promise<void> {
  const times = Math.floor(total / bytes);
  const body = randomBytes(bytes);
  let left = times;
  const write = (): void => {
    for (; left > 0 && channel.writable; left -= 1) channel.send(DATA, headers, body);
    if (left > 0) channel.onDrain(write);
  };
  const cpu = process.cpuUsage();
  const begun = performance.now();
  write();
  for (let got = 0; got < times; got += end.received.splice(0).length) await new Promise((next) => setImmediate(next));
  const ms = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpu);
  const rate = `${((times * bytes) / ms / 1000).toFixed(0)} MB/s`;
  report(`  ${bytes} B: ${rate}, ${((user + system) / times).toFixed(1)} us of CPU a frame, both ends`);
}

async function roundTrips({ channel, end }: Opened): Promise<void> {
  const times: number[] = [];
  for (let count = 0; count < 3000; count += 1) {
    const begun = performance.now();
    const reply = channel.request(60783, headers, Buffer.alloc(200), { timeoutMs: 5000 });
    const asked = await end.message(60783);
    end.send(60784, new Headers().setI32(1, asked.sequence));
    await reply;
    times.push(performance.now() - begun);
  }
  times.sort((one, two) => one - two);
  const at = (part: number): string => ((times[Math.floor(times.length * part)] ?? 0) * 1000).toFixed(0);
  report(`  request and answer: p50 ${at(0.5)} us, p99 ${at(0.99)} us`);
}

for (const bytes of [200, 1024, 16_384]) alone(bytes);
for (const underlay of ['tls', 'wss'] as const) {
  await using it = await opened({ underlay });
  report(`channel over ${underlay}`);
  await upwards(it, 217, 20e6);
  await upwards(it, 16_401, 100e6);
  await roundTrips(it);
}
