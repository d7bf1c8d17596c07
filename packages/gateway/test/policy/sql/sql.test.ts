// SQL against a real PostgreSQL: what the rule lets through reads what it may, and does nothing else.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { SqlConfig } from '@mcp-overlay/config';
import { sqlMatcher } from '../../../src/policy/args/sql.ts';
import { loadSqlParser, type SqlParser } from '../../../src/policy/sql/parser.ts';
import { generatedSql, randomFrom } from './generated.ts';
import { openPostgres, type Postgres } from './postgres.ts';
import { corpus, HARMLESS, PLACES, WICKED_STATEMENTS, WICKED_VALUES } from './statements.ts';

const RULE: SqlConfig = {
  dialect: 'postgres',
  statements: ['select'],
  schemas: ['public'],
  functions: { safe: true, named: [] },
  single: true,
  maxBytes: 20_000,
};
/** One for all: the last test is the one that changes it. */
let opened: Promise<Postgres> | undefined;

function postgres(): Promise<Postgres> {
  opened ??= openPostgres();
  return opened;
}

after(async () => (await opened)?.[Symbol.asyncDispose]());

const CALLER = { id: 'ziti:a', name: undefined };

async function judge(more: Partial<SqlConfig> = {}): Promise<ReturnType<typeof judgeWith>> {
  return judgeWith(await loadSqlParser(), more);
}

function judgeWith(parser: SqlParser, more: Partial<SqlConfig> = {}) {
  const match = sqlMatcher({ ...RULE, ...more }, parser);
  return (text: unknown): string => match(text, CALLER)?.expected ?? 'fits';
}

test('what people write to read is let through', async () => {
  const said = await judge();
  for (const sql of HARMLESS) assert.equal(said(sql), 'fits', sql);
});

test('what does more than read the allowed tables is refused, wherever it stands', async () => {
  const said = await judge();
  for (const sql of WICKED_STATEMENTS) assert.notEqual(said(sql), 'fits', sql);
  for (const value of WICKED_VALUES) {
    for (const place of PLACES) {
      const sql = place.replaceAll('#', () => value);
      assert.notEqual(said(sql), 'fits', sql);
    }
  }
});

test('a rule may name more: statements, schemas, tables, functions, several statements', async () => {
  const writes = await judge({
    statements: ['select', 'insert', 'update', 'delete', 'explain'],
    tables: ['orders', 'public.users'],
  });
  for (const sql of [
    'insert into orders (user_id) values (1) returning id',
    'insert into orders (user_id) values (default) on conflict (id) do update set total = excluded.total where orders.id > 1',
    'update users set (name, note) = (select $$x$$, null) where id = 1',
    'delete from orders using users where users.id = orders.user_id',
    'explain (format json, verbose) select * from orders',
    'with d as (delete from orders returning *) select * from d',
  ]) {
    assert.equal(writes(sql), 'fits', sql);
  }
  for (const sql of [
    'select * from totals',
    'insert into totals values (1)',
    'with orders as (select 1) delete from totals',
    'explain analyze select 1',
    'update secret.passwords set word = 1',
    'merge into users using orders on true when matched then delete',
    'insert into orders (user_id) values (evil())',
  ]) {
    assert.notEqual(writes(sql), 'fits', sql);
  }
  const inserts = await judge({ statements: ['insert'] });
  assert.equal(inserts('insert into orders (user_id) values (1), (2)'), 'fits');
  assert.notEqual(inserts('insert into orders (user_id) select id from users'), 'fits');
  const calls = await judge({ functions: { safe: false, named: ['leak', 'public.evil'] }, single: false });
  assert.equal(calls('select leak(); select public.evil()'), 'fits');
  for (const sql of ['select evil()', 'select lower($$x$$)', 'select public.leak()', 'select 1; drop table users']) {
    assert.notEqual(calls(sql), 'fits', sql);
  }
  const none = await judge({ statements: [] });
  assert.notEqual(none('select 1'), 'fits');
  const tables = await judge({ tables: [] });
  assert.equal(tables('select 1'), 'fits');
  assert.notEqual(tables('select * from users'), 'fits');
});

test('what is no text, too long, or deeper than anybody writes is refused, and the parser goes on', async () => {
  const parser = await loadSqlParser();
  const said = judgeWith(parser, { maxBytes: 200_000 });
  assert.equal(said(5), 'SQL as a text');
  assert.match((await judge())(`select '${'x'.repeat(20_000)}'`), /at most 20000 bytes/);
  for (const sql of [
    `select ${'1+'.repeat(60_000)}1`,
    `select ${'('.repeat(20_000)}1${')'.repeat(20_000)}`,
    `select ${'not '.repeat(20_000)}true`,
    `select ${'(select '.repeat(3000)}1${')'.repeat(3000)}`,
    `select 1${'::int'.repeat(20_000)}`,
    `select ${'- '.repeat(600)}x`,
  ]) {
    said(sql);
    // Whatever it made of this one, the next is judged as if nothing had been.
    await parser.settled();
    assert.equal(said('select id from users'), 'fits', sql.slice(0, 20));
    assert.notEqual(said('drop table users'), 'fits');
  }
  assert.match(said(`select ${'1+'.repeat(1000)}1`), /less nesting/);
});

test('1,000 statements: what is let through changes nothing in PostgreSQL, and tries nothing but reading', async (t) => {
  const db = await postgres();
  const said = await judge();
  const before = await db.digest();
  let run = 0;
  const all = corpus();
  assert.ok(all.length >= 1000, `${all.length}`);
  for (const sql of all) {
    if (said(sql) !== 'fits') continue;
    run += 1;
    assert.equal(await db.tries(sql), undefined, sql);
    assert.equal(await db.runs(sql), undefined, sql);
    assert.equal(await db.digest(), before, sql);
  }
  assert.ok(run > 100, `${run}`);
  t.diagnostic(`${all.length} statements, ${run} of them let through`);
});

test('a sample of generated statements does nothing but read what it may', async (t) => {
  const db = await postgres();
  const said = await judge();
  const random = randomFrom(20261127);
  const before = await db.digest();
  let run = 0;
  for (let made = 0; made < 3000; made += 1) {
    const sql = generatedSql(random);
    // Some have no end: that is for the database's own limit of time.
    if (said(sql) !== 'fits' || /recursive/i.test(sql)) continue;
    run += 1;
    assert.equal(await db.tries(sql), undefined, sql);
  }
  assert.equal(await db.digest(), before);
  assert.ok(run > 200, `${run}`);
  t.diagnostic(`3000 statements, ${run} of them let through`);
});

test('the digest and the reader see what statements do, so that their silence means something', async () => {
  const db = await postgres();
  for (const sql of [
    'insert into users values (100)',
    'select evil()',
    'select * from secret.passwords',
    'select id from users for update',
  ]) {
    assert.notEqual(await db.tries(sql), undefined, sql);
  }
  for (const sql of [
    'insert into users values (100)',
    "select nextval('counter')",
    "select set_config('work_mem', '1MB', false)",
    'select lo_creat(-1)',
    'select pg_advisory_lock(1)',
    'select evil()',
    'listen a',
  ]) {
    const before = await db.digest();
    await db.runs(sql);
    assert.notEqual(await db.digest(), before, sql);
  }
  assert.equal(await db.runs('select leak()'), 'saw the canary');
});
