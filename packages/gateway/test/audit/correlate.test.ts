// The log beside that of a secret broker: readings with their calls, and the one that nobody can explain.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { brokerReads, correlate, VAULT } from '../../src/audit/correlate.ts';
import { parseCsvLine } from '../../src/audit/csv.ts';
import type { ReadRecord } from '../../src/audit/query/records.ts';

const T = Date.parse('2026-11-20T07:00:00Z');
const at = (seconds: number): string => new Date(T + seconds * 1000).toISOString();

function call(seq: number, seconds: number, ident: string, backend: string): ReadRecord {
  const record = { type: 'call.intent', seq, ts: at(seconds), session: 1, ident, backend, target: 'query' };
  return { record, line: '', hash: '' };
}

async function* log(...calls: ReadRecord[]): AsyncGenerator<ReadRecord> {
  yield* calls;
}

const vault = (seconds: number, who: string, path: string, type = 'response'): string =>
  JSON.stringify({ time: at(seconds), type, auth: { display_name: who }, request: { path, operation: 'read' } });

const JOIN = { windowMs: 5000, identOf: (who: string) => `ziti:${who}`, backendsOf: () => undefined };

test('a reading belongs to the calls of the same identity within the window', async () => {
  const text = [vault(10, 'alice', 'secret/db'), vault(11, 'bob', 'secret/db'), vault(60, 'alice', 'secret/db')].join(
    '\n',
  );
  const found = await correlate(
    brokerReads(text, VAULT),
    log(
      call(1, 6, 'ziti:alice', 'db'),
      call(2, 9, 'ziti:alice', 'db'),
      call(3, 12, 'ziti:carol', 'db'),
      call(4, 66, 'ziti:alice', 'db'),
    ),
    JOIN,
  );
  assert.deepEqual(
    found.map(({ who, calls }) => [who, calls.map(({ seq, afterMs }) => [seq, afterMs])]),
    [
      [
        'alice',
        [
          [1, 4000],
          [2, 1000],
        ],
      ],
      ['bob', []],
      ['alice', []],
    ],
  );
});

test('a credential belongs to the backends that use it', async () => {
  const text = [vault(1, 'gateway', 'secret/github'), vault(1, 'gateway', 'secret/db')].join('\n');
  const found = await correlate(brokerReads(text, VAULT), log(call(1, 1, 'ziti:alice', 'db')), {
    ...JOIN,
    identOf: () => undefined,
    backendsOf: (credential) => new Set([credential.replace('secret/', '')]),
  });
  assert.deepEqual(
    found.map(({ credential, calls }) => [credential, calls.length]),
    [
      ['secret/github', 0],
      ['secret/db', 1],
    ],
  );
});

test("Vault's second line of a request is left out, and outcomes of calls that have an intent are no calls", async () => {
  const text = [vault(1, 'alice', 'secret/db', 'request'), vault(1, 'alice', 'secret/db')].join('\n');
  const reads = brokerReads(text, VAULT);
  assert.equal(reads.length, 1);
  const outcome = { ...call(2, 1, 'ziti:alice', 'db').record, type: 'call.outcome', of: 1 };
  const [found] = await correlate(
    reads,
    log(call(1, 1, 'ziti:alice', 'db'), { record: outcome, line: '', hash: '' }),
    JOIN,
  );
  assert.deepEqual(
    found?.calls.map(({ seq }) => seq),
    [1],
  );
});

test('other brokers: a table, other names, times in seconds', () => {
  const text = 'when,"who, really",secret\r\n1763622000,"a ""b"" c",db/creds\r\n';
  const [read] = brokerReads(text, {
    format: 'csv',
    time: ['when'],
    who: ['who, really'],
    credential: ['secret'],
    only: [],
  });
  assert.deepEqual(read, { line: 2, ms: 1763622000000, who: 'a "b" c', credential: 'db/creds' });
});

test('a line without what is needed is named', () => {
  assert.throws(() => brokerReads('{"time":"2026-11-20T07:00:00Z","type":"response"}', VAULT), {
    code: 'usage',
    message: /line 1 has no credential/,
  });
  assert.throws(() => brokerReads('{"type":"response","request":{"path":"p"}}', VAULT), /line 1 has no time/);
  assert.throws(() => brokerReads('a,b', VAULT), /line 1 is no JSON/);
  assert.throws(() => brokerReads('{"__proto__":{"type":"response"}}\nx', VAULT), /line 2 is no JSON/);
});

test('cells of a table come back as they were written', () => {
  const cell = fc.string().filter((text) => !/[\r\n]/.test(text));
  fc.assert(
    fc.property(fc.array(cell, { minLength: 1 }), (cells) => {
      const line = cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(',');
      assert.deepEqual(parseCsvLine(line), cells);
    }),
  );
});
