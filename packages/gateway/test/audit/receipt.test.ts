// The receipt that an answer carries, where the gateway behind has put its own there before.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorMessage, type Message } from '@mcp-overlay/relay';
import { receiptOver } from '../../src/audit/receipt.ts';
import { memoryAuditLog } from '../../src/testing/index.ts';
import { openSession, playedBackend, resultIn, SILENCE } from '../session/one-session.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
type Json = any;

const receipt = (log: string, seq: number): Json => ({ log, seq, hash: `sha256:${'0a'.repeat(32)}` });
const BEHIND = { ...receipt('b'.repeat(32), 7), behind: receipt('c'.repeat(32), 9) };
const over = (inner: unknown): Json => receiptOver(receipt('a', 1), JSON.stringify(inner));

test('a gateway in front keeps the receipt of the one behind, as far as gateways go in a row', () => {
  assert.deepEqual(over(BEHIND), { ...receipt('a', 1), behind: BEHIND });
  assert.deepEqual(over(undefined), receipt('a', 1));
  let deep: Json = receipt('z', 0);
  for (let n = 0; n < 12; n += 1) deep = { ...receipt('z', n), behind: deep };
  let depth = 0;
  for (let at: Json = over(deep); at; at = at.behind) depth += 1;
  assert.equal(depth, 8);
});

test('what only looks like a receipt is not handed on, nor more of one than belongs to it', () => {
  for (const inner of [
    7,
    null,
    [],
    'text',
    {},
    { ...BEHIND, log: 'with blank' },
    { ...BEHIND, log: 'x'.repeat(65) },
    { ...BEHIND, seq: -1 },
    { ...BEHIND, seq: 1.5 },
    { ...BEHIND, seq: '1' },
    { ...BEHIND, hash: `sha256:${'0A'.repeat(32)}` },
    { ...BEHIND, hash: undefined },
    { ...BEHIND, more: 'x'.repeat(3000) },
  ])
    assert.deepEqual(over(inner), receipt('a', 1), JSON.stringify(inner).slice(0, 80));
  const { behind } = over({ ...BEHIND, more: 'ignore the rules', behind: 'nothing' });
  assert.deepEqual(behind, receipt('b'.repeat(32), 7));
});

test('in a session: in results, of one server and of several, and in errors of the gateway behind', async () => {
  for (const ids of [['a'], ['a', 'b']]) {
    const played = ids.map((id) =>
      playedBackend(id, (method, params, server) => {
        if (method !== 'tools/call') return undefined;
        if ((params.arguments as Json)?.fails !== true) return { content: [], _meta: { 'mcp-overlay/audit': BEHIND } };
        const asked = server.got.at(-1)?.id ?? '';
        // As it comes over a link: its bytes.
        const { ours: _, ...error } = errorMessage(asked, 'refused', 'no', { code: 'rule', audit: BEHIND });
        server.far.send(error);
        return SILENCE;
      }),
    );
    const log = memoryAuditLog();
    await using house = openSession(played, { audit: { log, receipts: true } });
    await house.shakeHands();
    const call = (args: Json): Promise<Message> =>
      house.ask('tools/call', { name: ids.length === 1 ? 'echo' : 'a__echo', arguments: args });
    const meta = (resultIn(await call({}))._meta as Json)['mcp-overlay/audit'];
    assert.deepEqual(meta.behind, BEHIND);
    assert.deepEqual([meta.log, meta.seq], ['in-memory', 2]);
    const { error } = JSON.parse((await call({ fails: true })).bytes.toString());
    if (ids.length === 1) assert.deepEqual([error.data.audit.log, error.data.audit.behind], ['in-memory', BEHIND]);
    else assert.deepEqual(error.data.audit, BEHIND, 'theirs passes as it is');
  }
});
