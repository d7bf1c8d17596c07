// 100,000 statements by chance: what the rule lets through tries nothing in PostgreSQL but to read what it may.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sqlMatcher } from '../../packages/gateway/src/policy/args/sql.ts';
import { loadSqlParser } from '../../packages/gateway/src/policy/sql/parser.ts';
import { generatedSql, randomFrom } from '../../packages/gateway/test/policy/sql/generated.ts';
import { openPostgres } from '../../packages/gateway/test/policy/sql/postgres.ts';

const COUNT = 100_000;
const SEED = Number(process.env.SEED ?? 20261127);

test(`${COUNT} generated statements, seed ${SEED}`, async (t) => {
  await using db = await openPostgres();
  const functions = { safe: true, named: [] };
  const rule = { dialect: 'postgres', statements: ['select'], schemas: ['public'], functions, single: true } as const;
  const match = sqlMatcher({ ...rule, maxBytes: 20_000 }, await loadSqlParser());
  const random = randomFrom(SEED);
  const before = await db.digest();
  let run = 0;
  for (let made = 1; made <= COUNT; made += 1) {
    const sql = generatedSql(random);
    if (match(sql, { id: 'ziti:a', name: undefined }) === undefined) {
      run += 1;
      assert.equal(await db.tries(sql), undefined, sql);
    }
    if (made % 10_000 === 0) assert.equal(await db.digest(), before, `before statement ${made}`);
  }
  t.diagnostic(`${COUNT} statements, ${run} of them let through, seed ${SEED}`);
});
