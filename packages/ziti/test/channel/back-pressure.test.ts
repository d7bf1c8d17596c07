import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DrainQueue } from '../../src/channel/drain.ts';
import { Headers } from '../../src/channel/headers.ts';
import { LIMITS } from '../../src/limits.ts';
import { opened, text } from './opened.ts';

const DATA = 60786;
const body = Buffer.alloc(16 * 1024, 7);
/** More than sockets and their buffers take. */
const FLOOD_BYTES = 30 * 1024 * 1024;

for (const underlay of ['tls', 'wss'] as const) {
  test(`${underlay}: a router that reads nothing makes the channel unwritable, and reading makes it writable again`, async () => {
    await using it = await opened({ underlay });
    const { channel, end } = it;
    assert.equal(channel.writable, true);
    end.socket.pause();
    let sent = 0;
    while (channel.writable) {
      channel.send(DATA, new Headers(), body);
      sent += 1;
      if (sent % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(channel.bufferedBytes >= LIMITS.channelSoftQueueBytes, `${channel.bufferedBytes}`);
    const room = new Promise<void>((resolve) => channel.onDrain(resolve));
    end.socket.resume();
    await room;
    assert.equal(channel.writable, true);
    for (let count = 0; count < sent; count += 1) await end.message(DATA);
  });

  test(`${underlay}: a paused channel takes nothing more from the socket, delivers nothing, and loses nothing`, async () => {
    await using it = await opened({ underlay });
    const { channel, end, messages } = it;
    end.send(DATA, new Headers(), 'first');
    await it.arrived((message) => text(message) === 'first');
    channel.pause();
    let queued = 0;
    for (let bytes = 0; bytes < FLOOD_BYTES; bytes += body.length) {
      end.send(DATA, new Headers().setU32(1000, queued), body);
      queued += 1;
    }
    // The router's queue stands: nobody reads.
    const before = await standing(() => end.socket.writableLength);
    assert.ok(before > FLOOD_BYTES / 4, `${before} bytes wait at the router`);
    assert.equal(messages.length, 1);
    channel.resume();
    await it.arrived((message) => message.headers.u32(1000) === queued - 1);
    assert.deepEqual(
      messages.slice(1).map(({ headers }) => headers.u32(1000)),
      Array.from({ length: queued }, (_, index) => index),
    );
  });
}

test('writers take turns, in the order they came, and each is called once', async () => {
  await using it = await opened();
  const { channel, end } = it;
  const order: string[] = [];
  const done = ['a', 'b', 'c'].map(
    (name) =>
      new Promise<void>((resolve) => {
        let left = 40;
        const write = (): void => {
          while (left > 0 && channel.writable) {
            // Each fills the room alone.
            channel.send(DATA, new Headers(), Buffer.alloc(LIMITS.channelSoftQueueBytes));
            order.push(name);
            left -= 1;
          }
          if (left > 0) channel.onDrain(write);
          else resolve();
        };
        channel.onDrain(write);
      }),
  );
  const all = Promise.all(done);
  for (let count = 0; count < 120; count += 1) await end.message(DATA);
  await all;
  assert.equal(order.join('').slice(0, 30), 'abc'.repeat(10));
});

test('a waiting writer may go away, and one that comes when there is room is called soon', async () => {
  await using it = await opened();
  const called: string[] = [];
  const cancel = it.channel.onDrain(() => called.push('cancelled'));
  const soon = new Promise<void>((resolve) => it.channel.onDrain(resolve));
  cancel();
  await soon;
  assert.deepEqual(called, []);
});

test('waiting writers are called at the end, so that they find out', async () => {
  await using it = await opened();
  it.end.socket.pause();
  while (it.channel.writable) it.channel.send(DATA, new Headers(), body);
  const codes: unknown[] = [];
  const told = new Promise<void>((resolve) => {
    it.channel.onDrain(() => {
      try {
        it.channel.send(DATA, new Headers());
      } catch (error) {
        codes.push((error as { code: string }).code);
      }
      resolve();
    });
  });
  it.router.reset();
  await told;
  assert.deepEqual(codes, ['channel_lost']);
  await new Promise<void>((resolve) => it.channel.onDrain(resolve));
});

test('who never waits for room loses the channel at the cap, not the memory', async () => {
  await using it = await opened();
  it.end.socket.pause();
  let sent = 0;
  assert.throws(
    () => {
      for (;;) sent += it.channel.send(DATA, new Headers(), Buffer.alloc(1024 * 1024)) > 0 ? 1 : 0;
    },
    { code: 'channel_overflow' },
  );
  assert.ok(sent * 1024 * 1024 <= LIMITS.channelQueueBytes + 2 * 1024 * 1024, `${sent} MiB`);
  const { by, error } = await it.channel.closed;
  assert.deepEqual([by, error.code], ['fault', 'channel_overflow']);
});

test('pausing between two messages of one chunk holds the second one back', async () => {
  await using it = await opened();
  const seen: string[] = [];
  const both = new Promise<void>((resolve) => {
    it.channel.onMessage = (message) => {
      seen.push(text(message));
      it.channel.pause();
      if (seen.length === 3) resolve();
    };
  });
  it.end.socket.write(Buffer.concat(['1', '2', '3'].map((name) => it.end.frame(DATA, new Headers(), name))));
  for (const expected of [['1'], ['1', '2']]) {
    while (seen.length < expected.length) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(seen, expected);
    it.channel.resume();
    assert.deepEqual(seen, expected, 'never from inside the call');
  }
  await both;
});

test('messages wait for somebody to listen', async () => {
  await using it = await opened();
  it.channel.onMessage = undefined;
  it.end.send(DATA, new Headers(), 'early');
  await new Promise((resolve) => setTimeout(resolve, 20));
  const heard = new Promise<string>((resolve) => {
    it.channel.onMessage = (message) => resolve(text(message));
  });
  assert.equal(await heard, 'early');
});

test('a router that floods probes and reads no answers fills nothing', async () => {
  await using it = await opened();
  const { channel, end } = it;
  end.socket.pause();
  while (channel.writable) channel.send(DATA, new Headers(), body);
  const full = channel.bufferedBytes;
  const probe = end.frame(3, new Headers().setBytes(128, Buffer.alloc(60_000)));
  for (let count = 0; count < 500; count += 1) end.socket.write(probe);
  end.send(DATA, new Headers(), 'after');
  await it.arrived((message) => text(message) === 'after');
  assert.ok(channel.bufferedBytes <= full + probe.length, `${channel.bufferedBytes} bytes`);
});

test('one that fills the room again lets the others wait on', () => {
  const queue = new DrainQueue();
  const calls: string[] = [];
  let room = 2;
  const waiter = (name: string) => (): void => {
    calls.push(name);
    room -= 1;
    queue.add(waiter(name));
  };
  for (const name of ['a', 'b', 'c']) queue.add(waiter(name));
  const serve = (more: number): void => {
    room = more;
    queue.serve(() => room > 0);
  };
  for (const more of [2, 2, 1, 9]) serve(more);
  assert.equal(calls.join(''), 'abcabcab');
  assert.equal(queue.empty, false);
});

/** A number once it has not changed for a while. */
async function standing(read: () => number): Promise<number> {
  let seen = read();
  for (let same = 0; same < 10; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const now = read();
    same = now === seen ? same + 1 : 0;
    seen = now;
  }
  return seen;
}
