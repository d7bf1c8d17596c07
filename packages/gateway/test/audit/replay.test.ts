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
import { records } from '../../src/audit/query/records.ts';
import type { ArgumentsMode } from '../../src/audit/redact.ts';
import { type Replayed, replay } from '../../src/audit/replay.ts';
import { openPolicy } from '../../src/policy/open-policy.ts';

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

async function replayed(rules: string, mode: ArgumentsMode): Promise<Replayed> {
  const base = await mkdtemp(join(tmpdir(), 'audit-replay-'));
  try {
    const log = await openAuditLog({ base, key: KEY, arguments: mode });
    for (const event of EVENTS) await log.append(event);
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
