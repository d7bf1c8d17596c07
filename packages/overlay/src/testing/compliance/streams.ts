// What a connection promises: bytes, ends, back-pressure, abort, binding.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import type { OverlayFactory, OverlayTraits } from '../compliance.ts';
import { atLeast, coded, digest, everything, over } from '../connections.ts';
import { hostNew, joinedIn } from './setup.ts';

const MiB = 1024 * 1024;
const timeout = 60_000;
/** In which direction a rule is tried; it holds in both. */
const SIDES = [
  ['the dialer', 'dialer', 'host'],
  ['the host', 'host', 'dialer'],
] as const;

export function streamRules(
  factory: OverlayFactory,
  traits: Required<Pick<OverlayTraits, 'bindings' | 'maxBytesInFlight'>>,
): void {
  for (const [who, near, far] of SIDES) {
    test(`${who} can end its half and still read the answer`, { timeout }, async () => {
      await using net = await factory();
      await using pair = await joinedIn(net);
      const asked = everything(pair[far]);
      pair[near].end('question');
      assert.equal(String(await asked), 'question');
      const answered = everything(pair[near]);
      pair[far].write('ans');
      await turn();
      pair[far].end('wer');
      assert.equal(String(await answered), 'answer');
    });

    test(`a reader that stops makes ${who} stop, and nothing is lost`, { timeout }, async () => {
      await using net = await factory();
      await using pair = await joinedIn(net);
      const chunk = randomBytes(64 * 1024);
      const total = 4 * traits.maxBytesInFlight;
      let written = 0;
      const writing = (async () => {
        for (; written < total; written += chunk.length) {
          if (!pair[near].write(chunk)) await once(pair[near], 'drain');
        }
        pair[near].end();
      })();
      await steady(() => written);
      assert.ok(written <= traits.maxBytesInFlight, `${written} bytes were taken while nobody read`);
      assert.ok(pair[near].writableLength <= 2 * chunk.length, 'our own end holds no more than a chunk or two');
      const { bytes } = await digest(pair[far]);
      await writing;
      assert.equal(bytes, total);
    });

    test(`an abort by ${who} destroys both ends, and the other sees an error`, { timeout }, async () => {
      await using net = await factory();
      await using pair = await joinedIn(net);
      const farOver = over(pair[far]);
      const nearOver = over(pair[near]);
      pair[far].resume();
      pair[near].abort('the test says so');
      pair[near].abort('and says it again');
      assert.ok(coded('connection_aborted')(await nearOver));
      assert.match(String(await nearOver), /the test says so/);
      assert.ok(coded('connection_aborted', 'connection_lost')(await farOver), String(await farOver));
      assert.ok(pair[near].destroyed && pair[far].destroyed);
    });

    test(`an abort by ${who} is seen by a reader as an error, not as an end`, { timeout }, async () => {
      await using net = await factory();
      await using pair = await joinedIn(net);
      const reading = everything(pair[far]);
      pair[near].write('the beginning of somethi');
      await turn();
      pair[near].abort('no more');
      await assert.rejects(reading, coded('connection_aborted', 'connection_lost'));
    });

    test(`an abort by ${who} stops a writer that waits for a reader`, { timeout }, async () => {
      await using net = await factory();
      await using pair = await joinedIn(net);
      while (pair[far].write(randomBytes(64 * 1024))) await turn();
      const ended = over(pair[far]);
      pair[near].abort('not interested');
      assert.ok(coded('connection_aborted', 'connection_lost')(await ended));
    });

    test(`what ${who} sends one byte at a time arrives whole`, { timeout }, async () => {
      await using net = await factory();
      await using pair = await joinedIn(net);
      const sent = randomBytes(3000);
      const received = everything(pair[far]);
      for (const byte of sent) await new Promise((done) => pair[near].write(Uint8Array.of(byte), done));
      pair[near].end();
      assert.deepEqual(await received, sent);
    });
  }

  test('both halves ended: both ends close without an error', { timeout }, async () => {
    await using net = await factory();
    await using pair = await joinedIn(net);
    const ends = [over(pair.dialer), over(pair.host)];
    pair.dialer.resume().end('one');
    pair.host.resume().end('two');
    assert.deepEqual(await Promise.all(ends), [undefined, undefined]);
  });

  test('64 MiB each way at once arrive unchanged', { timeout }, async () => {
    await using net = await factory();
    await using pair = await joinedIn(net);
    const received = [digest(pair.dialer), digest(pair.host)];
    const sent = await Promise.all([pour(pair.host, 64 * MiB), pour(pair.dialer, 64 * MiB)]);
    assert.deepEqual(await Promise.all(received), sent);
  });

  test('what arrives before the host attaches is kept for it', { timeout }, async () => {
    await using net = await factory();
    await using pair = await joinedIn(net);
    await new Promise((done) => pair.dialer.write('early', done));
    for (let i = 0; i < 20; i += 1) await turn();
    assert.equal(String(await atLeast(pair.host, 5)), 'early');
  });

  test('an error that nobody listens for does not end the process', { timeout }, async () => {
    await using net = await factory();
    await using pair = await joinedIn(net);
    const ends = [pair.dialer, pair.host].map((end) => new Promise((done) => end.once('close', done)));
    pair.host.resume();
    pair.dialer.abort('unheard');
    await Promise.all(ends);
  });

  test('500 connections at once do not meet, and no binding is like another', { timeout }, async () => {
    await using net = await factory();
    const count = 500;
    const atHost: (Uint8Array | null)[] = [];
    const listener = await hostNew(net, net.overlay, {
      onConnection: (connection) => {
        atHost.push(connection.binding);
        connection.pipe(connection);
      },
    });
    const dialled = await Promise.all(Array.from({ length: count }, () => net.other.dial(listener.share)));
    await Promise.all(
      dialled.map(async (connection) => {
        const nonce = randomBytes(2000);
        const echo = everything(connection);
        connection.end(nonce);
        assert.deepEqual(await echo, nonce);
      }),
    );
    const atDialer = dialled.map((connection) => connection.binding);
    if (traits.bindings) {
      assert.ok([...atDialer, ...atHost].every((binding) => binding?.length === 32));
      assert.deepEqual(hexes(atDialer), hexes(atHost), 'both ends compute the same');
      assert.equal(new Set(hexes(atDialer)).size, count, 'each only once');
    } else {
      assert.ok([...atDialer, ...atHost].every((binding) => binding === null));
    }
    await listener.close();
  });

  test('a connection says which network it came by', { timeout }, async () => {
    await using net = await factory();
    await using pair = await joinedIn(net);
    assert.equal(pair.dialer.peer.overlay, net.overlay.kind);
    assert.equal(pair.host.peer.overlay, net.overlay.kind);
  });
}

/** Resolves once the number has stopped changing. Looking too early can only make a test pass, never fail. */
async function steady(value: () => number): Promise<void> {
  for (let before = -1, same = 0; same < 10; ) {
    await pause(10);
    same = value() === before ? same + 1 : 0;
    before = value();
  }
}

async function pour(stream: Duplex, total: number): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  const pool = randomBytes(MiB);
  for (let sent = 0; sent < total; ) {
    // Uneven sizes and offsets, so that a lost or moved piece shows.
    const start = sent % 4093;
    const chunk = pool.subarray(start, start + Math.min(pool.length - start, total - sent, 1 + ((sent * 7) % 200_000)));
    hash.update(chunk);
    sent += chunk.length;
    if (!stream.write(chunk)) await once(stream, 'drain');
  }
  stream.end();
  return { bytes: total, sha256: hash.digest('hex') };
}

function hexes(bindings: readonly (Uint8Array | null)[]): string[] {
  return bindings.map((binding) => Buffer.from(binding ?? []).toString('hex')).sort();
}
