// The small parts: event reading, compaction, Accept, event ids.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compactJson } from '../../../src/transports/http/compact.ts';
import { EventReader } from '../../../src/transports/http/event-reader.ts';
import { readEventId } from '../../../src/transports/http/event-stream.ts';
import { accepts, mediaType } from '../../../src/transports/http/wire.ts';
import { Inbox } from '../../../src/transports/inbox.ts';
import { line } from './harness.ts';

const RUNS = process.env.TEST_LONG === undefined ? 300 : 10_000;

interface Seen {
  events: { name: string; data: string; id: string | undefined }[];
  retries: number[];
  tooLong: { head: string; tail: string; bytes: number }[];
}

function reader(maxBytes = 1 << 20): { seen: Seen; push(bytes: Buffer): void } {
  const seen: Seen = { events: [], retries: [], tooLong: [] };
  const events = new EventReader(maxBytes, {
    event: (name, data, id) => seen.events.push({ name, data: data.toString('latin1'), id }),
    retry: (ms) => seen.retries.push(ms),
    tooLong: ({ head, tail, bytes }) => seen.tooLong.push({ head: String(head), tail: String(tail), bytes }),
  });
  return { seen, push: (bytes) => events.push(bytes) };
}

const STREAM = Buffer.concat([
  Buffer.from(': hello\r\n\r\nid: 1-0\nretry: 250\ndata:\n\n'),
  Buffer.from('event: endpoint\r\ndata: /x?sessionid=1\r\n\r\n'),
  Buffer.from('data: {"a":"grüße 🌍"}\nid: 1-1\n\n\n\n'),
  Buffer.from('data: line 1\rdata: line 2\r\r'),
  Buffer.from('unknown: field\nnocolon\ndata:no space\n\n'),
  Buffer.concat([Buffer.from('data: '), Buffer.from([0xff, 0xfe, 0x00]), Buffer.from('\n\n')]),
  Buffer.from('data: never ended'),
]);

function whole(): Seen {
  const { seen, push } = reader();
  push(STREAM);
  return seen;
}

test('events are read byte for byte, invalid UTF-8 included', () => {
  const utf8 = Buffer.from('{"a":"grüße 🌍"}').toString('latin1');
  assert.deepEqual(whole(), {
    events: [
      { name: 'message', data: '', id: '1-0' },
      { name: 'endpoint', data: '/x?sessionid=1', id: undefined },
      { name: 'message', data: utf8, id: '1-1' },
      { name: 'message', data: 'line 1\nline 2', id: undefined },
      { name: 'message', data: 'no space', id: undefined },
      { name: 'message', data: '\xff\xfe\x00', id: undefined },
    ],
    retries: [250],
    tooLong: [],
  });
});

test('a stream split at every byte, and in single bytes, gives the same events', () => {
  for (let at = 0; at <= STREAM.length; at += 1) {
    const { seen, push } = reader();
    push(STREAM.subarray(0, at));
    push(STREAM.subarray(at));
    assert.deepEqual(seen, whole(), `split at ${at}`);
  }
  const { seen, push } = reader();
  for (const byte of STREAM) push(Buffer.of(byte));
  assert.deepEqual(seen, whole());
});

test('any stream in any pieces gives what it gives in one piece', () => {
  const token = fc.constantFrom(
    'data:',
    'data: x',
    'id: 7',
    'event: e',
    ':',
    '\n',
    '\r',
    '\r\n',
    '\n\n',
    'retry: 5',
    'ü',
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 40 }), fc.array(fc.nat(200), { maxLength: 6 }), (tokens, cuts) => {
      const bytes = Buffer.from(tokens.join(''));
      const one = reader();
      one.push(bytes);
      const many = reader();
      const borders = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
      for (let n = 1; n < borders.length; n += 1) many.push(bytes.subarray(borders[n - 1], borders[n]));
      assert.deepEqual(many.seen, one.seen);
    }),
    { numRuns: RUNS },
  );
});

test('an event over the cap is skipped, its ends told, and the next one read, in any pieces', () => {
  const long = `data: {"id":5,"x":"${'y'.repeat(30_000)}","z":1}`;
  const stream = Buffer.from(`data: before\n\nid: 3\n${long}\n\ndata: after\n\n`);
  for (const size of [1, 2, 7, 100, 4096, 65536]) {
    const { seen, push } = reader(10_000);
    for (let at = 0; at < stream.length; at += size) push(stream.subarray(at, at + size));
    if (size < 65536) {
      assert.deepEqual(
        seen.events.map(({ data }) => data),
        ['before', 'after'],
        `pieces of ${size}`,
      );
      assert.equal(seen.tooLong.length, 1);
      assert.match(seen.tooLong[0]?.head ?? '', /^\{"id":5,"x":"y/);
      assert.match(seen.tooLong[0]?.tail ?? '', /"z":1\}\n\n$/);
      assert.ok((seen.tooLong[0]?.bytes ?? 0) > 30_000);
    } else {
      // One piece holds it whole: whoever reads the message judges its size.
      assert.equal(seen.events.length, 3);
    }
  }
});

test('time is linear in a stream of lone carriage returns', () => {
  const millis = (bytes: number): number => {
    const { push } = reader();
    const chunk = Buffer.alloc(bytes, '\r');
    const begin = process.cpuUsage().user;
    push(chunk);
    return process.cpuUsage(undefined).user - begin;
  };
  millis(200_000);
  const small = Math.max(millis(200_000), 2000);
  const large = millis(3_200_000);
  assert.ok(large < small * 16 * 8, `${small} µs, then ${large} µs for 16 times as much`);
});

test('compaction gives one line and the same value, or leaves what is broken broken', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom('\n', '\r\n', '\t'), (text, indent) => {
      const value: unknown = JSON.parse(text);
      const pretty = JSON.stringify(value, null, 2).replaceAll('\n', indent);
      const compact = compactJson(Buffer.from(pretty)).toString('utf8');
      assert.ok(!/[\r\n]/.test(compact));
      assert.deepEqual(JSON.parse(compact), value);
    }),
    { numRuns: RUNS },
  );
  assert.equal(String(compactJson(Buffer.from('{"a":\n"b\nc\\"\n"\r\n}'))), '{"a": "b\nc\\"\n"  }');
  assert.equal(String(compactJson(Buffer.from('"\\\\"\n'))), '"\\\\" ');
});

test('Accept and media types are read as RFC 9110 writes them', () => {
  assert.equal(mediaType('Text/Event-Stream ; charset=utf-8'), 'text/event-stream');
  assert.equal(mediaType(undefined), '');
  for (const [accept, expected] of [
    ['application/json', true],
    ['APPLICATION/JSON;q=0.1', true],
    ['text/html, */*;q=0.8', true],
    ['application/*', true],
    ['application/json;q=0', false],
    ['application/json; q=0.000', false],
    ['application/jsonx', false],
    ['text/*', false],
    ['', false],
  ] as const) {
    assert.equal(accepts(accept, 'application/json'), expected, accept);
  }
});

test('only event ids of our making are read', () => {
  assert.deepEqual(readEventId('c12-345'), { stream: 'c12', sequence: 345 });
  for (const text of ['', 'c-1', 'c1-', '1-1', 'c1-1x', 'c1--1', `c1-${'9'.repeat(16)}`, 'C1-1']) {
    assert.equal(readEventId(text), undefined, text);
  }
});

test('an inbox delivers in order, never while paused, never from inside start, and closes last', async () => {
  const inbox = new Inbox();
  const got: string[] = [];
  const message = (id: number): void => inbox.push(line({ jsonrpc: '2.0', id, method: 'm' }));
  message(1);
  let inside = true;
  inbox.start({
    message: ({ id }) => {
      assert.equal(inside, false);
      got.push(id ?? '');
      // The owner pauses in the middle of what waits.
      if (id === '2') inbox.pause();
    },
    fault: () => {},
    closed: ({ code }) => got.push(code),
  });
  message(2);
  message(3);
  inside = false;
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(got, ['1', '2']);
  message(4);
  inbox.resume();
  message(5);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(got, ['1', '2', '3', '4', '5']);
  inbox.pause();
  message(6);
  inbox.close({ code: 'away', reason: '' });
  message(7);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(got.slice(5), ['6', 'away']);
});
