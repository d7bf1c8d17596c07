// 100,000 statements by chance: what the rule lets through tries nothing in PostgreSQL but to read what it may.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sqlMatcher } from '../../packages/gateway/src/policy/args/sql.ts';
import { loadSqlParser } from '../../packages/gateway/src/policy/sql/parser.ts';
import { generatedSql, randomFrom } from '../../packages/gateway/test/policy/sql/generated.ts';
import { openPostgres } from '../../packages/gateway/test/policy/sql/postgres.ts';

const COUNT = 100_000;
/** The wasm build gives no memory back: a new one then. */
const OF_ONE = 10_000;
const SEED = Number(process.env.SEED ?? 20261127);

test(`${COUNT} generated statements, seed ${SEED}`, async (t) => {
  const functions = { safe: true, named: [] };
  const rule = { dialect: 'postgres', statements: ['select'], schemas: ['public'], functions, single: true } as const;
  const match = sqlMatcher({ ...rule, maxBytes: 20_000 }, await loadSqlParser());
  const random = randomFrom(SEED);
  let run = 0;
  let ran = 0;
  for (let made = 0; made < COUNT; made += OF_ONE) {
    await using db = await openPostgres();
    const before = await db.digest();
    for (let one = 0; one < OF_ONE; one += 1) {
      const sql = generatedSql(random);
      if (match(sql, { id: 'ziti:a', name: undefined }) !== undefined) continue;
      // A query without end is nothing that a rule sees: the database's own limit of time is for that.
      if (/recursive/i.test(sql)) continue;
      run += 1;
      assert.equal(await db.tries(sql), undefined, sql);
    }
    assert.equal(await db.digest(), before, `before statement ${made + OF_ONE}`);
    ran += db.ran;
  }
  t.diagnostic(`${COUNT} statements, ${run} let through, ${ran} of them ran to their end, seed ${SEED}`);
});
