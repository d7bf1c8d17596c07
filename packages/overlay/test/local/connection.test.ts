// What a Unix socket does not tell by itself: a peer that is gone from one that only ended its half.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Duplex, PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { OverlayError } from '../../src/index.ts';
import { atLeast, coded, everything, joined, over, tempOverlay } from '../../src/testing/index.ts';

const timeout = 60_000;

test('the last words of a peer that left reach a reader that was not reading, then the loss', { timeout }, async () => {
  await using net = await tempOverlay();
  await using pair = await joined(net.overlay, net.other);
  // As a program does that ends right after a refusal.
  await new Promise<void>((done) => pair.host.end('refused\n', done));
  pair.host.destroy();
  for (let i = 0; i < 20; i += 1) await turn();
  const lost = over(pair.dialer);
  assert.equal(String(await atLeast(pair.dialer, 8)), 'refused\n');
  pair.dialer.resume();
  assert.ok(coded('connection_aborted')(await lost));
});

test('a half that ended while much waits to be written is still an end', { timeout }, async () => {
  await using net = await tempOverlay();
  await using pair = await joined(net.overlay, net.other);
  pair.dialer.write(Buffer.alloc(4 * 1024 * 1024));
  const ended = everything(pair.dialer);
  pair.host.end('done');
  assert.equal(String(await ended), 'done', 'though the host has not read yet');
  pair.dialer.end();
  assert.equal((await everything(pair.host)).length, 4 * 1024 * 1024);
});

/** Ways to read; each resolves with the number of bytes at the end. */
const READERS: Record<string, (stream: Duplex) => Promise<number>> = {
  'by data': async (stream) => (await everything(stream)).length,
  'by readable': async (stream) => {
    let size = 0;
    stream.on('readable', () => {
      for (let chunk = stream.read(7); chunk !== null; chunk = stream.read(7)) size += chunk.length;
    });
    await once(stream, 'end');
    return size;
  },
  'by iteration': async (stream) => {
    let size = 0;
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) size += chunk.length;
    return size;
  },
  'by a pipe': async (stream) => (await everything(stream.pipe(new PassThrough()))).length,
};

for (const [how, read] of Object.entries(READERS)) {
  test(`a reader ${how} sees every byte and one end`, { timeout }, async () => {
    await using net = await tempOverlay();
    await using pair = await joined(net.overlay, net.other);
    let ends = 0;
    pair.dialer.on('end', () => {
      ends += 1;
    });
    const closed = over(pair.dialer);
    pair.host.resume().end('x'.repeat(200_000));
    assert.equal(await read(pair.dialer), 200_000);
    pair.dialer.end();
    assert.equal(await closed, undefined);
    assert.equal(ends, 1);
  });
}

test('every error of a connection is ours, and keeps its cause', { timeout }, async () => {
  await using net = await tempOverlay();
  await using pair = await joined(net.overlay, net.other);
  const ended = over(pair.dialer);
  pair.host.destroy();
  const writing = setInterval(() => pair.dialer.write('x'), 1);
  const error = await ended;
  clearInterval(writing);
  assert.ok(error instanceof OverlayError);
  assert.equal(error.code, 'connection_aborted');
  assert.match(error.message, new RegExp(`the other end of share ${pair.listener.share} is gone`));
  assert.match(String((error.cause as NodeJS.ErrnoException).code), /EPIPE|ECONNRESET/);

  await using again = await joined(net.overlay, net.other);
  const misused = over(again.dialer);
  again.dialer.end();
  again.dialer.write('after the end');
  assert.ok((await misused) instanceof OverlayError);
});

test('a write after which the peer is gone never ends in silence', { timeout }, async () => {
  await using net = await tempOverlay();
  for (let round = 0; round < 50; round += 1) {
    await using pair = await joined(net.overlay, net.other);
    const ended = over(pair.dialer.resume());
    pair.dialer.write('question');
    for (let i = 0; i < round % 5; i += 1) await turn();
    pair.host.destroy();
    assert.ok(coded('connection_aborted')(await ended));
  }
});
