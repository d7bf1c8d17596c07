// A real PostgreSQL (its build for wasm) in which every effect but reading can be seen: a role that may only read, statements
// in read-only transactions, and a digest of all that could have changed.

import { PGlite } from '@electric-sql/pglite';

/** Nobody may ever see it. */
export const CANARY = 'canary-9f2c1b';

const SETUP = `
create schema secret;
create table public.users (id int primary key, name text, note jsonb, created timestamptz default now());
create table public.orders (id serial primary key, user_id int references users, total numeric, tags text[]);
create table secret.passwords (name text, word text);
insert into users select n, 'user' || n, jsonb_build_object('n', n), '2026-01-01' from generate_series(1, 20) n;
insert into orders (user_id, total, tags) select n, n * 10, array['a', 'b'] from generate_series(1, 20) n;
insert into secret.passwords values ('root', '${CANARY}');
create view public.totals as select user_id, sum(total) as total from orders group by user_id;
create function public.evil() returns int language plpgsql volatile as
  $$ begin insert into secret.passwords values ('x', 'y'); return 1; end $$;
create function public.leak() returns text language sql security definer as $$ select word from secret.passwords limit 1 $$;
create sequence public.counter;
create role reader;
grant usage on schema public to reader;
grant select on public.users, public.orders, public.totals to reader;
`;

/** All that a statement could have changed and a rollback would not undo, or that a session keeps. */
const DIGEST = `
select md5(concat_ws('|',
  (select string_agg(c::text, ',' order by c.oid) from pg_class c where relnamespace not in (11, 99)),
  (select count(*) from pg_class), (select count(*) from pg_proc), (select count(*) from pg_authid),
  (select count(*) from pg_largeobject_metadata), (select count(*) from pg_namespace), (select count(*) from pg_type),
  (select string_agg(u::text, ',' order by id) from users u), (select string_agg(o::text, ',' order by id) from orders o),
  (select string_agg(p::text, ',') from secret.passwords p),
  (select last_value::text || is_called from counter), (select last_value::text || is_called from orders_id_seq),
  (select string_agg(name || '=' || setting, ',' order by name) from pg_settings where name <> 'application_name'),
  (select count(*) from pg_locks where locktype = 'advisory'), (select count(*) from pg_cursors),
  (select count(*) from pg_prepared_statements), (select count(*) from pg_listening_channels())
)) as digest`;

/** Of an error: it tried what only a writer, or somebody with more rights, may do. */
const ATTEMPT = new Set(['25006', '42501']);

export interface Postgres extends AsyncDisposable {
  /** How many were not refused by PostgreSQL itself: a column that is not there, a division by zero. */
  readonly ran: number;
  /** As the reader, in a read-only transaction: what it tried that is more than reading; undefined: nothing. */
  tries(sql: string): Promise<string | undefined>;
  /** As the superuser, for good. */
  runs(sql: string): Promise<string | undefined>;
  digest(): Promise<string>;
}

export async function openPostgres(): Promise<Postgres> {
  const db = await PGlite.create();
  await db.exec(SETUP);
  const seen = (rows: unknown): string | undefined =>
    JSON.stringify(rows).includes(CANARY) ? 'saw the canary' : undefined;
  let ran = 0;
  const run = async (sql: string): Promise<string | undefined> => {
    try {
      const rows = await db.exec(sql);
      ran += 1;
      return seen(rows);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      return code !== undefined && ATTEMPT.has(code) ? `${code} ${message}` : undefined;
    }
  };
  return {
    get ran() {
      return ran;
    },
    tries: async (sql) => {
      await db.exec('begin; set transaction read only; set local role reader');
      try {
        return await run(sql);
      } finally {
        await db.exec('rollback');
      }
    },
    runs: async (sql) => {
      try {
        return seen(await db.exec(sql));
      } catch {
        return undefined;
      }
    },
    digest: async () => {
      const { rows } = await db.query<{ digest: string }>(DIGEST);
      return rows[0]?.digest ?? '';
    },
    [Symbol.asyncDispose]: () => db.close(),
  };
}
