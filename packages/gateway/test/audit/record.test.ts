// What a record is, computed here in the plain way of docs/AUDIT.md, and what strangers can put into one.

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AuditEvent } from '../../src/audit/audit-log.ts';
import { timestamp } from '../../src/audit/clock.ts';
import { eventBody } from '../../src/audit/event-body.ts';
import { argumentKeys } from '../../src/audit/keys.ts';
import { AUDIT_LIMITS } from '../../src/audit/limits.ts';
import { hmac, LineHash, macKey } from '../../src/audit/line-hash.ts';
import { readHead, readTail, segmentName, segmentNumber } from '../../src/audit/record.ts';
import { Redactor } from '../../src/audit/redact.ts';
import { cutText, safeJson } from '../../src/audit/safe-json.ts';
import { call, KEY, makeSample, openSample, splitLines, verify } from './sample.ts';

const NAMES = ['v', 'log', 'seg', 'seq', 'ts', 'mono', 'boot', 'kid', 'type'];

test('a record is a line of JSON with its keys in order, and MAC and hash can be computed with two lines', async () => {
  const { segments } = await makeSample(2, 6);
  let prev = '0'.repeat(64);
  for (const [at, bytes] of segments.flat().entries()) {
    const line = bytes.toString().slice(0, -1);
    const record = JSON.parse(line) as Record<string, unknown>;
    const names = Object.keys(record);
    assert.deepEqual(names.slice(0, NAMES.length), NAMES);
    assert.deepEqual(names.slice(-2), ['prev', 'mac']);
    assert.equal(record.seq, at + 1);
    assert.equal(record.prev, prev);
    const mac = createHmac('sha256', KEY)
      .update(`mcp-audit/v1\n${line.slice(0, line.lastIndexOf(',"mac":'))}`)
      .digest('hex');
    assert.equal(record.mac, mac);
    prev = createHash('sha256').update(line).digest('hex');
  }
});

test('keys longer than a block of the hash are hashed first, as HMAC has it', () => {
  for (const length of [1, 32, 64, 65, 200]) {
    const key = Buffer.alloc(length, 7);
    const line = new LineHash();
    line.loadText('{"a":1}');
    assert.equal(line.mac(macKey(key)), hmac(key, 'mcp-audit/v1\n{"a":1}').toString('hex'));
  }
});

test('a line that is longer than any of ours is not loaded', () => {
  assert.equal(new LineHash().load(Buffer.alloc(AUDIT_LIMITS.lineBytes)), true);
  assert.equal(new LineHash().load(Buffer.alloc(AUDIT_LIMITS.lineBytes + 1)), false);
});

test('what is no record has neither head nor tail', () => {
  for (const text of ['', '{}', '{"v":2}', 'x'.repeat(1000)]) {
    assert.equal(readHead(Buffer.from(text)), undefined);
    assert.equal(readTail(Buffer.from(text)), undefined);
  }
});

test('files of segments have numbers, others have none', () => {
  assert.equal(segmentNumber(segmentName(12)), 12);
  assert.ok(Number.isNaN(segmentNumber('0000000012.jsonl.torn')));
});

test('a clock that is set to another millennium does not break the form of a record', () => {
  assert.equal(timestamp(Number.MAX_SAFE_INTEGER), '9999-12-31T23:59:59.999Z');
  assert.equal(timestamp(-Number.MAX_SAFE_INTEGER), '0000-01-01T00:00:00.000Z');
});

/** As garak's ANSI probes and the list of naughty strings have them. */
const NAUGHTY = [
  '\u001b[31mred\u001b[0m',
  '\u001b]8;;http://evil\u0007click\u001b]8;;\u0007',
  '\u009b31m',
  'a\nb\r\nc',
  '\u0000\u0001\u007f\u0080\u009f',
  'one\u2028two\u2029three',
  '\ud800 and \udfff alone',
  '","mac":"0"}\n{"v":1,"log":"forged"',
  '‮evil',
];

test('T26: a record is one line of printable JSON, whatever callers are called and say', async () => {
  await using sample = await openSample({ arguments: 'clear' });
  const { log, files, folder } = sample;
  for (const text of NAUGHTY) {
    await log.append({
      type: 'session.open',
      session: 1,
      ident: text,
      name: text,
      proven: false,
      via: text,
      roles: [text],
    });
    await log.append({ type: 'auth.deny', claimed: text, code: text });
    await log.append({ ...call(1, { [text]: text, list: [text] }), target: text } as AuditEvent);
  }
  const bytes = files.get(join(folder, segmentName(1)));
  assert.equal(splitLines(bytes).length, 2 + NAUGHTY.length * 3);
  // Nothing that a terminal or a reader of lines would take for more than text.
  assert.doesNotMatch(bytes.toString().replaceAll('\n', ''), /[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]/);
  const { status, records } = await verify(files, { id: log.id, key: KEY });
  assert.deepEqual([status, records], ['ok', 2 + NAUGHTY.length * 3]);
});

test('T26: whatever text goes in comes out of its JSON again', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = safeJson(text);
      assert.equal(JSON.parse(json), text);
      assert.doesNotMatch(json, /[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
    }),
  );
  assert.equal(safeJson(undefined), 'null');
  assert.equal(cutText('abcdef', 4), 'abcd…[+2]');
  assert.equal(cutText('abcd', 4), 'abcd');
});

test('a record never grows over its cap, and says that it was cut', () => {
  const redactors = (['digest', 'sealed', 'clear'] as const).map(
    (mode) => new Redactor(mode, argumentKeys(KEY), 'log'),
  );
  const value = fc.jsonValue({ maxDepth: 20 });
  const text = fc.string({ unit: 'binary', maxLength: 5000 });
  fc.assert(
    fc.property(value, text, fc.array(text, { maxLength: 30 }), (args, name, roles) => {
      for (const redactor of redactors) {
        for (const event of [
          { ...call(1, args), target: name, rule: name, policy: name, ident: name } as AuditEvent,
          { type: 'session.open', session: 1, ident: name, name, proven: true, via: name, roles } as AuditEvent,
        ]) {
          const body = eventBody(event, redactor);
          assert.ok(Buffer.byteLength(body) <= AUDIT_LIMITS.bodyBytes);
          assert.doesNotThrow(() => JSON.parse(`{"x":1${body}}`));
        }
      }
    }),
    { numRuns: 200 },
  );
  const wide = '\u0001'.repeat(2000);
  const [redactor] = redactors;
  assert.ok(redactor);
  const event = {
    ...call(1, { a: wide }),
    target: wide,
    rule: wide,
    role: wide,
    policy: wide,
    ident: wide,
    backend: wide,
    method: wide,
  } as AuditEvent;
  const body = JSON.parse(`{"x":1${eventBody(event, redactor)}}`) as Record<string, unknown>;
  assert.equal(body.cut, true);
  assert.deepEqual(Object.keys(body.args as object), ['hmac', 'bytes']);
});

test('numbers that JSON has none for, and members of other kinds, do not break a record', () => {
  const redactor = new Redactor('digest', argumentKeys(KEY), 'log');
  const event = {
    type: 'call.outcome',
    ms: Number.NaN,
    bytes: 1,
    status: 'ok',
    why: { x: 1 },
    result: Buffer.from('r'),
  } as never;
  const body = eventBody(event, redactor);
  assert.match(body, /^,"status":"ok","ms":null,"bytes":1,"result":\{"hmac":"[0-9a-f]{64}"\}$/);
});
