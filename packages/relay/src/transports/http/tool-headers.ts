// Which parameters of which tool go into headers (`x-mcp-header` in its schema), learnt from the lists that pass. A tool
// whose annotation breaks the rules cannot be called over HTTP and is told apart (specification 2026-07-28,
// streamable-http "Schema Extension").

import { arrayOf, asObject, asString, type JsonObject, objectOf } from '../../eras/envelope.ts';
import { MAX_PARAMS, PARAM_PREFIX, type ParamHeader } from './modern-headers.ts';

const ANNOTATION = 'x-mcp-header';
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const PRIMITIVE = new Set(['string', 'integer', 'boolean']);
const MAX_DEPTH = 16;
/** Of one server (limits.ts: toolsPerBackend), with room for what comes and goes. */
const MAX_TOOLS = 20_000;
const NONE: readonly ParamHeader[] = [];

export class ToolHeaders {
  readonly #tools = new Map<string, readonly ParamHeader[]>();

  /** undefined: this tool was in no list yet. */
  of(tool: string): readonly ParamHeader[] | undefined {
    return this.#tools.get(tool);
  }

  /** A result of tools/list. Returns the names of tools that clients over HTTP must not be shown, and why. */
  learn(result: JsonObject): readonly { readonly name: string; readonly why: string }[] {
    const refused: { name: string; why: string }[] = [];
    for (const item of arrayOf(result.tools)) {
      const tool = objectOf(item);
      const name = asString(tool.name);
      if (name === undefined) continue;
      const found = declaredHeaders(tool.inputSchema);
      if (typeof found === 'string') refused.push({ name, why: found });
      if (this.#tools.size < MAX_TOOLS || this.#tools.has(name)) {
        this.#tools.set(name, typeof found === 'string' ? NONE : found);
      }
    }
    return refused;
  }

  clear(): void {
    this.#tools.clear();
  }
}

/** A string: the rule that is broken. */
export function declaredHeaders(schema: unknown): readonly ParamHeader[] | string {
  const found: ParamHeader[] = [];
  const problem = walk(schema, [], true, found, 0);
  if (problem !== undefined) return problem;
  if (found.length > MAX_PARAMS) return `more than ${MAX_PARAMS} parameters are mirrored`;
  if (new Set(found.map(({ header }) => header)).size < found.length) return 'two parameters share one header';
  return found.length === 0 ? NONE : found;
}

/** `reachable`: by nothing but `properties` from the root. */
function walk(
  node: unknown,
  path: readonly string[],
  reachable: boolean,
  found: ParamHeader[],
  depth: number,
): string | undefined {
  if (depth > MAX_DEPTH * 4) return undefined;
  if (Array.isArray(node)) {
    for (const item of node) {
      const problem = walk(item, path, false, found, depth + 1);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  const schema = asObject(node);
  if (schema === undefined) return undefined;
  if (Object.hasOwn(schema, ANNOTATION)) {
    const name = schema[ANNOTATION];
    if (typeof name !== 'string' || !TOKEN.test(name)) return 'the name of a header is not valid';
    if (!reachable || path.length === 0) return `header ${name}: the parameter is not reachable by properties alone`;
    if (typeof schema.type !== 'string' || !PRIMITIVE.has(schema.type))
      return `header ${name}: the parameter is not primitive`;
    found.push({ header: `${PARAM_PREFIX}${name.toLowerCase()}`, path });
  }
  for (const [key, value] of Object.entries(schema)) {
    if (key === ANNOTATION || key === 'enum' || key === 'const' || key === 'default' || key === 'examples') continue;
    const members = key === 'properties' ? Object.entries(objectOf(value)) : undefined;
    for (const [name, member] of members ?? []) {
      const problem = walk(member, [...path, name], reachable && path.length < MAX_DEPTH, found, depth + 1);
      if (problem !== undefined) return problem;
    }
    if (members !== undefined || typeof value !== 'object') continue;
    const problem = walk(value, path, false, found, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
