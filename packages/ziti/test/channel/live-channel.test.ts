import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '../../src/channel/headers.ts';
import { encodeMessage } from '../../src/channel/message.ts';
import { LIMITS } from '../../src/limits.ts';
import { manualClock } from '../manual-clock.ts';
import { type Opened, opened, replyTo, settled, text } from './opened.ts';
import { startRelay } from './relay.ts';

const DATA = 60786;
const REPLY = 60784;

test('messages leave in order, numbered from 2 behind the first probe', async () => {
  await using it = await opened();
  const sequences = ['a', 'b', 'c'].map((body) => it.channel.send(DATA, new Headers(), Buffer.from(body)));
  assert.deepEqual(sequences, [2, 3, 4]);
  for (const [index, body] of ['a', 'b', 'c'].entries()) {
    const message = await it.end.message(DATA);
    assert.deepEqual([text(message), message.sequence], [body, sequences[index]]);
  }
});

test('an answer finds its request, whatever comes between and in which order', async () => {
  await using it = await opened();
  const requests = ['one', 'two', 'three'].map((body) =>
    it.channel.request(60783, new Headers(), Buffer.from(body), { timeoutMs: 5000 }),
  );
  const asked = [await it.end.message(60783), await it.end.message(60783), await it.end.message(60783)];
  for (const message of asked.reverse()) {
    it.end.send(DATA, new Headers(), 'between');
    it.end.send(REPLY, replyTo(message), `to ${text(message)}`);
  }
  assert.deepEqual((await Promise.all(requests)).map(text), ['to one', 'to two', 'to three']);
  await it.arrived(() => it.messages.length === 3);
  assert.deepEqual(it.messages.map(text), ['between', 'between', 'between']);
});

test('the answer is known before what stands behind it in the same bytes', async () => {
  await using it = await opened();
  const order: string[] = [];
  it.channel.onMessage = (message) => order.push(text(message));
  const reply = it.channel.request(60783, new Headers(), undefined, {
    timeoutMs: 5000,
    onReply: (message) => order.push(text(message)),
  });
  const asked = await it.end.message(60783);
  const behind = it.end.frame(DATA, new Headers(), 'behind');
  it.end.socket.write(Buffer.concat([it.end.frame(REPLY, replyTo(asked), 'answer'), behind]));
  await reply;
  await it.end.socket.write('');
  it.end.send(DATA, new Headers(), 'last');
  while (order.length < 3) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(order, ['answer', 'behind', 'last']);
});

test('a request ends by its time limit, its caller, or the channel, and a late answer goes up', async () => {
  await using it = await opened();
  const late = it.channel.request(60783, new Headers(), undefined, { timeoutMs: 20 });
  assert.equal(await settled(late), 'request_timeout');
  const stop = new AbortController();
  const given = it.channel.request(60783, new Headers(), undefined, { timeoutMs: 5000, signal: stop.signal });
  stop.abort(new Error('changed my mind'));
  assert.equal(await settled(given), 'aborted');
  const never = it.channel.request(60783, new Headers(), undefined, { timeoutMs: 5000, signal: stop.signal });
  assert.equal(await settled(never), 'aborted');
  const asked = await it.end.message(60783);
  it.end.send(REPLY, replyTo(asked), 'late');
  assert.equal(text(await it.arrived(({ type }) => type === REPLY)), 'late');
  const open = it.channel.request(60783, new Headers(), undefined, { timeoutMs: 5000 });
  it.end.socket.destroy();
  assert.match(String(await settled(open)), /^channel_(closed|lost)$/);
});

test('requests without answers are bounded', async () => {
  await using it = await opened();
  const many = Array.from({ length: LIMITS.channelRequests }, () =>
    settled(it.channel.request(60783, new Headers(), undefined, { timeoutMs: 60_000 })),
  );
  const one = it.channel.request(60783, new Headers(), undefined, { timeoutMs: 60_000 });
  assert.equal(await settled(one), 'too_many_requests');
  await it.channel.close();
  assert.deepEqual([...new Set(await Promise.all(many))], ['channel_closed']);
});

test('probes are answered as a router does, with what they carry', async () => {
  await using it = await opened();
  for (const type of [3, 1]) {
    const stamp = Buffer.from('0011223344556677', 'hex');
    it.end.socket.write(encodeMessage(type, 77, new Headers().setBytes(128, stamp), Buffer.alloc(0)));
    const { headers } = await it.end.message(2);
    assert.deepEqual([headers.i32(1), headers.bool(2), headers.size], [77, true, 3]);
    assert.ok(stamp.equals(headers.bytes(128) ?? stamp.subarray(1)));
    it.end.socket.write(encodeMessage(type, 78, new Headers(), Buffer.alloc(0)));
    const bare = await it.end.message(2);
    assert.deepEqual([bare.headers.i32(1), bare.headers.size], [78, 2]);
  }
});

test('the round trip is known, and its answers are not counted as messages', async () => {
  await using it = await opened();
  it.channel.send(DATA, new Headers());
  await it.end.message(DATA);
  it.end.send(DATA, new Headers(), 'x');
  await it.arrived(() => true);
  assert.ok((it.channel.rttMs ?? -1) >= 0, 'the probe was sent first');
  const { received } = await it.channel.close();
  assert.equal(received, 1);
});

test('unknown messages of applications go up, unknown ones of the channel are ignored', async () => {
  await using it = await opened();
  for (const type of [0, 2, 4, 5, 6, 999, -1, -60786]) it.end.send(type, new Headers(), 'ignored');
  for (const type of [1000, 1101, 60799, 2 ** 31 - 1]) it.end.send(type, new Headers(), 'up');
  await it.arrived(({ type }) => type === 2 ** 31 - 1);
  assert.deepEqual(
    it.messages.map(({ type }) => type),
    [1000, 1101, 60799, 2 ** 31 - 1],
  );
});

test('a router that lies about answers does no harm', async () => {
  await using it = await opened();
  const request = it.channel.request(60783, new Headers(), undefined, { timeoutMs: 5000 });
  const asked = await it.end.message(60783);
  for (const replyFor of [0, 1, -1, asked.sequence + 1, 2 ** 31 - 1, -(2 ** 31)]) {
    it.end.send(REPLY, new Headers().setI32(1, replyFor), 'lie');
  }
  it.end.send(REPLY, new Headers().setBytes(1, new Uint8Array(3)), 'lie');
  it.end.send(REPLY, replyTo(asked), 'truth');
  it.end.send(REPLY, replyTo(asked), 'again');
  assert.equal(text(await request), 'truth');
  await it.arrived((message) => text(message) === 'again');
  assert.deepEqual(new Set(it.messages.map(text)), new Set(['lie', 'again']));
});

test('garbage closes the channel with its code, after what came before', async () => {
  for (const [garbage, code] of [
    [Buffer.alloc(40, 0xee), 'frame_bad_magic'],
    [Buffer.from('0306090a02000000', 'hex'), 'frame_version_unknown'],
    [Buffer.from(`0306090c${'00'.repeat(12)}01000001`, 'hex'), 'frame_body_too_large'],
    [Buffer.from(`0306090c${'00'.repeat(8)}0000000100000000`, 'hex'), 'frame_headers_too_large'],
    [Buffer.from(`0306090c${'00'.repeat(8)}0400000000000000deadbeef`, 'hex'), 'frame_headers_malformed'],
  ] as const) {
    await using it = await opened();
    const request = it.channel.request(60783, new Headers(), undefined, { timeoutMs: 5000 });
    it.end.socket.write(Buffer.concat([it.end.frame(DATA, new Headers(), 'before'), garbage]));
    const { by, error } = await it.channel.closed;
    assert.deepEqual([by, error.code, error.name], ['fault', code, 'ZitiError']);
    assert.equal(await settled(request), code);
    assert.deepEqual(it.messages.map(text), ['before']);
    assert.throws(() => it.channel.send(DATA, new Headers()), { code });
    if (!it.end.socket.closed) await new Promise((resolve) => it.end.socket.once('close', resolve));
  }
});

test('the end says who ended it', async () => {
  for (const [act, by, code] of [
    [(it: Opened) => it.end.socket.end(), 'router', 'channel_closed'],
    [(it: Opened) => it.end.socket.end(it.end.frame(DATA).subarray(0, 10)), 'router', 'channel_lost'],
    [(it: Opened) => it.channel.close('enough'), 'us', 'channel_closed'],
  ] as const) {
    await using it = await opened();
    void act(it);
    const reason = await it.channel.closed;
    assert.deepEqual([reason.by, reason.error.code, reason.received], [by, code, 0]);
    assert.ok(reason.ageMs >= 0 && reason.ageMs < 5000);
    assert.equal(await it.channel.close(), reason);
  }
});

for (const underlay of ['tls', 'wss'] as const) {
  test(`${underlay}: a channel that was cut off is lost`, async () => {
    await using relay = await startRelay();
    await using it = await opened({ underlay }, { proxy: relay.openSocket });
    const request = it.channel.request(60783, new Headers(), undefined, { timeoutMs: 5000 });
    await it.end.message(60783);
    relay.reset();
    const { by, error } = await it.channel.closed;
    assert.deepEqual([by, error.code], ['fault', 'channel_lost']);
    assert.match(error.message, /ECONNRESET$/);
    assert.equal(await settled(request), 'channel_lost');
  });
}

test('closing sends what is queued, then nothing goes in or out', async () => {
  await using it = await opened();
  const body = Buffer.alloc(3_000_000, 1);
  it.channel.send(DATA, new Headers(), body);
  const request = it.channel.request(60783, new Headers(), Buffer.from('last'), { timeoutMs: 5000 });
  const closing = it.channel.close('done');
  assert.throws(() => it.channel.send(DATA, new Headers()), { code: 'channel_closed', message: /: done$/ });
  assert.equal(await settled(request), 'channel_closed');
  assert.equal(it.channel.writable, false);
  it.end.send(DATA, new Headers(), 'too late');
  assert.equal((await it.end.message(DATA)).body.length, body.length);
  assert.equal(text(await it.end.message(60783)), 'last');
  assert.equal((await closing).by, 'us');
  assert.deepEqual(it.messages, []);
});

test('closing does not wait for a router that takes nothing', async () => {
  const clock = manualClock();
  await using it = await opened({}, { clock });
  it.end.socket.pause();
  it.channel.send(DATA, new Headers(), Buffer.alloc(15_000_000));
  const closing = it.channel.close();
  await clock.advance(1000);
  assert.equal((await closing).error.code, 'channel_closed');
});

test('a silent router is given up', async () => {
  const clock = manualClock();
  await using it = await opened({ answersProbes: false }, { clock });
  const request = settled(it.channel.request(60783, new Headers(), undefined, { timeoutMs: 100_000 }));
  it.channel.pause();
  await clock.advance(60_000);
  it.channel.resume();
  await clock.advance(40_000);
  const { by, error } = await it.channel.closed;
  assert.deepEqual([by, error.code], ['fault', 'channel_silent']);
  assert.match(error.message, /^edge router tls:127\.0\.0\.1:[0-9]+ has said nothing for 3[01] s$/);
  assert.equal(await request, 'channel_silent');
});

test('messages that are too large to be sent are refused, and the channel lives', async () => {
  await using it = await opened();
  const large = new Headers().setBytes(1, Buffer.alloc(LIMITS.frameHeaderBytes));
  const many = new Headers();
  for (let key = 0; key <= LIMITS.frameHeaders; key += 1) many.setU8(key, 0);
  for (const [headers, body, code] of [
    [new Headers(), Buffer.alloc(LIMITS.frameBodyBytes + 1), 'frame_body_too_large'],
    [large, Buffer.alloc(0), 'frame_headers_too_large'],
    [many, Buffer.alloc(0), 'frame_too_many_headers'],
  ] as const) {
    assert.throws(() => it.channel.send(DATA, headers, body), { code });
    assert.equal(await settled(it.channel.request(DATA, headers, body, { timeoutMs: 10 })), code);
  }
  it.channel.send(DATA, new Headers(), Buffer.alloc(LIMITS.frameBodyBytes));
  assert.equal((await it.end.message(DATA)).body.length, LIMITS.frameBodyBytes);
});
