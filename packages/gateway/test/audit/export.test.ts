// Records in the formats of others: whatever callers named, a record is one line, its fields are where they should be, and
// nothing in them can end a field, a record or a structure.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { FORMATS } from '../../src/audit/export/formats.ts';
import type { ReadRecord } from '../../src/audit/query/records.ts';

const BY = { host: 'gw.example', version: '0.1.0' };
const HASH = 'ab'.repeat(32);

const OUTCOME = {
  v: 1,
  log: 'f'.repeat(32),
  seg: 1,
  seq: 12,
  ts: '2026-11-20T07:20:00.123Z',
  type: 'call.outcome',
  session: 47,
  ident: 'ziti:alice',
  method: 'tools/call',
  backend: 'db',
  kind: 'tool',
  target: 'execute_sql',
  of: 11,
  status: 'refused',
  code: -31055,
  ms: 1.5,
  bytes: 90,
  decision: 'deny',
  rule: 'reader#1',
  policy: `sha256:${HASH}`,
  args: { hmac: 'cd'.repeat(32), bytes: 10, shape: {} },
};

function read(record: object): ReadRecord {
  const line = JSON.stringify(record);
  return { record: record as ReadRecord['record'], line, hash: createHash('sha256').update(line).digest('hex') };
}

/** What a reader of CEF makes of a line: splits at what is not escaped. */
function readCef(line: string): { head: string[]; fields: Map<string, string> } {
  const parts: string[] = [''];
  let at = 0;
  for (; at < line.length && parts.length < 8; at += 1) {
    if (line[at] === '|') {
      parts.push('');
      continue;
    }
    if (line[at] === '\\') at += 1;
    parts.push((parts.pop() ?? '') + (line[at] ?? ''));
  }
  const fields = new Map<string, string>();
  const extension = line.slice(at);
  const keys = [...extension.matchAll(/(?:^| )([A-Za-z0-9]+)=/g)].filter(({ index, 0: whole }) => {
    let slashes = 0;
    for (let before = index + whole.length - 2; extension[before] === '\\'; before -= 1) slashes += 1;
    return slashes % 2 === 0;
  });
  for (const [nth, key] of keys.entries()) {
    const from = (key.index ?? 0) + key[0].length;
    const value = extension.slice(from, keys[nth + 1]?.index);
    fields.set(
      key[1] ?? '',
      value.replace(/\\(.)/g, (_, char) => (char === 'n' ? '\n' : char === 'r' ? '\r' : char)),
    );
  }
  return { head: parts.slice(0, 7), fields };
}

/** And of RFC 5424. */
function readSyslog(line: string): {
  priority: number;
  header: string[];
  params: Map<string, string>;
  message: string;
} {
  const [, priority, header = ''] = /^<(\d+)>1 ((?:\S+ ){5})\[/.exec(line) ?? [];
  assert.ok(priority !== undefined, line);
  const params = new Map<string, string>();
  let at = line.indexOf('[', line.indexOf(header)) + 1;
  at = line.indexOf(' ', at);
  for (;;) {
    const name = /^ ([^=\s\]"]+)="/.exec(line.slice(at));
    if (!name) break;
    at += name[0].length;
    let value = '';
    for (; line[at] !== '"'; at += 1) {
      if (line[at] === '\\' && '"\\]'.includes(line[at + 1] ?? '')) at += 1;
      else assert.notEqual(line[at], ']', 'a bracket that ends the structure');
      assert.ok(at < line.length);
      value += line[at];
    }
    params.set(name[1] ?? '', value);
    at += 1;
  }
  assert.equal(line[at], ']', line.slice(at));
  return { priority: Number(priority), header: header.trim().split(' '), params, message: line.slice(at + 2) };
}

test('cef: seven fields of a header, then values under their names and labels', () => {
  const { head, fields } = readCef(FORMATS.cef(read(OUTCOME), BY));
  assert.deepEqual(head.slice(0, 5), ['CEF:0', 'mcp-overlay', 'mcp-gateway', '0.1.0', 'call.outcome:refused']);
  assert.equal(head[6], '6');
  assert.equal(fields.get('suser'), 'ziti:alice');
  assert.equal(fields.get('rt'), String(Date.parse(OUTCOME.ts)));
  assert.deepEqual([fields.get('cs2Label'), fields.get('cs2')], ['target', 'execute_sql']);
  assert.deepEqual([fields.get('cn1Label'), fields.get('cn1')], ['session', '47']);
  assert.deepEqual([fields.get('act'), fields.get('outcome'), fields.get('reason')], ['deny', 'refused', '-31055']);
});

test('syslog: facility audit, severity by outcome, structured data', () => {
  const line = FORMATS.syslog(read(OUTCOME), BY);
  const { priority, header, params, message } = readSyslog(line);
  assert.equal(priority, 13 * 8 + 4);
  assert.deepEqual(header, [OUTCOME.ts, 'gw.example', 'mcp-gateway', '-', 'call.outcome']);
  assert.equal(params.get('seq'), '12');
  assert.equal(params.get('argsHmac'), OUTCOME.args.hmac);
  assert.equal(message, 'call.outcome: ziti:alice tools/call execute_sql of db (refused)');
});

test('ocsf: API Activity with what the class requires', () => {
  const event = JSON.parse(FORMATS.ocsf(read(OUTCOME), BY));
  assert.deepEqual(
    [event.class_uid, event.category_uid, event.activity_id, event.type_uid, event.severity_id],
    [6003, 6, 99, 600399, 3],
  );
  assert.deepEqual([event.status_id, event.status, event.action_id, event.action], [2, 'Failure', 2, 'Denied']);
  assert.deepEqual(event.actor.user, { uid: 'ziti:alice' });
  assert.deepEqual(event.api, {
    operation: 'tools/call',
    request: { uid: `${OUTCOME.log}:11` },
    service: { name: 'db' },
  });
  assert.equal(event.metadata.sequence, 12);
  assert.equal(event.time, Date.parse(OUTCOME.ts));
  for (const member of ['actor', 'api', 'src_endpoint', 'metadata', 'time']) assert.ok(event[member], member);
});

test('jsonl: the line as it stands in the log', () => {
  const one = read(OUTCOME);
  assert.equal(FORMATS.jsonl(one, BY), one.line);
});

test('T26: whatever is named, each format writes one line that reads back', () => {
  const risky = fc.constantFrom(
    '|',
    '=',
    '\\',
    ']',
    '"',
    '\n',
    '\r',
    '\u2028',
    '\u001b[2J',
    ' cs1=x',
    '\\|',
    '\\]',
    '] <13>1',
    '\u0085',
    ' act=allow',
  );
  const name = fc
    .array(fc.oneof(risky, fc.string({ unit: 'binary', maxLength: 6 })), { maxLength: 6 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(name, name, name, fc.boolean(), (target, ident, why, admin) => {
      const record = admin
        ? { ...OUTCOME, type: 'admin', what: target, target: ident, by: why, status: undefined }
        : { ...OUTCOME, target, ident, why, code: undefined };
      const one = read(JSON.parse(JSON.stringify(record)));
      for (const format of Object.values(FORMATS))
        assert.doesNotMatch(format(one, BY).replace(one.line, ''), /[\p{Cc}\u2028\u2029]/u);
      const { fields, head } = readCef(FORMATS.cef(one, BY));
      assert.equal(head.length, 7);
      assert.equal(fields.get('act'), 'deny');
      assert.equal(fields.get('deviceExternalId'), OUTCOME.log);
      const { params } = readSyslog(FORMATS.syslog(one, BY));
      assert.equal(params.get('seq'), '12');
      assert.equal(params.get('decision'), 'deny');
      if (!admin && !/[\p{Cc}\u2028\u2029]/u.test(target)) {
        assert.equal(params.get('target') ?? '', target);
        assert.equal(fields.get('cs2')?.trim(), target.trim() === '' ? fields.get('cs2')?.trim() : target.trim());
      }
      assert.equal(JSON.parse(FORMATS.ocsf(one, BY)).metadata.sequence, 12);
    }),
    { numRuns: 1000 },
  );
});

test('every sort of record has its severity, its sentence and what it says of itself, in each format', () => {
  const { v, log, seg, ts } = OUTCOME;
  const of = (type: string, more: object = {}): ReadRecord => read({ v, log, seg, seq: 3, ts, type, ...more });
  const rows: readonly (readonly [ReadRecord, number, string])[] = [
    [of('auth.deny', { claimed: 'Ann', code: 'proof_expired' }), 3, 'auth.deny: mcp-gateway'],
    [of('log.recovered', { bytes: 7 }), 3, 'log.recovered: mcp-gateway'],
    [of('config.reject', { digest: 'd', reason: 'bad' }), 3, 'config.reject: mcp-gateway'],
    [of('config.apply', { digest: 'd' }), 2, 'config.apply: mcp-gateway'],
    [of('key.rotate', { to: 'k' }), 2, 'key.rotate: mcp-gateway'],
    [of('admin', { what: 'peers allow', target: 'ziti:a', by: 'owner' }), 2, 'admin: owner peers allow ziti:a'],
    [
      of('session.open', { session: 1, ident: 'ziti:a', name: 'Ann', via: 'ziti', proven: true }),
      1,
      'session.open: ziti:a',
    ],
    [of('heartbeat'), 1, 'heartbeat: mcp-gateway'],
    [of('call.intent', { ident: 'a', method: 'x/y', decision: 'shadow' }), 1, 'call.intent: a x/y (begins)'],
    [of('call.outcome', { ident: 'a', method: 'm', status: 'ok' }), 1, 'call.outcome: a m (ok)'],
    [of('call.outcome', { ident: 'a', method: 'm', status: 'error', code: 'isError' }), 2, 'call.outcome: a m (error)'],
    [of('call.outcome', { ident: 'a', method: 'm', status: 'unknown' }), 4, 'call.outcome: a m (unknown)'],
    [of('call.outcome', { ident: 'a', method: 'm', status: 'new' }), 1, 'call.outcome: a m (new)'],
    [of('call.outcome', { ident: 'a', method: 'm', status: 'refused', count: 500 }), 3, 'call.outcome: a m (refused)'],
  ];
  for (const [one, severity, sentence] of rows) {
    const event = JSON.parse(FORMATS.ocsf(one, BY));
    assert.deepEqual([event.severity_id, event.message], [severity, sentence]);
    assert.equal(event.count, one.record.count);
    assert.equal(event.actor.user.uid, one.record.ident ?? one.record.by ?? 'unknown');
    assert.equal(event.actor.user.name, one.record.name);
    const { head, fields } = readCef(FORMATS.cef(one, BY));
    assert.equal(head[5], sentence);
    assert.equal(fields.get('cnt'), one.record.count === undefined ? undefined : String(one.record.count));
    assert.equal(readSyslog(FORMATS.syslog(one, { ...BY, host: '\u00fc \n' })).header[1], '-');
  }
  const shadow = JSON.parse(FORMATS.ocsf(of('call.intent', { decision: 'shadow' }), BY));
  assert.deepEqual([shadow.action, shadow.status, shadow.status_id], ['Allowed', undefined, undefined]);
});
