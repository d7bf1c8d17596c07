// Conditions of rules in CEL: the door to cel-js. Type-checked at load. What one evaluation may cost is bounded by what it is
// made of: the size of the expression, loops that are never nested, and the size of the arguments it walks.

import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import type { JsonObject } from '../call/json.ts';
import { holdsRaw } from './args/matcher.ts';
import { POLICY_CAPS } from './caps.ts';
import type { Pattern, Patterns } from './re2.ts';

/** What a condition may speak of. */
export interface Facts {
  readonly identity: {
    readonly id: string;
    /** As `identities` calls it, else empty. */
    readonly name: string;
    readonly proven: boolean;
    readonly via: string;
    readonly groups: readonly string[];
    readonly roles: readonly string[];
  };
  readonly backend: string;
  /** The name of the tool or prompt, the URI, or the method. */
  readonly tool: string;
  /** undefined: not known yet. */
  readonly args: JsonObject | undefined;
  readonly session: number;
  readonly atMs: number;
}

export interface Condition {
  /** It speaks of nothing that differs from call to call. */
  readonly fixed: boolean;
  /** Throws where it cannot be told. */
  holds(facts: Facts): boolean;
}

export interface Conditions {
  /** Throws with what is wrong. */
  compile(text: string): Condition;
}

/** A loop, or a name for something that could be doubled again and again. */
const LOOPS = new Set(['all', 'exists', 'exists_one', 'map', 'filter', 'bind']);
const CHANGING = new Set(['args', 'time', 'session']);
/** Our own, in the place of `matches`, which would backtrack. */
const MATCHES = 'matchesInLinearTime';

export async function loadConditions(patterns: Patterns): Promise<Conditions> {
  const { Environment } = await import('@marcbachmann/cel-js');
  return { compile: (text) => compile(text, Environment, patterns) };
}

function compile(text: string, Cel: typeof Environment, patterns: Patterns): Condition {
  const compiled = new Map<string, Pattern>();
  const environment = new Cel({
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: POLICY_CAPS.conditionNodes, maxDepth: 32, maxListElements: 100, maxMapEntries: 20 },
  })
    .registerVariable({
      name: 'identity',
      schema: {
        id: 'string',
        name: 'string',
        proven: 'bool',
        via: 'string',
        groups: 'list<string>',
        roles: 'list<string>',
      },
    })
    .registerVariable({ name: 'session', schema: { number: 'int' } })
    .registerVariable('backend', 'string')
    .registerVariable('tool', 'string')
    .registerVariable('args', 'map<string, dyn>')
    .registerVariable('time', 'google.protobuf.Timestamp')
    .registerFunction(`string.${MATCHES}(string): bool`, (value: string, pattern: string) => {
      const known = compiled.get(pattern);
      if (!known) throw new TypeError('an unknown pattern');
      return known.within(value);
    });
  const run = environment.parse(text);
  const names = new Set<string>();
  visit(run.ast, 0, (node) => {
    if (node.op === 'id') names.add(node.args);
    if (node.op !== 'rcall' || node.args[0] !== 'matches') return;
    const [pattern] = node.args[2];
    if (pattern?.op !== 'value' || typeof pattern.args !== 'string')
      throw new TypeError('matches takes a pattern that is written out');
    compiled.set(pattern.args, patterns.compile(pattern.args));
    node.args[0] = MATCHES;
  });
  const { valid, type, error } = run.check();
  if (!valid) throw error ?? new TypeError('it is wrong');
  if (type !== 'bool') throw new TypeError(`it must be true or false (it is ${type})`);
  return {
    fixed: ![...names].some((name) => CHANGING.has(name)),
    holds: ({ identity, backend, tool, args = {}, session, atMs }) => {
      if (names.has('args')) checkArguments(args);
      const time = new Date(atMs);
      const value: unknown = run({ identity, backend, tool, args, time, session: { number: BigInt(session) } });
      if (typeof value !== 'boolean') throw new TypeError('it is neither true nor false');
      return value;
    },
  };
}

/** Every node; loops that stand in loops are refused. */
function visit(node: ASTNode, loops: number, seen: (node: ASTNode) => void): void {
  seen(node);
  const inside = loops + (node.op === 'rcall' && LOOPS.has(node.args[0]) ? 1 : 0);
  if (inside > 1) throw new TypeError('all, exists, map, filter and bind may not stand inside each other');
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk);
    else if (typeof value === 'object' && value !== null && 'op' in value) visit(value as ASTNode, inside, seen);
  };
  walk(node.args);
}

/** What a condition can be made to walk by a stranger. */
function checkArguments(args: JsonObject): void {
  if (holdsRaw(args)) throw new TypeError('an argument is a number that cannot be carried exactly');
  let values = 0;
  let chars = 0;
  const walk = (value: unknown): void => {
    values += 1;
    if (typeof value === 'string') chars += value.length;
    if (values > POLICY_CAPS.conditionValues || chars > POLICY_CAPS.conditionChars) {
      throw new TypeError('the arguments are more than a condition looks at');
    }
    if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk);
  };
  walk(args);
}
