// One connection over a channel without a router: bytes, frames, ends, and what goes wrong.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { EDGE_HEADERS, EDGE_TYPES, FLAGS } from '../../src/edge/ids.ts';
import { flagsOf, onConnection } from '../../src/edge/messages.ts';
import { type ScriptedEnd, scriptedPair } from '../../src/testing/scripted-pair.ts';
import { coded, everything, over } from '../streams.ts';

const data = ({ channel }: ScriptedEnd) => channel.sent.filter(({ type }) => type === EDGE_TYPES.data);
const closes = ({ channel }: ScriptedEnd) => channel.sent.filter(({ type }) => type === EDGE_TYPES.stateClosed);

for (const encrypted of [true, false]) {
  const kind = encrypted ? 'an encrypted' : 'a plain';

  test(`${kind} connection carries both directions, each with an end of its own`, async () => {
    const { dialer, host } = await scriptedPair({ encrypted });
    await Promise.all([dialer.connection.secured(), host.connection.secured()]);
    dialer.connection.end('question');
    assert.equal(String(await everything(host.connection)), 'question');
    host.connection.write('ans');
    await turn();
    host.connection.end('wer');
    assert.equal(String(await everything(dialer.connection)), 'answer');
    assert.deepEqual(await Promise.all([over(dialer.connection), over(host.connection)]), [undefined, undefined]);
  });

  test(`${kind} connection sends at most 16 KiB in one frame, and every size arrives`, async () => {
    for (const size of [1, 16_383, 16_384, 16_385, 100_000]) {
      const { dialer, host } = await scriptedPair({ encrypted });
      const sent = randomBytes(size);
      dialer.connection.end(sent);
      assert.deepEqual(await everything(host.connection), sent);
      const bodies = data(dialer).map(({ body }) => body.length);
      assert.ok(Math.max(...bodies) <= 16_384 + (encrypted ? 17 : 0), `${size}: ${bodies}`);
    }
  });

  test(`${kind} connection lets go of a written buffer when it says so`, async () => {
    const { dialer, host, flow } = await scriptedPair({ encrypted, held: true });
    const buffer = Buffer.from('as it was');
    await new Promise((done) => dialer.connection.write(buffer, done));
    buffer.fill('x');
    flow();
    dialer.connection.end();
    assert.equal(String(await everything(host.connection)), 'as it was');
  });

  test(`${kind} connection takes the text of a frame that also ends, and nothing behind it`, async () => {
    const { dialer, host, wire, step } = await scriptedPair({ encrypted, held: true });
    while (step('host'));
    dialer.connection.write('last words');
    dialer.connection.write('too late');
    const [last, late] = wire.filter(({ to }) => to === 'host');
    assert.ok(last && late);
    const ending = onConnection(2 ** 31).setU32(EDGE_HEADERS.flags, FLAGS.fin);
    host.channel.arrive(EDGE_TYPES.data, ending, last.message.body);
    host.channel.arrive(EDGE_TYPES.data, onConnection(2 ** 31), late.message.body);
    assert.equal(String(await everything(host.connection)), 'last words');
  });
}

test('the end of a direction is an empty frame with FIN, not encrypted, and both ends are followed by a close', async () => {
  const { dialer, host } = await scriptedPair();
  dialer.connection.resume().end();
  host.connection.resume().end();
  await Promise.all([over(dialer.connection), over(host.connection)]);
  const [header, fin, ...more] = data(dialer);
  assert.equal(header?.body.length, 24);
  assert.deepEqual([fin && flagsOf(fin), fin?.body.length, more.length], [FLAGS.fin, 0, 0]);
  assert.equal(closes(dialer).length + closes(host).length, 1, 'whoever is first closes, the other has heard of it');
  assert.equal(dialer.edge.connections + host.edge.connections, 0);
});

test('both ends of an encrypted connection have the same binding, no two connections, and plain ones none', async () => {
  const pairs = await Promise.all([scriptedPair(), scriptedPair(), scriptedPair({ encrypted: false })]);
  const bindings = pairs.map(({ dialer, host }) => [dialer.connection.binding, host.connection.binding]);
  const [[a, b] = [], [c, d] = [], plain] = bindings;
  assert.equal(a?.length, 32);
  assert.deepEqual([a, c], [b, d]);
  assert.notDeepEqual(a, c);
  assert.deepEqual(plain, [null, null]);
});

test('before the peer has begun its stream there is no binding, and `secured` waits for it', async () => {
  const { dialer, flow } = await scriptedPair({ held: true });
  let secured = false;
  const waiting = dialer.connection.secured().then(() => {
    secured = true;
  });
  await turn();
  assert.deepEqual([secured, dialer.connection.binding], [false, null]);
  flow();
  await waiting;
  assert.equal(dialer.connection.binding?.length, 32);
});

test('small writes that wait for room leave in one frame', async () => {
  const { dialer, host } = await scriptedPair();
  dialer.channel.setWritable(false);
  for (let n = 0; n < 500; n += 1) dialer.connection.write(`line ${n}\n`);
  assert.equal(data(dialer).length, 1, 'only the header has left');
  dialer.channel.setWritable(true);
  await turn();
  dialer.connection.end();
  const received = String(await everything(host.connection));
  assert.equal(received.split('\n').length, 501);
  assert.ok(data(dialer).length <= 5, `${data(dialer).length} frames`);
});

test('a write waits for room, and a connection that is destroyed stops waiting', async () => {
  const { dialer } = await scriptedPair();
  dialer.channel.setWritable(false);
  let written: Error | null | undefined;
  dialer.connection.write('waits', (error) => {
    written = error;
  });
  await turn();
  assert.deepEqual([written, dialer.channel.waiters], [undefined, 1]);
  dialer.connection.destroy();
  await over(dialer.connection);
  assert.ok(coded('connection_closed')(written));
  assert.equal(dialer.channel.waiters, 0);
});

test('a close by the peer is the end of what it sent, and then the end', async () => {
  const { dialer, host } = await scriptedPair();
  host.connection.write('answer');
  host.connection.close('no more');
  const [close] = closes(host);
  assert.equal(String(close?.body), 'no more');
  assert.equal(String(await everything(dialer.connection)), 'answer');
  assert.equal(await over(dialer.connection), undefined);
  assert.equal(closes(dialer).length, 0, 'what is closed is not closed again');
});

test('where ends are ended, a close by the peer is an error behind what it sent', async () => {
  const { dialer, host } = await scriptedPair({ closeMeans: 'error' });
  host.connection.write('half an ans');
  host.connection.close();
  const chunks: Buffer[] = [];
  dialer.connection.on('data', (chunk) => chunks.push(chunk));
  assert.ok(coded('connection_closed')(await over(dialer.connection)));
  assert.equal(String(Buffer.concat(chunks)), 'half an ans');
});

test('where ends are ended, two that end their halves part without an error, whatever crosses on the way', async () => {
  const { dialer, host, flow } = await scriptedPair({ closeMeans: 'error', held: true });
  dialer.connection.resume().end('q');
  host.connection.resume().end('a');
  flow();
  assert.deepEqual(await Promise.all([over(dialer.connection), over(host.connection)]), [undefined, undefined]);
});

test('a peer that ends its half and then leaves while we still speak: an error only where ends are ended', async () => {
  for (const closeMeans of ['end', 'error'] as const) {
    const { dialer, host } = await scriptedPair({ closeMeans });
    host.connection.end('answer');
    assert.equal(String(await everything(dialer.connection)), 'answer');
    host.connection.close();
    const error = await over(dialer.connection);
    if (closeMeans === 'end') assert.equal(error, undefined);
    else assert.ok(coded('connection_closed')(error), String(error));
  }
});

test('an end for a reason of the network is an error that names it', async () => {
  const { dialer } = await scriptedPair();
  dialer.channel.arrive(EDGE_TYPES.stateClosed, onConnection(1), 'session closed');
  const error = await over(dialer.connection);
  assert.ok(coded('connection_lost')(error));
  assert.match(String(error), /session closed/);
});

test('a lost channel is an error behind what arrived, for every connection on it', async () => {
  const { dialer, host } = await scriptedPair();
  host.connection.write('was here');
  await dialer.channel.end('router');
  await turn();
  assert.equal(dialer.connection.destroyed, false, 'there is something to read');
  const chunks: Buffer[] = [];
  dialer.connection.on('data', (chunk) => chunks.push(chunk));
  const error = await over(dialer.connection);
  assert.ok(coded('connection_lost')(error));
  assert.match(String(error), /router scripted/);
  assert.equal(String(Buffer.concat(chunks)), 'was here');
});

test('a writer that waits for room learns that the peer has closed', async () => {
  const { dialer, host } = await scriptedPair();
  dialer.channel.setWritable(false);
  const written = new Promise((done) => dialer.connection.write('never leaves', done));
  host.connection.close();
  assert.ok(coded('connection_closed')(await over(dialer.connection)));
  assert.ok(coded('connection_closed')(await written));
});

test('a write after the peer closed fails, and what the peer said before can still be read', async () => {
  const { dialer, host } = await scriptedPair();
  host.connection.write('413 too large');
  host.connection.close();
  dialer.connection.write('still uploading');
  await turn();
  assert.equal(String(dialer.connection.read()), '413 too large');
  dialer.connection.resume();
  assert.ok(coded('connection_closed')(await over(dialer.connection)));
});

test('a write after the peer closed fails in the end, though nobody reads what the peer said', async () => {
  const { dialer, host } = await scriptedPair({ timing: { lingerMs: 20 } });
  host.connection.write('unread');
  host.connection.close();
  dialer.connection.write('into the void');
  assert.ok(coded('connection_closed')(await over(dialer.connection)));
});

test('a first frame that is no header, and a changed one later, end the connection and nothing else', async () => {
  const { dialer, host, wire, flow } = await scriptedPair({ held: true });
  dialer.channel.arrive(EDGE_TYPES.data, onConnection(1), randomBytes(23));
  assert.ok(coded('crypto_header_invalid')(await over(dialer.connection)));
  await assert.rejects(dialer.connection.secured(), coded('crypto_header_invalid'));
  flow();
  assert.equal(wire.length, 0);
  host.connection.destroy();
  const other = await scriptedPair();
  other.dialer.connection.write('good');
  const good = data(other.dialer).at(-1);
  assert.ok(good);
  other.host.channel.arrive(EDGE_TYPES.data, onConnection(2 ** 31), good.body);
  const error = await over(other.host.connection);
  assert.ok(coded('crypto_message_invalid')(error), 'the same message twice');
  assert.equal(closes(other.host).length, 1, 'the peer is told');
  assert.equal(other.host.channel.isOver, false, 'the channel lives');
});

test('an end before the keys are there makes `secured` reject', async () => {
  const { dialer } = await scriptedPair({ held: true });
  dialer.channel.arrive(EDGE_TYPES.stateClosed, onConnection(1), 'close called');
  await assert.rejects(dialer.connection.secured(), coded('connection_closed'));
  assert.ok(dialer.connection.destroyed);
});

test('frames of several messages are taken apart, broken ones end the connection', async () => {
  const { host } = await scriptedPair({ encrypted: false });
  const headers = onConnection(2 ** 31).setU32(EDGE_HEADERS.flags, FLAGS.multipartMessage);
  host.channel.arrive(EDGE_TYPES.data, headers, Buffer.from('0300616263000002006465', 'hex'));
  assert.equal(String(host.connection.read()), 'abcde');
  host.channel.arrive(EDGE_TYPES.data, headers, Buffer.from('ff00616263', 'hex'));
  assert.ok(coded('connection_violation')(await over(host.connection)));
});

test('empty messages are legal and say nothing', async () => {
  const { dialer, host } = await scriptedPair();
  dialer.connection.write('');
  dialer.connection.write('x');
  dialer.connection.end();
  assert.equal(String(await everything(host.connection)), 'x');
});

test('destroying says so once, with the reason, and forgets the id', async () => {
  const { dialer } = await scriptedPair();
  dialer.connection.close('because of the test');
  dialer.connection.close('again');
  await over(dialer.connection);
  assert.deepEqual(
    closes(dialer).map(({ body }) => String(body)),
    ['because of the test'],
  );
  assert.equal(dialer.edge.connections, 0);
});

test('an error that nobody listens for does not end the process', async () => {
  const { dialer } = await scriptedPair();
  dialer.connection.destroy(new Error('unheard'));
  assert.match(String(await over(dialer.connection)), /unheard/);
});
