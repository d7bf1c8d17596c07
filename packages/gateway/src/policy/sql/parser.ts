// The door to libpg-query: PostgreSQL's own parser, compiled to wasm. Text in, its tree out. A text on which the machine itself
// fails leaves it in a state that nobody knows: it is thrown away, and what comes until a new one is there is refused.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { asArray, asObject, type JsonObject } from '../../call/json.ts';

/** Set where the programs are bundled: the file beside the chunk that loads it. */
declare const __PG_QUERY_WASM__: string | undefined;

interface PgQueryModule {
  lengthBytesUTF8(text: string): number;
  stringToUTF8(text: string, pointer: number, bytes: number): void;
  UTF8ToString(pointer: number): string;
  getValue(pointer: number, type: 'i32'): number;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  _wasm_parse_query_raw(query: number): number;
  _wasm_free_parse_result(result: number): void;
}

/** `wrong`: no SQL to PostgreSQL. `failed`: it cannot be told. */
export type Parsed = { readonly statements: readonly JsonObject[] } | { readonly refused: 'wrong' | 'failed' };

export interface SqlParser {
  parse(text: string): Parsed;
  /** Resolves when no replacement is being made. */
  settled(): Promise<void>;
}

export async function loadSqlParser(): Promise<SqlParser> {
  const { default: make } = await import('libpg-query/wasm/libpg-query.js');
  const start = async (): Promise<PgQueryModule> => (await make({ locateFile: wasmPath })) as PgQueryModule;
  // A spare one, so that who makes the first fail takes nothing from others.
  let [engine, spare]: (PgQueryModule | undefined)[] = await Promise.all([start(), start()]);
  const making = new Set<Promise<void>>();
  const refill = (): void => {
    const made: Promise<void> = start()
      .then(
        (fresh) => {
          if (engine) spare = fresh;
          else engine = fresh;
        },
        // Until one can be made again, everything is refused; the next text tries.
        () => {},
      )
      .finally(() => making.delete(made));
    making.add(made);
  };
  return {
    parse: (text) => {
      if (!engine) {
        if (making.size === 0) refill();
        return { refused: 'failed' };
      }
      try {
        return read(engine, text);
      } catch {
        engine = spare;
        spare = undefined;
        refill();
        return { refused: 'failed' };
      }
    },
    settled: async () => {
      await Promise.all(making);
    },
  };
}

function wasmPath(): string {
  if (typeof __PG_QUERY_WASM__ === 'string') return fileURLToPath(new URL(__PG_QUERY_WASM__, import.meta.url));
  return createRequire(import.meta.url).resolve('libpg-query/wasm/libpg-query.wasm');
}

/** The result is a struct of pointers: tree, stderr, error (pg_query.h, PgQueryParseResult). */
function read(engine: PgQueryModule, text: string): Parsed {
  const bytes = engine.lengthBytesUTF8(text) + 1;
  const query = engine._malloc(bytes);
  engine.stringToUTF8(text, query, bytes);
  const result = engine._wasm_parse_query_raw(query);
  engine._free(query);
  if (result === 0) throw new TypeError('no result');
  const tree = engine.getValue(result, 'i32');
  const error = engine.getValue(result + 8, 'i32');
  const json = error === 0 && tree !== 0 ? engine.UTF8ToString(tree) : undefined;
  engine._wasm_free_parse_result(result);
  if (json === undefined) return { refused: 'wrong' };
  const statements = asArray(asObject(JSON.parse(json))?.stmts ?? []) ?? [];
  return { statements: statements.map((one) => asObject(asObject(one)?.stmt) ?? {}) };
}
