// How much a JSON Schema can cost, before it is compiled. References are followed and counted as often as they are used: twenty
// levels of pairs are a million schemas in a kilobyte. One that leads to itself has no such number, and is refused.

import { asObject } from '../../call/json.ts';
import { POLICY_CAPS } from '../caps.ts';

/** Keywords that lead outside of the schema, or to a place that only a run can tell. */
const REFUSED = [
  '$id',
  '$anchor',
  '$dynamicRef',
  '$dynamicAnchor',
  '$recursiveRef',
  '$recursiveAnchor',
  '$vocabulary',
  '$schema',
];
const { schemaDepth, schemaParts, schemaExpanded } = POLICY_CAPS;

/** What is wrong with it; undefined: nothing. */
export function schemaProblem(schema: unknown): string | undefined {
  try {
    const parts = countParts(schema, 0);
    if (parts > schemaParts) return `expected at most ${schemaParts} schemas in it`;
    new Expansion(schema).count(schema, 0, []);
    return undefined;
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return error.message;
    throw error;
  }
}

/** Every mapping and list counts: a schema has no more parts than that. */
function countParts(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth > schemaDepth) throw new RangeError(`expected at most ${schemaDepth} levels`);
  let parts = Array.isArray(value) ? 0 : 1;
  for (const [key, inner] of Object.entries(value)) {
    if (!Array.isArray(value) && REFUSED.includes(key) && typeof inner !== 'object') {
      throw new TypeError(`${key} is not used here: a schema stands for itself, in draft 2020-12`);
    }
    parts += countParts(inner, depth + 1);
    if (parts > schemaParts) return parts;
  }
  return parts;
}

class Expansion {
  private readonly root: unknown;
  private total = 0;

  constructor(root: unknown) {
    this.root = root;
  }

  count(value: unknown, depth: number, refs: readonly string[]): void {
    if (typeof value !== 'object' || value === null) return;
    this.total += 1;
    if (this.total > schemaExpanded)
      throw new RangeError(`its references stand for more than ${schemaExpanded} schemas`);
    if (depth > schemaDepth) throw new RangeError(`expected at most ${schemaDepth} levels, references followed`);
    const ref = Array.isArray(value) ? undefined : (value as { $ref?: unknown }).$ref;
    if (typeof ref === 'string') {
      if (refs.includes(ref)) throw new TypeError(`${ref} leads to itself`);
      this.count(this.resolve(ref), depth + 1, [...refs, ref]);
    }
    for (const [key, inner] of Object.entries(value)) {
      // Only what is referred to counts, as often as it is.
      if (key !== '$defs' && key !== 'definitions') this.count(inner, depth + 1, refs);
    }
  }

  private resolve(ref: string): unknown {
    if (!ref.startsWith('#'))
      throw new TypeError(`$ref ${JSON.stringify(ref)} leads outside of the schema, and nothing is fetched`);
    if (ref !== '#' && !ref.startsWith('#/')) throw new TypeError(`$ref ${JSON.stringify(ref)}: expected #/…`);
    let here: unknown = this.root;
    for (const part of ref.split('/').slice(1)) {
      const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
      const object = Array.isArray(here) ? Object.fromEntries(here.entries()) : asObject(here);
      if (!object || !Object.hasOwn(object, name)) throw new TypeError(`$ref ${JSON.stringify(ref)} leads nowhere`);
      here = object[name];
    }
    return here;
  }
}
