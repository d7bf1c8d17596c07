// Questions to a log of ten million records: seconds, and how large the index is. The seed makes the log.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { KeyRing } from '../../packages/gateway/src/audit/keys.ts';
import { leafReader } from '../../packages/gateway/src/audit/query/leaves.ts';
import { ask, type Question } from '../../packages/gateway/src/audit/query/question.ts';
import { search } from '../../packages/gateway/src/audit/query/search.ts';
import { argsOf, type GeneratedLog, generateLog } from '../../packages/gateway/src/testing/generated-log.ts';

const RECORDS = Number(process.env.AUDIT_RECORDS ?? 10_000_000);
const SEED = 1;
const KEY = Buffer.alloc(32, 7);
/** Of a core; the machine may be busy. */
const MAX_CPU_SECONDS = 5;

describe(`${RECORDS} records, seed ${SEED}`, () => {
  const base = mkdtempSync(join(tmpdir(), 'audit-query-'));
  let log: GeneratedLog;

  before(() => {
    log = generateLog({ base, key: KEY, records: RECORDS, seed: SEED });
  });

  after(() => rmSync(base, { recursive: true, force: true }));

  async function asked(question: Partial<Question>): Promise<{ hits: number; cpuSeconds: number; seconds: number }> {
    const leaves = leafReader([KEY]);
    const since = performance.now();
    const cpu = process.cpuUsage();
    let hits = 0;
    const reading = { path: log.path, ring: new KeyRing([KEY]), leaves };
    for await (const _ of search(reading, ask({ args: [], ...question }, leaves))) hits += 1;
    const { user, system } = process.cpuUsage(cpu);
    return { hits, cpuSeconds: (user + system) / 1e6, seconds: (performance.now() - since) / 1000 };
  }

  test('the index is made once, and is a few percent of the log', async (t) => {
    const { cpuSeconds, seconds } = await asked({ session: 47 });
    const folder = join(log.path, 'index');
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    t.diagnostic(`index: ${cpuSeconds.toFixed(1)} s of CPU, ${seconds.toFixed(1)} s, ${bytes} of ${log.bytes} bytes`);
    assert.ok(bytes < log.bytes * 0.05);
  });

  const value = argsOf(4711);
  const questions: readonly (readonly [string, Partial<Question>])[] = [
    ['what did session 47 access', { session: 47 }],
    ['who called anything with this path', { args: [{ path: 'path', value: value.path }] }],
    ['who called it with this id', { target: 'execute_sql', args: [{ path: 'id', value: String(value.id) }] }],
    ['which calls were late', { status: 'timeout' }],
    ['what did a caller do', { ident: 'ziti:caller-7' }],
  ];
  for (const [what, question] of questions) {
    test(`${what}: in seconds`, async (t) => {
      const { hits, cpuSeconds, seconds } = await asked(question);
      t.diagnostic(`${hits} hits, ${cpuSeconds.toFixed(2)} s of CPU, ${seconds.toFixed(2)} s`);
      assert.ok(hits > 0 || RECORDS < 1_000_000);
      assert.ok(cpuSeconds < MAX_CPU_SECONDS, `${cpuSeconds} s`);
    });
  }
});
