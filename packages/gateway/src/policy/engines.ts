// What some rules need and most do not: RE2, CEL, JSON Schema, the parser of PostgreSQL. Loaded once, and only those that the
// rules of this file use, so that a gateway without such rules starts as fast as one without any.

import type { ArgConfig, ArgsConfig, PolicyConfig } from '@mcp-overlay/config';
import type { Schemas } from './args/schema.ts';
import { loadPatterns, type Patterns } from './re2.ts';
import type { SqlParser } from './sql/parser.ts';
import type { Conditions } from './when.ts';

export interface Engines {
  patterns(): Patterns;
  conditions(): Conditions;
  schemas(): Schemas;
  sql(): SqlParser;
}

interface Needs {
  patterns: boolean;
  conditions: boolean;
  schemas: boolean;
  sql: boolean;
}

export async function loadEngines({ roles }: Pick<PolicyConfig, 'roles'>): Promise<Engines> {
  const needs: Needs = { patterns: false, conditions: false, schemas: false, sql: false };
  for (const { args, when } of [...roles.values()].flat()) {
    if (when) needs.conditions = true;
    if (args) addNeeds(args, needs);
  }
  const { conditions, schemas, sql } = needs;
  const patterns = needs.patterns || conditions || schemas ? await loadPatterns() : undefined;
  const [withConditions, withSchemas, withSql] = await Promise.all([
    patterns && conditions ? import('./when.ts').then(({ loadConditions }) => loadConditions(patterns)) : undefined,
    patterns && schemas ? import('./args/schema.ts').then(({ loadSchemas }) => loadSchemas(patterns)) : undefined,
    sql ? import('./sql/parser.ts').then(({ loadSqlParser }) => loadSqlParser()) : undefined,
  ]);
  return {
    patterns: () => loaded(patterns),
    conditions: () => loaded(withConditions),
    schemas: () => loaded(withSchemas),
    sql: () => loaded(withSql),
  };
}

function addNeeds({ named }: ArgsConfig, needs: Needs): void {
  const visit = ({ pattern, schema, sql, each, args }: ArgConfig): void => {
    if (pattern) needs.patterns = true;
    if (schema) needs.schemas = true;
    if (sql) needs.sql = true;
    if (each) visit(each);
    if (args) addNeeds(args, needs);
  };
  for (const config of named.values()) visit(config);
}

function loaded<T>(engine: T | undefined): T {
  if (engine === undefined) throw new TypeError('an engine of the rules is not loaded');
  return engine;
}
