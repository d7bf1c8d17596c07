// A JSON Schema (2020-12) for one argument: the door to Ajv, with patterns in linear time. Only what stands in the rule itself
// counts, nothing is fetched; its size is bounded with every reference counted as what it stands for (T19).

import { POLICY_CAPS } from '../caps.ts';
import type { Patterns } from '../re2.ts';
import type { Matcher } from './matcher.ts';
import { schemaProblem } from './schema-bounds.ts';

export interface Schemas {
  /** Throws with what is wrong. */
  compile(schema: unknown): (value: unknown) => boolean;
}

export async function loadSchemas(patterns: Patterns): Promise<Schemas> {
  const { Ajv2020 } = await import('ajv/dist/2020.js');
  // Ajv keeps patterns apart by what they are as a text (ajv: lib/vocabularies/code.ts, usePattern).
  const regExp = Object.assign(
    (pattern: string) => {
      const compiled = patterns.compile(pattern);
      return { test: compiled.within, toString: () => pattern };
    },
    { code: 'undefined' },
  );
  return {
    compile: (schema) => {
      const problem = schemaProblem(schema);
      if (problem !== undefined) throw new TypeError(problem);
      // One for each schema: none can name another's parts.
      const ajv = new Ajv2020({
        strict: true,
        strictRequired: false,
        strictTypes: false,
        strictTuples: false,
        allErrors: false,
        logger: false,
        code: { regExp },
      });
      const validate = ajv.compile(JSON.parse(JSON.stringify(schema)) as object);
      return (value) => validate(value) === true;
    },
  };
}

export function schemaMatcher(validate: (value: unknown) => boolean): Matcher {
  const expected = 'a value that fits the schema';
  return (value) => {
    if (countValues(value, POLICY_CAPS.schemaValues) > POLICY_CAPS.schemaValues)
      return { expected: 'fewer values', broken: true };
    return validate(value) ? undefined : { expected };
  };
}

/** Stops soon after `enough`. */
function countValues(value: unknown, enough: number): number {
  if (typeof value !== 'object' || value === null) return 1;
  let count = 1;
  for (const inner of Object.values(value)) {
    count += countValues(inner, enough - count);
    if (count > enough) break;
  }
  return count;
}
