// Questions to a log of several segments: what is found, that the index is believed in nothing, and what it costs to ask twice.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ExactNumber } from '@mcp-overlay/relay';
import fc from 'fast-check';
import type { AuditEvent } from '../../src/audit/audit-log.ts';
import { KeyRing } from '../../src/audit/keys.ts';
import { openAuditLog } from '../../src/audit/open-audit-log.ts';
import { leafReader } from '../../src/audit/query/leaves.ts';
import { PostingsBuilder, readPostings } from '../../src/audit/query/postings.ts';
import { ask, type Found, type Question } from '../../src/audit/query/question.ts';
import { search } from '../../src/audit/query/search.ts';
import type { ArgumentsMode } from '../../src/audit/redact.ts';

const KEY = Buffer.alloc(32, 7);

interface Called {
  readonly session: number;
  readonly tool: string;
  readonly args: unknown;
  readonly status: 'ok' | 'error' | 'refused' | 'none';
}

/** A log of these calls, in segments of a few records. */
async function logOf(calls: readonly Called[], mode: ArgumentsMode = 'digest') {
  const base = await mkdtemp(join(tmpdir(), 'audit-query-'));
  const log = await openAuditLog({ base, key: KEY, arguments: mode, rotate: { bytes: 6000 } });
  for (const { session, tool, args, status } of calls) {
    const facts = {
      session,
      ident: `ziti:user-${session % 5}`,
      method: 'tools/call',
      backend: 'db',
      kind: 'tool',
      target: tool,
    } as const;
    const decision = status === 'refused' ? 'deny' : 'allow';
    const rest = { ...facts, decision, rule: 'r1', ms: 1, bytes: 2 } as const;
    if (status === 'refused') {
      await log.append({ type: 'call.outcome', ...rest, status, args });
      continue;
    }
    const intent = await log.append({ type: 'call.intent', ...facts, decision, rule: 'r1', args } as AuditEvent);
    if (status !== 'none') await log.append({ type: 'call.outcome', ...rest, status, of: intent?.seq ?? 0 });
  }
  await log.append({ type: 'admin', what: 'peers allow', target: 'ziti:user-1', by: 'owner' });
  await log.close();
  const path = join(base, log.id);
  const indexed: string[] = [];
  const questions = async (question: Partial<Question>): Promise<Found[]> => {
    const leaves = leafReader([KEY]);
    const reading = { path, ring: new KeyRing([KEY]), leaves, onIndexing: (name: string) => void indexed.push(name) };
    const found: Found[] = [];
    for await (const one of search(reading, ask({ args: [], ...question }, leaves))) found.push(one);
    return found;
  };
  return { path, indexed, ask: questions, [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }) };
}

const CALLS: readonly Called[] = Array.from({ length: 60 }, (_, at) => ({
  session: at % 12,
  tool: at % 7 === 0 ? 'drop' : 'select',
  args: { table: `t${at}`, limit: at, where: { id: [at, 'x'] }, dry: at % 2 === 0 },
  status: (['ok', 'error', 'refused', 'none'] as const)[at % 4] ?? 'ok',
}));

const tables = (found: readonly Found[]) => found.map(({ record }) => record.target);

for (const mode of ['digest', 'sealed', 'clear'] as const) {
  test(`what did a session do, and who called what with what (arguments: ${mode})`, async () => {
    await using log = await logOf(CALLS, mode);
    const session = await log.ask({ session: 7 });
    assert.equal(session.length, 5);
    assert.ok(session.every(({ record }) => record.session === 7 && record.ident === 'ziti:user-2'));
    assert.equal((await log.ask({ args: [{ path: 'table', value: 't17' }] })).length, 1);
    assert.equal((await log.ask({ args: [{ path: 'limit', value: '17' }] })).length, 1);
    assert.equal(
      (
        await log.ask({
          args: [
            { path: 'where.id', value: '17' },
            { path: 'dry', value: 'false' },
          ],
        })
      ).length,
      1,
    );
    assert.equal(
      (
        await log.ask({
          args: [
            { path: 'where.id', value: '17' },
            { path: 'dry', value: 'true' },
          ],
        })
      ).length,
      0,
    );
    assert.deepEqual(new Set(tables(await log.ask({ ident: 'ziti:user-2', target: 'drop' }))), new Set(['drop']));
    assert.deepEqual(await log.ask({ args: [{ path: 'table', value: 'none' }] }), []);
  });
}

test('a call is one answer, with its outcome, also where that stands in another segment; in doubt without', async () => {
  await using log = await logOf(CALLS);
  const all = await log.ask({ backend: 'db' });
  assert.equal(all.length, CALLS.length);
  for (const [at, { record, outcome }] of all.entries()) {
    const { status } = CALLS[at] as Called;
    assert.equal(record.type, status === 'refused' ? 'call.outcome' : 'call.intent');
    assert.equal(outcome?.status, status === 'refused' || status === 'none' ? undefined : status);
  }
  const failed = await log.ask({ status: 'error' });
  assert.equal(failed.length, 15);
  assert.ok(failed.every(({ record, outcome }) => record.type === 'call.intent' && outcome?.status === 'error'));
  assert.equal((await log.ask({ status: 'error', args: [{ path: 'limit', value: '1' }] })).length, 1);
  assert.equal((await log.ask({ status: 'ok', args: [{ path: 'limit', value: '1' }] })).length, 0);
  assert.equal((await log.ask({ decision: 'deny' })).length, 15);
  assert.equal((await log.ask({ type: 'admin' })).length, 1);
});

test('a number that no double carries is found by its digits', async () => {
  const args = { id: new ExactNumber('12345678901234567891') };
  for (const mode of ['digest', 'clear'] as const) {
    await using log = await logOf([{ session: 1, tool: 'select', args, status: 'ok' }], mode);
    assert.equal((await log.ask({ args: [{ path: 'id', value: '12345678901234567891' }] })).length, 1, mode);
    assert.equal((await log.ask({ args: [{ path: 'id', value: '12345678901234567000' }] })).length, 0, mode);
  }
});

test('times and numbers narrow it', async () => {
  await using log = await logOf(CALLS);
  const all = await log.ask({});
  const middle = all[40]?.record as { seq: number; ts: string };
  const before = await log.ask({ toSeq: middle.seq });
  const after = await log.ask({ fromSeq: middle.seq + 1 });
  assert.equal(before.length + after.length, all.length);
  assert.deepEqual(await log.ask({ untilMs: 0 }), []);
  assert.equal((await log.ask({ sinceMs: Date.parse(middle.ts) - 3_600_000 })).length, all.length);
});

test('sealed segments are indexed once; an index that was changed, or is of another segment, is made anew', async () => {
  await using log = await logOf(CALLS);
  const right = await log.ask({ session: 3 });
  const made = log.indexed.length;
  assert.ok(made >= 3, `${made} segments`);
  await log.ask({ session: 4 });
  assert.equal(log.indexed.length, made);
  const folder = join(log.path, 'index');
  const names = (await readdir(folder)).sort();
  assert.equal(names.length, made);
  assert.equal((await stat(join(folder, names[0] ?? ''))).mode & 0o777, 0o600);
  const [first = '', second = ''] = names;
  const bytes = await readFile(join(folder, first));
  await writeFile(join(folder, second), bytes);
  assert.deepEqual(await log.ask({ session: 3 }), right);
  for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 60)) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await writeFile(join(folder, first), changed);
    const found = await log.ask({ session: 3 }).catch((error: { code?: string }) => error.code);
    if (found === 'audit_unreadable') await unlink(join(folder, first));
    else assert.deepEqual(found, right, `byte ${at}`);
  }
});

test('a hit is read in the log, and one that is not as it was written is not shown', async () => {
  await using log = await logOf(CALLS);
  await log.ask({ session: 3 });
  const path = join(log.path, '0000000001.jsonl');
  const text = await readFile(path, 'utf8');
  const at = text.indexOf('"target":"select"');
  await writeFile(path, `${text.slice(0, at)}"target":"delete"${text.slice(at + 17)}`);
  await assert.rejects(log.ask({ backend: 'db' }), { code: 'audit_broken' });
});

test('the index finds at least what has a word, for any words', () => {
  const word = fc.string({ maxLength: 4 });
  fc.assert(
    fc.property(fc.array(fc.array(word, { maxLength: 5 }), { maxLength: 80 }), fc.array(word), (records, others) => {
      const builder = new PostingsBuilder();
      for (const [at, words] of records.entries()) builder.add(at * 10, at * 10 + 10, words);
      const postings = readPostings(builder.bytes(), builder.count, builder.wordCount);
      assert.equal(postings.count, records.length);
      for (const at of records.keys())
        assert.deepEqual([postings.offset(at), postings.offset(at + 1)], [at * 10, at * 10 + 10]);
      for (const one of [...records.flat(), ...others]) {
        const list = postings.list(one);
        const right = [...records.entries()].filter(([, words]) => words.includes(one)).map(([at]) => at);
        if (list !== undefined)
          assert.ok(
            right.every((at) => list.includes(at)),
            one,
          );
      }
    }),
  );
});
