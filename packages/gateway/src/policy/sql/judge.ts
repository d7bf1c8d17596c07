// Whether a statement does only what a rule allows: a walk over the whole tree, in which every node must be of a kind that is
// known (./grammar.ts), every function, operator and type one that only computes, and every table one of the rule's. Names of
// WITH queries are followed by scope, so that a table cannot hide behind one.

import type { SqlConfig } from '@mcp-overlay/config';
import { asArray, asObject, asString, type JsonObject } from '../../call/json.ts';
import { COLUMNS, SAFE_FUNCTIONS } from './functions.ts';
import { EXPLAIN_OPTIONS, GRAMMAR, OPERATORS, STATEMENTS, TYPES, VALUE_FUNCTIONS } from './grammar.ts';

/** Deeper than people write, far from the end of the stack. */
const MAX_DEPTH = 400;
const CATALOG = 'pg_catalog';

/** What is not allowed, in words that hold nothing of the statement. */
export class SqlRefusal extends Error {
  override readonly name = 'SqlRefusal';
}

type Scope = ReadonlySet<string>;
const NO_NAMES: Scope = new Set();

export type SqlRules = Omit<SqlConfig, 'single' | 'maxBytes' | 'dialect'>;

/** Throws a SqlRefusal. */
export function judgeStatement(statement: JsonObject, rules: SqlRules): void {
  const walk = new Walk(rules);
  walk.wrapped(statement, NO_NAMES, 0);
  walk.end();
}

class Walk {
  private readonly rules: SqlRules;
  /** Calls in FROM, by the names they go by there, with the columns that are declared: see `column`. */
  private readonly calls = new Map<string, Set<string>>();
  private readonly qualified: (readonly [string, string])[] = [];

  constructor(rules: SqlRules) {
    this.rules = rules;
  }

  /** `{ Kind: node }`, or `{}` for none. */
  wrapped(value: unknown, scope: Scope, depth: number): void {
    const entries = Object.entries(asObject(value) ?? { '?': undefined });
    const [first, more] = entries;
    if (!first) return;
    if (more) throw new SqlRefusal('no node of two kinds');
    this.node(first[0], first[1], scope, depth);
  }

  private node(kind: string, value: unknown, scope: Scope, depth: number): void {
    const node = asObject(value);
    const grammar = Object.hasOwn(GRAMMAR, kind) ? GRAMMAR[kind] : undefined;
    if (!node || !grammar) throw new SqlRefusal(`no ${/^\w{1,40}$/.test(kind) ? kind : 'unknown node'}`);
    if (depth > MAX_DEPTH) throw new SqlRefusal('less nesting');
    this.check(kind, node, scope);
    const inner = node.withClause === undefined ? scope : this.withNames(node.withClause, scope, depth);
    for (const [name, member] of Object.entries(node)) {
      const form = Object.hasOwn(grammar, name) ? grammar[name] : undefined;
      if (form === undefined) throw new SqlRefusal(`no ${name} of ${kind}`);
      // What is written to is a table, whatever WITH calls the same.
      const here = name === 'relation' ? NO_NAMES : inner;
      if (name !== 'withClause') this.member(form, member, here, depth + 1);
    }
  }

  private member(form: string, value: unknown, scope: Scope, depth: number): void {
    if (form === 'node') this.wrapped(value, scope, depth);
    else if (form === 'nodes') for (const item of listOf(value)) this.wrapped(item, scope, depth);
    else if (form.startsWith('=')) this.node(form.slice(1), value, scope, depth);
    else if (form === 'plain' && typeof value === 'object') throw new SqlRefusal('no node where a word is expected');
  }

  /** The queries of WITH, each with the names that it may use; and the names that what follows may. */
  private withNames(clause: unknown, scope: Scope, depth: number): Scope {
    const { ctes, recursive, ...others } = asObject(clause) ?? {};
    for (const name of Object.keys(others))
      if (!Object.hasOwn(GRAMMAR.WithClause ?? {}, name)) throw new SqlRefusal(`no ${name}`);
    const queries = listOf(ctes);
    const names = queries.map((query) => asString(asObject(asObject(query)?.CommonTableExpr)?.ctename) ?? '');
    const all = new Set([...scope, ...names]);
    let before: Set<string> = new Set(scope);
    for (const [index, query] of queries.entries()) {
      this.wrapped(query, recursive === true ? all : before, depth + 1);
      before = new Set([...before, names[index] ?? '']);
    }
    return all;
  }

  private check(kind: string, node: JsonObject, scope: Scope): void {
    const statement = Object.hasOwn(STATEMENTS, kind) ? STATEMENTS[kind] : undefined;
    if (statement !== undefined) this.statement(statement, node);
    if (kind === 'RangeVar') this.table(node, scope);
    else if (kind === 'RangeFunction') this.callInFrom(node);
    else if (kind === 'ColumnRef') this.column(node);
    else if (kind === 'FuncCall') this.call(node);
    else if (Object.hasOwn(CHECKS, kind)) CHECKS[kind]?.(node);
  }

  private statement(statement: string, node: JsonObject): void {
    // The rows of INSERT … VALUES are no query.
    const rows = statement === 'select' && node.valuesLists !== undefined && node.fromClause === undefined;
    if (rows && this.rules.statements.includes('insert')) return;
    if (!this.rules.statements.some((one) => one === statement)) {
      throw new SqlRefusal(`only ${this.rules.statements.join(', ') || 'nothing'}`);
    }
  }

  private table({ schemaname, relname }: JsonObject, scope: Scope): void {
    const table = asString(relname) ?? '';
    if (schemaname === undefined && scope.has(table)) return;
    // The catalog is looked into before any other schema, and all of its tables begin so.
    const schema = asString(schemaname) ?? (table.startsWith('pg_') ? CATALOG : 'public');
    const { schemas, tables } = this.rules;
    if (!schemas.includes(schema)) throw new SqlRefusal('only tables of the schemas of the rule');
    if (tables && !tables.includes(table) && !tables.includes(`${schema}.${table}`)) {
      throw new SqlRefusal('only tables of the rule');
    }
  }

  private call({ funcname }: JsonObject): void {
    if (!this.mayCall(namesOf(funcname))) throw new SqlRefusal('only functions that the rule allows');
  }

  private mayCall(name: readonly string[]): boolean {
    const { safe, named } = this.rules.functions;
    const builtIn = builtInName(name);
    return (safe && builtIn !== undefined && SAFE_FUNCTIONS.has(builtIn)) || named.includes(name.join('.'));
  }

  private callInFrom({ alias, functions }: JsonObject): void {
    const { aliasname, colnames } = asObject(alias) ?? {};
    const columns = namesOf(colnames);
    const own = listOf(functions).flatMap((one) =>
      listOf(asObject(asObject(one)?.List)?.items).map(
        (item) => namesOf(asObject(asObject(item)?.FuncCall)?.funcname).at(-1) ?? '',
      ),
    );
    for (const name of aliasname === undefined ? own : [asString(aliasname) ?? '']) {
      const known = own.flatMap((call) => COLUMNS[call] ?? []);
      this.calls.set(name, new Set([...(this.calls.get(name) ?? []), ...columns, ...known, ...own, name]));
    }
  }

  /** `x.f` is `f(x)` where x is what a call in FROM gives and has no column f. */
  private column({ fields }: JsonObject): void {
    const names = listOf(fields).map((field) => asString(asObject(asObject(field)?.String)?.sval));
    const [first, second] = names;
    if (first === undefined || second === undefined) return;
    this.qualified.push([first, second]);
  }

  /** At the end, when every call in FROM is known. */
  end(): void {
    for (const [table, column] of this.qualified) {
      const columns = this.calls.get(table);
      if (columns && !columns.has(column) && !this.mayCall([column]))
        throw new SqlRefusal('no column of a call that is not named there');
    }
  }
}

/** Names without a schema mean the catalog's: it is looked into first. */
function builtInName([first = '', second, ...more]: readonly string[]): string | undefined {
  if (second === undefined) return first;
  return first === CATALOG && more.length === 0 ? second : undefined;
}

/** Of nodes that no rule has a say in. */
const CHECKS: Readonly<Record<string, (node: JsonObject) => void>> = {
  A_Expr: ({ name }) => known(name, OPERATORS, 'only built-in operators'),
  SubLink: ({ operName }) => operName !== undefined && known(operName, OPERATORS, 'only built-in operators'),
  TypeName: ({ names }) => known(names, TYPES, 'only built-in types'),
  SQLValueFunction: ({ op }) => demand(VALUE_FUNCTIONS.test(String(op)), 'no CURRENT_… but of time'),
  CollateClause: ({ collname }) => demand(namesOf(collname).length === 1, 'no collation of a schema'),
  DefElem: ({ defname }) => demand(EXPLAIN_OPTIONS.has(String(defname)), 'no EXPLAIN that runs the statement'),
  // `(x).f` is `f(x)` wherever x has no member f: ('/etc/passwd'::text).pg_read_file reads that file.
  A_Indirection: ({ indirection }) =>
    demand(!listOf(indirection).some((one) => asObject(one)?.String !== undefined), 'no (…).name, which may be a call'),
};

function known(names: unknown, of: ReadonlySet<string>, otherwise: string): void {
  demand(of.has(builtInName(namesOf(names)) ?? ''), otherwise);
}

function demand(fulfilled: boolean, otherwise: string): void {
  if (!fulfilled) throw new SqlRefusal(otherwise);
}

function listOf(value: unknown): readonly unknown[] {
  return asArray(value) ?? [];
}

function namesOf(value: unknown): readonly string[] {
  return listOf(value).map((one) => asString(asObject(asObject(one)?.String)?.sval) ?? '');
}
