// What the rules of a file say, read but not compiled: patterns, schemas and expressions are text with their place, so that
// whoever compiles them can say where one is wrong. Names in rules are the backends' own.

import type { Spot } from './errors.ts';

export interface PolicyConfig {
  /** As the user named it, for messages. */
  readonly file: string;
  /** false: what would be refused goes on, and is recorded. */
  readonly enforce: boolean;
  readonly roles: ReadonlyMap<string, readonly RuleConfig[]>;
  readonly identities: readonly IdentityConfig[];
  readonly views: readonly ViewConfig[];
}

/** What names of `identities` mean besides principal ids and groups. */
export const EVERYBODY = ['owner', 'network', 'unproven'] as const;

export interface IdentityConfig {
  /** The key: a nickname, or what it is. */
  readonly name: string;
  /** Principal ids, `group:<name>`, `owner`, `network`, `unproven`: any one of them. */
  readonly is: readonly string[];
  readonly roles: readonly string[];
}

/** Globs; a kind that is absent is not spoken of, an empty list covers nothing. */
export interface Selection {
  readonly backends?: readonly string[];
  readonly tools?: readonly string[];
  readonly prompts?: readonly string[];
  readonly resources?: readonly string[];
  /** Requests besides those of tools, prompts and resources; also what servers ask of clients. */
  readonly methods?: readonly string[];
}

export interface RuleConfig extends Selection {
  /** `<role>/<number or id>` */
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  /** false: whether it fits is only recorded. */
  readonly enforce: boolean;
  readonly args?: ArgsConfig;
  readonly when?: Located<string>;
  readonly spot: Spot;
}

export interface ViewConfig {
  readonly name: string;
  /** Absent: whoever comes over its share. */
  readonly roles?: readonly string[];
  readonly show: readonly Selection[];
  /** Of a share of its own. */
  readonly token?: string;
}

export interface Located<T> {
  readonly value: T;
  readonly spot: Spot;
}

/** What the members of an object must be. */
export interface ArgsConfig {
  readonly named: ReadonlyMap<string, ArgConfig>;
  /** Whether members that are not named may be there. */
  readonly additional: boolean;
}

/** All that is present must fit. */
export interface ArgConfig {
  readonly spot: Spot;
  /** It may be absent. */
  readonly optional: boolean;
  readonly enum?: readonly Scalar[];
  readonly constFrom?: 'identity.id' | 'identity.name';
  readonly pattern?: Located<string>;
  readonly maxBytes?: number;
  readonly path?: { readonly under: readonly Located<string>[] };
  readonly host?: { readonly allow: readonly Located<string>[]; readonly schemes: readonly string[] };
  readonly schema?: Located<unknown>;
  readonly sql?: SqlConfig;
  /** Of a list: each of its items. */
  readonly each?: ArgConfig;
  /** Of an object: its members. */
  readonly args?: ArgsConfig;
}

export type Scalar = string | number | boolean | null;

export const SQL_STATEMENTS = ['select', 'insert', 'update', 'delete', 'explain'] as const;
export type SqlStatement = (typeof SQL_STATEMENTS)[number];

export interface SqlConfig {
  readonly dialect: 'postgres';
  readonly statements: readonly SqlStatement[];
  /** Absent: only `public`. A name without a schema counts as one of `public`. */
  readonly schemas: readonly string[];
  /** `table` or `schema.table`; absent: every table of the schemas. */
  readonly tables?: readonly string[];
  /** Names beside the built-in safe ones. */
  readonly functions: { readonly safe: boolean; readonly named: readonly string[] };
  readonly single: boolean;
  readonly maxBytes: number;
}
