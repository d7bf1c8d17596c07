// Other rules over a real log: what would be denied, what allowed, and what nobody can tell.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadGatewayConfig } from '@mcp-overlay/config';
import type { AuditEvent } from '../../src/audit/audit-log.ts';
import { KeyRing } from '../../src/audit/keys.ts';
import { openAuditLog } from '../../src/audit/open-audit-log.ts';
import { leafReader } from '../../src/audit/query/leaves.ts';
import { type ReadRecord, records } from '../../src/audit/query/records.ts';
import type { ArgumentsMode } from '../../src/audit/redact.ts';
import { type Replayed, replay } from '../../src/audit/replay.ts';
import { openPolicy } from '../../src/policy/open-policy.ts';
import { policyOf } from '../policy/rules-of.ts';

const KEY = Buffer.alloc(32, 3);
const CALL = { ident: 'owner', method: 'tools/call', backend: 'fs', kind: 'tool' } as const;

/** What alice and the owner called. */
const EVENTS: readonly AuditEvent[] = [
  { type: 'session.open', session: 1, ident: 'owner', name: 'owner', proven: false, via: 'local', roles: ['reader'] },
  { type: 'session.open', session: 2, ident: 'ziti:a', name: 'alice', proven: true, via: 'ziti', roles: ['lent'] },
  {
    type: 'call.intent',
    session: 1,
    ...CALL,
    target: 'read_file',
    decision: 'allow',
    rule: 'reader#1',
    args: { path: '/a' },
  },
  {
    type: 'call.intent',
    session: 1,
    ...CALL,
    target: 'read_file',
    decision: 'allow',
    rule: 'reader#1',
    args: { path: '/secret' },
  },
  { type: 'call.intent', session: 1, ...CALL, target: 'list', decision: 'allow', rule: 'reader#1', args: undefined },
  {
    type: 'call.outcome',
    session: 1,
    ...CALL,
    target: 'write_file',
    decision: 'deny',
    rule: 'default',
    args: { path: '/a' },
    status: 'refused',
    ms: 1,
    bytes: 1,
  },
  {
    type: 'call.outcome',
    session: 1,
    ident: 'owner',
    method: 'tools/call',
    kind: 'tool',
    target: 'no_such',
    status: 'refused',
    ms: 1,
    bytes: 1,
  },
  {
    type: 'call.intent',
    session: 2,
    ...CALL,
    ident: 'ziti:a',
    target: 'list',
    decision: 'allow',
    rule: 'lent#1',
    args: {},
  },
];

async function replayed(rules: string, mode: ArgumentsMode, events: readonly AuditEvent[] = EVENTS): Promise<Replayed> {
  const base = await mkdtemp(join(tmpdir(), 'audit-replay-'));
  try {
    const log = await openAuditLog({ base, key: KEY, arguments: mode });
    for (const event of events) await log.append(event);
    await log.close();
    const file = join(base, 'new.yml');
    await writeFile(file, `backends: [ { id: fs, transport: { type: stdio, command: "-" } } ]\n${rules}`);
    const { config } = await loadGatewayConfig(file, { env: {}, cwd: base });
    const ring = new KeyRing([KEY]);
    return await replay(records({ path: join(base, log.id), ring }), await openPolicy(config), leafReader([KEY]));
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

const counts = ({ calls, same, denied, allowed, undecided, unjudged }: Replayed) => ({
  calls,
  same,
  denied,
  allowed,
  undecided,
  unjudged,
});

const SAME =
  'roles: { reader: [ { allow: { tools: [read_file, list] } } ], lent: [ { allow: { tools: [list] } } ] }\nidentities: { owner: [reader] }\n';
const ARGS =
  'roles: { reader: [ { allow: { tools: [read_file, list, write_file], args: { path: { enum: [/a] } } } }, { allow: { tools: [list] } } ] }\nidentities: { owner: [reader], "ziti:a": [reader] }\n';

test('the same rules change nothing; a role that a token lent counts as it was recorded', async () => {
  const found = await replayed(SAME, 'digest');
  assert.deepEqual(counts(found), { calls: 6, same: 5, denied: 0, allowed: 0, undecided: 0, unjudged: 1 });
});

for (const mode of ['sealed', 'clear'] as const) {
  test(`rules on arguments are asked about the arguments of then (arguments: ${mode})`, async () => {
    const found = await replayed(ARGS, mode);
    assert.deepEqual(counts(found), { calls: 6, same: 3, denied: 1, allowed: 1, undecided: 0, unjudged: 1 });
    const denied = found.changes.find(({ change }) => change === 'denied');
    assert.deepEqual(
      [denied?.ident, denied?.target, denied?.before, denied?.count],
      ['owner', 'read_file', 'reader#1', 1],
    );
    assert.equal(found.changes.find(({ change }) => change === 'allowed')?.target, 'write_file');
  });
}

test('where only digests are on record, what arguments decide cannot be told, and is counted', async () => {
  const found = await replayed(ARGS, 'digest');
  assert.deepEqual(counts(found), { calls: 6, same: 2, denied: 0, allowed: 0, undecided: 3, unjudged: 1 });
  const refuses =
    'roles: { reader: [ { allow: { tools: ["*"] } }, { deny: { tools: [write_file], args: { path: { enum: [/a] } } } } ] }\nidentities: { owner: [reader] }\n';
  assert.equal((await replayed(refuses, 'digest')).undecided, 1);
});

test('nobody without a role may do anything', async () => {
  const found = await replayed(
    'roles: { other: [ { allow: { tools: ["*"] } } ] }\nidentities: { network: [] }\n',
    'digest',
  );
  assert.deepEqual(counts(found), { calls: 6, same: 1, denied: 4, allowed: 0, undecided: 0, unjudged: 1 });
});

test('who somebody was is read from his calls where his session began before; a view that is gone shows nothing', async () => {
  const call = (more: object): AuditEvent =>
    ({
      type: 'call.intent',
      session: 9,
      ...CALL,
      target: 'list',
      decision: 'allow',
      rule: 'r',
      args: {},
      ...more,
    }) as AuditEvent;
  const opened = { type: 'session.open', name: 'n', proven: true, via: 'ziti', roles: ['lent'] } as const;
  const events: readonly AuditEvent[] = [
    call({ ident: 'ziti:z', role: 'lent' }),
    call({ ident: 'ziti:z' }),
    { ...opened, session: 1, ident: 'ziti:v', view: 'gone' },
    call({ session: 1, ident: 'ziti:v' }),
    { type: 'session.close', session: 1, ident: 'ziti:v', calls: 1, reason: 'done' },
    call({ session: 1, ident: 'ziti:v', role: 'lent' }),
    call({ ident: 'ziti:z', role: 'lent', method: 'completion/complete', kind: 'prompt', target: 'p' }),
    call({ ident: 'ziti:z', role: 'lent', method: 'tasks/get', kind: 'task', target: 'id' }),
    call({ ident: 'ziti:z', role: 'lent', method: 'resources/read', kind: 'resource', target: 'x:y', args: undefined }),
  ];
  const found = await replayed(SAME, 'clear', events);
  assert.deepEqual(counts(found), { calls: 7, same: 3, denied: 4, allowed: 0, undecided: 0, unjudged: 0 });
  const why = found.changes.map(({ why }) => why);
  assert.ok(why.includes('there is no view gone with a share'), why.join());
});

test('more sorts of changes than can be shown are counted', async () => {
  const policy = await policyOf('roles: { r: [ { allow: { tools: [x] } } ] }\nidentities: { owner: [r] }\n');
  async function* calls() {
    for (let seq = 1; seq <= 10_007; seq += 1) {
      const record = {
        ...CALL,
        seq,
        ts: '2026-11-20T07:20:00.123Z',
        type: 'call.intent',
        target: `t${seq}`,
        decision: 'allow',
      };
      yield { record, line: '', hash: '' } as unknown as ReadRecord;
    }
  }
  const found = await replay(calls(), policy, leafReader([KEY]));
  assert.deepEqual([found.denied, found.changes.length, found.left], [10_007, 10_000, 7]);
});
