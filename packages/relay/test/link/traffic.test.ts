// What goes over an established link: control lines, faults, caps, silence, back-pressure.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestMessage, resultMessage } from '../../src/json-rpc.ts';
import { LIMITS, type Limits } from '../../src/limits.ts';
import type { HostLink } from '../../src/link/hosted-link.ts';
import { MESSAGE_OVERHEAD_BYTES } from '../../src/link/resend-buffer.ts';
import {
  call,
  HandClock,
  hello,
  type MemoryEnd,
  note,
  numbered,
  type Raw,
  type Recorder,
  Recorder as Remember,
  rawDial,
  type Stage,
  settle,
  stage,
  WELCOME,
} from './support.ts';

interface Spoken {
  readonly raw: Raw;
  readonly link: HostLink;
  readonly recorder: Recorder;
  readonly clock: HandClock;
  readonly scene: Stage;
  readonly id: string;
}

/** A link whose dialer is spoken by hand. */
async function spoken(limits: Partial<Limits> = {}): Promise<Spoken> {
  const clock = new HandClock();
  const scene = stage({ clock, limits });
  const raw = rawDial(scene.host);
  raw.write(hello());
  const { link: id } = await raw.json(WELCOME);
  const [opened] = scene.hosted;
  if (!opened) throw new Error('no link was opened');
  return { raw, link: opened.link, recorder: opened.recorder, clock, scene, id: String(id) };
}

const json = (text: string): string => JSON.stringify({ jsonrpc: '2.0', method: 'note', params: { text } });

test('acknowledgements are batched: 64 messages, 256 KiB, or 100 ms', async () => {
  const { raw, recorder, clock } = await spoken();
  raw.write(...numbered('m', 64).map(json));
  assert.equal(await raw.line(), '!ack 64');
  raw.write(...numbered('m', 5).map(json));
  await recorder.upTo(69);
  await clock.pass(99);
  raw.write('!ping 1');
  assert.equal(await raw.line(), '!pong 1');
  await clock.pass(1);
  assert.equal(await raw.line(), '!ack 69');
  raw.write(json('x'.repeat(256 * 1024)));
  assert.equal(await raw.line(), '!ack 70');
});

test('an acknowledgement of 16 messages goes with the next message', async () => {
  const { raw, link, recorder } = await spoken();
  raw.write(...numbered('m', 15).map(json));
  await recorder.upTo(15);
  link.send(note('one'));
  assert.match((await raw.line()) ?? '', /"one"/);
  raw.write(json('m16'));
  await recorder.upTo(16);
  link.send(note('two'));
  const both = [await raw.line(), await raw.line()];
  assert.ok(both.includes('!ack 16'), both.join(' '));
});

test('acknowledgements: older and equal ones change nothing, one beyond what was sent ends the link', async () => {
  const { raw, link, recorder } = await spoken();
  for (const text of numbered('m', 3)) link.send(note(text));
  for (let n = 0; n < 3; n += 1) await raw.line();
  for (const n of [0, 2, 1, 2, 0]) raw.write(`!ack ${n}`);
  await settle();
  assert.deepEqual([link.stats().acked, link.stats().state], [2, 'up']);
  assert.equal(link.stats().bytesHeld, note('m3').bytes.length + MESSAGE_OVERHEAD_BYTES);
  raw.write('!ack 4');
  assert.deepEqual(await recorder.closed, { code: 'link_protocol', reason: 'more was acknowledged than sent' });
  assert.equal(await raw.line(), '!close {"code":"link_protocol","reason":"more was acknowledged than sent"}');
  assert.equal(await raw.line(), null);
});

test('a message that was queued but never written cannot be acknowledged', async () => {
  const { raw, link, recorder } = await spoken({ softQueueBytes: 100 });
  link.send(note('first'));
  link.send(note('behind the window'));
  await raw.line();
  raw.write('!ack 2');
  assert.equal((await recorder.closed).code, 'link_protocol');
});

test('unknown words and what follows a known argument are ignored; malformed known words end the link', async () => {
  const { raw, recorder } = await spoken();
  raw.write(
    '!compress zstd',
    '!',
    '!proof {"token":"t"}',
    '!acknowledge 9',
    '!ping 7 please',
    '',
    '\r',
    json('still here'),
  );
  assert.equal(await raw.line(), '!pong 7');
  await recorder.upTo(1);
  assert.deepEqual(recorder.texts, ['still here']);
  for (const line of [
    '!ack x',
    '!ack',
    '!ping 99999999999999999',
    `!close {"reason":"${'x'.repeat(LIMITS.preambleBytes)}"}`,
  ]) {
    const bad = await spoken();
    bad.raw.write(line);
    assert.equal((await bad.recorder.closed).code, 'link_protocol', line.slice(0, 30));
    assert.equal(bad.scene.host.count(), 0);
  }
});

test('a control line longer than any message ends the link in bounded memory', async () => {
  const { raw, recorder } = await spoken({ messageBytes: 100_000 });
  raw.write(`!close ${'x'.repeat(200_000)}`);
  assert.deepEqual(await recorder.closed, { code: 'link_protocol', reason: 'a control line is too long' });
});

test('many pings are answered by the latest, and none makes a queue', async () => {
  const { raw } = await spoken();
  raw.write(...Array.from({ length: 1000 }, (_, n) => `!ping ${n}`), json('x'));
  const pongs: string[] = [];
  for (let line = await raw.line(); pongs.length < 1000; line = await raw.line()) {
    pongs.push(line ?? '');
    if (line === '!pong 999') break;
  }
  assert.equal(pongs.at(-1), '!pong 999');
  assert.equal(pongs.length < 20, true);
});

test('calls carry their number, and a malformed one makes the line no JSON', async () => {
  const { raw, recorder } = await spoken();
  const good = ['@1 ', '@9007199254740991 ', '@17 '];
  const bad = ['@0 ', '@01 ', '@9007199254740992 ', '@99999999999999999 ', '@x ', '@', '@1', '@1\t', '@-1 ', '@ '];
  raw.write(...good.map((prefix) => prefix + json('a')), ...bad.map((prefix) => prefix + json('b')), json('c'));
  await recorder.upTo(good.length + bad.length + 1);
  assert.deepEqual(recorder.texts, ['@1 a', '@9007199254740991 a', '@17 a', 'c']);
  assert.deepEqual(
    recorder.faults.map(({ code }) => code),
    bad.map(() => 'not_json'),
  );
});

test('lines that are no messages are counted, reported and survived', async () => {
  const { raw, recorder, clock, scene, id } = await spoken({ messageBytes: 2000, jsonDepth: 5 });
  raw.write(
    'garbage',
    '{"jsonrpc":"2.0",',
    `{"jsonrpc":"2.0","id":7,"method":"x","params":${'['.repeat(9)}${']'.repeat(9)}}`,
    '[]',
  );
  raw.end.write(Buffer.from([0x7b, 0xff, 0xfe, 0x7d, 0x0a]));
  raw.write(json('fine'));
  raw.write(`{"jsonrpc":"2.0","id":"big","method":"x","params":{"x":"${'y'.repeat(5000)}"}}`);
  raw.write(`@5 {"jsonrpc":"2.0","id":6,"method":"x","params":{"x":"${'y'.repeat(1_000_000)}"}}`);
  raw.write(json('too'));
  await recorder.upTo(9);
  assert.deepEqual(recorder.texts, ['fine', 'too']);
  assert.deepEqual(
    recorder.faults.map(({ code, id }) => [code, id]),
    [
      ['not_json', undefined],
      ['not_json', undefined],
      ['too_deep', '7'],
      ['batch', undefined],
      ['invalid_utf8', undefined],
      ['message_too_large', '"big"'],
      ['message_too_large', '6'],
    ],
  );
  await clock.pass(100);
  assert.equal(await raw.line(), '!ack 9');
  raw.end.destroy();
  await settle();
  const again = rawDial(scene.host);
  again.write(hello({ link: id }));
  assert.equal((await again.json(WELCOME)).got, 9);
});

test('a message of exactly the cap passes, with and without a call number, one byte more does not', async () => {
  const { raw, recorder } = await spoken({ messageBytes: 1000 });
  const sized = (bytes: number): string => json('x'.repeat(bytes - json('').length));
  raw.write(sized(1000), `@9007199254740991 ${sized(1000)}`, sized(1001), `@1 ${sized(1001)}`, json('end'));
  await recorder.upTo(5);
  assert.deepEqual([recorder.texts.length, recorder.faults.length], [3, 2]);
  assert.deepEqual(
    recorder.faults.map(({ bytes }) => bytes),
    [1001, 1001],
  );
});

test('a message over the cap is never sent: a response becomes an error, a request is answered here, a notification goes', async () => {
  const { raw, link, recorder } = await spoken({ messageBytes: 500 });
  const big = 'x'.repeat(1000);
  link.send(resultMessage('1', big));
  link.send(requestMessage('"r"', 'sampling/createMessage', { big }));
  link.send(note(big));
  link.send(note('after'));
  const error = JSON.parse((await raw.line()) ?? '') as {
    id: number;
    error: { code: number; data: { error: string } };
  };
  assert.deepEqual([error.id, error.error.code, error.error.data.error], [1, -31053, 'message_too_large']);
  assert.match((await raw.line()) ?? '', /after/);
  await settle();
  assert.equal(recorder.messages[0]?.id, '"r"');
  assert.equal(recorder.messages[0]?.kind, 'response');
  assert.equal(link.stats().sent, 2);
});

test('silence: pings at 15, 25 and 35 s, over at 45 s; any byte counts as an answer', async () => {
  const { raw, link, clock } = await spoken();
  await clock.pass(14_999);
  raw.write('!pong 99');
  await settle();
  await clock.pass(14_999);
  assert.equal(link.stats().state, 'up');
  await clock.pass(1);
  assert.equal(await raw.line(), '!ping 1');
  await clock.pass(10_000);
  assert.equal(await raw.line(), '!ping 2');
  raw.end.write('{"half a line":');
  await settle();
  await clock.pass(10_000);
  assert.equal(link.stats().state, 'up');
  await clock.pass(5_000 + 10_000 + 9_999);
  assert.equal(await raw.line(), '!ping 3');
  assert.equal(await raw.line(), '!ping 4');
  assert.equal(link.stats().state, 'up');
  await clock.pass(10_001);
  assert.equal(await raw.line(), '!ping 5');
  assert.equal(link.stats().state, 'down');
  assert.equal(link.stats().lastBreak?.reason, 'nothing was heard for 45 s');
  assert.equal(await raw.line(), null);
});

test('a frozen peer on either side is found within 45 s, and nothing is lost when it comes back', async () => {
  const clock = new HandClock();
  const scene = stage({ clock });
  const dialer = scene.dial();
  const near = new Remember(dialer);
  await dialer.ready;
  const [{ link, recorder }] = scene.hosted as [{ link: HostLink; recorder: Recorder }];
  for (const end of [scene.connections[0], scene.connections[0]?.other]) if (end) end.silent = true;
  dialer.send(note('into the void'));
  link.send(note('and back'));
  await clock.pass(44_999);
  assert.deepEqual([dialer.stats().breaks, link.stats().breaks], [0, 0]);
  await clock.pass(1001);
  await Promise.all([near.upTo(1), recorder.upTo(1)]);
  assert.deepEqual([near.texts, recorder.texts], [['and back'], ['into the void']]);
  assert.equal(dialer.stats().resent, 1);
});

test('an agent that is frozen for an hour keeps its link: a paused end still answers', async () => {
  const clock = new HandClock();
  const scene = stage({ clock });
  const dialer = scene.dial();
  const near = new Remember(dialer);
  await dialer.ready;
  dialer.pause();
  scene.hosted[0]?.link.send(note('waiting'));
  await clock.pass(3_600_000);
  assert.equal(dialer.stats().breaks, 0);
  assert.deepEqual(near.texts, []);
  dialer.resume();
  await near.upTo(1);
});

test('a large message on a slow way is no silence: progress in writing counts', async () => {
  const clock = new HandClock();
  const scene = stage({ clock });
  const dialer = scene.dial();
  new Remember(dialer);
  await dialer.ready;
  const [{ link, recorder }] = scene.hosted as [{ link: HostLink; recorder: Recorder }];
  const far = scene.connections[0]?.other as MemoryEnd;
  // The host's system takes a little now and then; its program hears nothing back but that.
  const { _write } = far.constructor.prototype as MemoryEnd;
  let hold: (() => void) | undefined;
  const near = scene.connections[0] as MemoryEnd;
  near._write = function held(chunk, encoding, done) {
    hold = () => _write.call(this, chunk, encoding, done);
  };
  dialer.send(note('x'.repeat(1_000_000)));
  await settle();
  for (let step = 0; step < 40 && hold; step += 1) {
    await clock.pass(12_000);
    const go = hold as () => void;
    hold = undefined;
    go();
    await settle();
  }
  await recorder.upTo(1);
  assert.equal(dialer.stats().breaks, 0);
  assert.equal(link.stats().breaks, 0);
});

test('a sender is told to stop at its mark and released by acknowledgements', async () => {
  const { raw, link } = await spoken({ resendBytes: 10_000, softQueueBytes: 1_000_000 });
  let sent = 0;
  while (link.send(note('x'.repeat(700)))) sent += 1;
  assert.equal(sent, 9);
  let released = false;
  const drained = link.drained().then(() => {
    released = true;
  });
  for (let n = 0; n < 10; n += 1) await raw.line();
  await settle();
  assert.equal(released, false);
  raw.write('!ack 1');
  await drained;
});

test('one message larger than every mark passes', async () => {
  const scene = stage({ limits: { resendBytes: 1000, softQueueBytes: 1000, hardQueueBytes: 0 } });
  const dialer = scene.dial();
  new Remember(dialer);
  for (const text of ['a', 'b', 'c']) {
    assert.equal(dialer.send(note(text.repeat(50_000))), false);
    await dialer.drained();
  }
  await scene.opened(1);
  await scene.hosted[0]?.recorder.upTo(3);
  assert.equal(dialer.stats().state, 'up');
});

test('a source that ignores the mark is cut off at the hard cap, on both ends', async () => {
  const { raw, link, recorder } = await spoken({ resendBytes: 10_000, hardQueueBytes: 10_000 });
  const sends: boolean[] = [];
  for (let n = 0; n < 30; n += 1) sends.push(link.send(note('x'.repeat(700))));
  assert.equal(recorder.closedWith, undefined);
  assert.equal((await recorder.closed).code, 'queue_full');
  assert.equal(link.stats().bytesHeld, 0);
  for (let line = await raw.line(); line !== null; line = await raw.line()) {
    if (line.startsWith('!close')) assert.match(line, /queue_full/);
  }
});

test('a slow reader holds one window of bytes, not more, and its source is told early', async () => {
  const { raw, link } = await spoken({ softQueueBytes: 10_000, resendBytes: 1_000_000 });
  raw.end.pause();
  let sent = 0;
  while (link.send(note('x'.repeat(700)))) {
    sent += 1;
    await settle();
  }
  assert.equal(sent <= 20, true, `${sent} were taken`);
  const { bytesHeld } = link.stats();
  assert.equal(bytesHeld < 30_000, true, `${bytesHeld} bytes are held`);
});

test('two ends that both stopped delivering still acknowledge, and neither waits for ever', async () => {
  const limits = { softQueueBytes: 20_000, resendBytes: 40_000 };
  const scene = stage({ limits });
  const dialer = scene.dial();
  const near = new Remember(dialer);
  await dialer.ready;
  const [{ link, recorder }] = scene.hosted as [{ link: HostLink; recorder: Recorder }];
  const total = 200;
  // Each side first fills the way with what it was told to send, reading nothing; then reads.
  dialer.pause();
  link.pause();
  const pump = async (end: typeof dialer | HostLink, name: string): Promise<void> => {
    for (const text of numbered(name, total)) if (!end.send(note(`${text} ${'x'.repeat(900)}`))) await end.drained();
  };
  const pumps = Promise.all([pump(dialer, 'n'), pump(link, 'f')]);
  await settle();
  dialer.resume();
  await near.upTo(20);
  // Only one side delivers, and all of the other's messages come: the acknowledgements pass the waiting ones.
  await near.upTo(total);
  link.resume();
  await Promise.all([pumps, recorder.upTo(total)]);
  assert.deepEqual(
    near.texts.map((text) => text.split(' ')[0]),
    numbered('f', total),
  );
  assert.deepEqual(
    recorder.texts.map((text) => text.split(' ')[0]),
    numbered('n', total),
  );
});

test('a peer that ignores the window is read no further, and is bounded', async () => {
  const { raw, link } = await spoken({ softQueueBytes: 10_000, messageBytes: 2000 });
  link.pause();
  const line = json('x'.repeat(900));
  let taken = 0;
  raw.end.on('drain', () => {});
  for (let n = 0; n < 300 && !raw.end.writableNeedDrain; n += 1) {
    raw.write(line);
    taken += 1;
    await settle();
  }
  assert.equal(taken < 40, true, `${taken} were taken`);
  link.resume();
  await new Promise((resolve) => raw.end.once('drain', resolve));
});

test('what arrived before the end is delivered first, also to a reader that was paused', async () => {
  const { raw, link, recorder } = await spoken();
  link.pause();
  raw.write(json('one'), json('two'), '!close {"code":"done","reason":"bye"}');
  assert.equal(await raw.line(), '!close {"code":"done","reason":"bye"}');
  await settle();
  assert.deepEqual([recorder.texts, recorder.closedWith], [[], undefined]);
  link.resume();
  assert.equal((await recorder.closed).code, 'done');
  assert.deepEqual(recorder.texts, ['one', 'two']);
});

test('a break while paused drops what was not delivered, and it comes again, once', async () => {
  const scene = stage();
  const ups: (() => void)[] = [];
  const dialer = scene.dial({ onState: ({ phase }) => phase === 'up' && ups.shift()?.() });
  const near = new Remember(dialer);
  await dialer.ready;
  dialer.pause();
  for (const text of numbered('m', 5)) scene.hosted[0]?.link.send(note(text));
  await settle();
  const again = new Promise<void>((resolve) => ups.push(resolve));
  scene.connections[0]?.die('reset');
  await again;
  await settle();
  dialer.resume();
  scene.hosted[0]?.link.send(note('end'));
  while (near.texts.at(-1) !== 'end') await near.upTo(near.texts.length + 1);
  assert.deepEqual(near.texts, [...numbered('m', 5), 'end']);
});

test('a message that was written in part cannot be claimed, and is not followed by a word', async () => {
  const { raw, link, scene, id } = await spoken();
  raw.end.pause();
  link.send(note('x'.repeat(1_000_000)));
  await settle();
  raw.end.destroy();
  await settle();
  const again = rawDial(scene.host);
  again.write(hello({ link: id, got: 1 }));
  assert.equal(((await again.json(WELCOME)).error as { code: string }).code, 'link_protocol');
  const other = await spoken();
  const seen: string[] = [];
  other.link.send(note('x'.repeat(1_000_000)));
  other.raw.end.once('data', () => other.raw.write('!ack nonsense'));
  other.raw.end.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
  await other.recorder.closed;
  assert.equal(await other.raw.line(), null);
  assert.equal(seen.join('').length < 1_000_000, true);
  assert.equal(seen.join('').includes('!close'), false);
});

test('handlers are never called from inside start, send, resume or close', async () => {
  const scene = stage({ limits: { resendBytes: 500, hardQueueBytes: 500, messageBytes: 400 } });
  const dialer = scene.dial();
  let inside = false;
  let calls = 0;
  const check = (): void => {
    calls += 1;
    assert.equal(inside, false);
  };
  const within = (act: () => unknown): void => {
    inside = true;
    act();
    inside = false;
  };
  await dialer.ready;
  scene.hosted[0]?.link.send(note('before start'));
  await settle();
  within(() => dialer.start({ message: check, fault: check, closed: check }));
  await settle();
  within(() => dialer.pause());
  scene.hosted[0]?.link.send(note('while paused'));
  await settle();
  within(() => dialer.resume());
  within(() => dialer.send(requestMessage('1', 'x', 'y'.repeat(500))));
  await settle();
  within(() => {
    for (let n = 0; n < 10; n += 1) dialer.send(note('z'.repeat(200)));
  });
  within(() => void dialer.close());
  await dialer.close();
  assert.equal(calls, 4);
});

test('calls, messages and faults of a burst leave in one write', async () => {
  const scene = stage();
  const dialer = scene.dial();
  new Remember(dialer);
  await dialer.ready;
  await settle();
  const [near] = scene.connections;
  const writes: number[] = [];
  const write = near?.write.bind(near);
  if (near && write) {
    near.write = ((chunk: Buffer) => {
      writes.push(chunk.length);
      return write(chunk);
    }) as typeof near.write;
  }
  for (let n = 1; n <= 50; n += 1) dialer.send(n % 2 ? call(n, 'x') : note('y'));
  await scene.hosted[0]?.recorder.upTo(50);
  assert.equal(writes.length, 1);
});
