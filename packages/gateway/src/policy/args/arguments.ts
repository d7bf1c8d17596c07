// All arguments of a call against one rule: those that are named must be there and fit, others may be there only where the
// rule says so. Compiled once, for an allowance or a refusal.

import type { ArgConfig, ArgsConfig, Located } from '@mcp-overlay/config';
import { asObject } from '../../call/json.ts';
import type { Engines } from '../engines.ts';
import { constFromMatcher } from './const-from.ts';
import { enumMatcher } from './enum.ts';
import { hostMatcher, hostProblem } from './host.ts';
import { type Caller, holdsRaw, type Matcher, type MatcherOptions, type Misfit, wrongType } from './matcher.ts';
import { maxBytesMatcher } from './max-bytes.ts';
import { folderProblem, pathMatcher } from './path.ts';
import { compilePattern, patternMatcher } from './pattern.ts';
import { schemaMatcher } from './schema.ts';
import { sqlMatcher } from './sql.ts';

export interface ArgumentsOptions extends MatcherOptions {
  readonly engines: Engines;
  /** Something in the file cannot be compiled. */
  problem(at: Located<unknown>['spot'], expected: string): void;
}

/** Of an object of arguments. `never`: no arguments could fit. */
export interface ArgumentsMatcher {
  readonly never: boolean;
  readonly match: (args: unknown, caller: Caller) => Misfit | undefined;
}

interface Named {
  readonly optional: boolean;
  readonly never: boolean;
  readonly match: Matcher;
}

export function compileArguments({ named, additional }: ArgsConfig, options: ArgumentsOptions): ArgumentsMatcher {
  const members = new Map([...named].map(([name, config]) => [name, compileArgument(config, options)]));
  return {
    never: [...members.values()].some(({ never, optional }) => never && !optional),
    match: (args, caller) => {
      const object = asObject(args);
      if (!object) return wrongType('an object');
      const found = first(members, options, ([name, { optional, match }]) => {
        if (Object.hasOwn(object, name) && object[name] !== undefined) return under(name, match(object[name], caller));
        return optional ? undefined : { expected: 'to be given', at: [name] };
      });
      if (found) return found;
      // A refusal names what it looks at; what else is there cannot take it away.
      if (additional || options.effect === 'deny') return undefined;
      const other = Object.keys(object).find((name) => !members.has(name) && object[name] !== undefined);
      return other === undefined ? undefined : { expected: 'not to be given', at: [other] };
    },
  };
}

function compileArgument(config: ArgConfig, options: ArgumentsOptions): Named {
  const matchers = matchersOf(config, options);
  const never = config.enum?.length === 0 || config.path?.under.length === 0 || config.host?.allow.length === 0;
  return {
    optional: config.optional,
    never: never === true,
    match: (value, caller) => {
      // It would be judged as the nearest number, and sent as it is.
      if (matchers.length > 0 && holdsRaw(value)) return wrongType('numbers that are carried exactly');
      return first(matchers, options, (match) => match(value, caller));
    },
  };
}

function matchersOf(config: ArgConfig, options: ArgumentsOptions): Matcher[] {
  const { engines, problem } = options;
  const matchers: Matcher[] = [];
  if (config.maxBytes !== undefined) matchers.push(maxBytesMatcher(config.maxBytes));
  if (config.enum) matchers.push(enumMatcher(config.enum, options));
  if (config.constFrom) matchers.push(constFromMatcher(config.constFrom));
  if (config.pattern) {
    const { value, spot } = config.pattern;
    const compiled = attempt(
      () => compilePattern(engines.patterns(), value, options),
      (why) => problem(spot, `expected a pattern of RE2: ${why}`),
    );
    if (compiled) matchers.push(patternMatcher(compiled, options));
  }
  if (config.path) {
    for (const { value, spot } of config.path.under) {
      const wrong = folderProblem(value);
      if (wrong !== undefined) problem(spot, wrong);
    }
    const { under } = config.path;
    const compiled = attempt(
      () => pathMatcher(under),
      () => {},
    );
    if (compiled) matchers.push(compiled);
  }
  if (config.host) {
    for (const { value, spot } of config.host.allow) {
      const wrong = hostProblem(value);
      if (wrong !== undefined) problem(spot, wrong);
    }
    const { allow, schemes } = config.host;
    const compiled = attempt(
      () => hostMatcher(allow, schemes),
      () => {},
    );
    if (compiled) matchers.push(compiled);
  }
  if (config.schema) {
    const { value, spot } = config.schema;
    const compiled = attempt(
      () => schemaMatcher(engines.schemas().compile(value)),
      (why) => problem(spot, why),
    );
    if (compiled) matchers.push(compiled);
  }
  if (config.sql) matchers.push(sqlMatcher(config.sql, engines.sql()));
  if (config.each) matchers.push(eachMatcher(compileArgument(config.each, options).match, options));
  if (config.args) matchers.push(compileArguments(config.args, options).match);
  return matchers;
}

function eachMatcher(match: Matcher, options: MatcherOptions): Matcher {
  return (value, caller) => {
    if (!Array.isArray(value)) return wrongType('a list');
    return first(value.entries(), options, ([index, item]) => under(String(index), match(item, caller)));
  };
}

/** All must fit, so the first that does not tells. For a refusal what is broken counts as fitting, so that only a plain
 *  misfit of another takes it away. */
function first<T>(
  parts: Iterable<T>,
  { effect }: MatcherOptions,
  judge: (part: T) => Misfit | undefined,
): Misfit | undefined {
  let broken: Misfit | undefined;
  for (const part of parts) {
    const misfit = judge(part);
    if (!misfit) continue;
    if (effect === 'allow' || !misfit.broken) return misfit;
    broken ??= misfit;
  }
  return broken;
}

function under(name: string, misfit: Misfit | undefined): Misfit | undefined {
  return misfit && { ...misfit, at: [name, ...(misfit.at ?? [])] };
}

function attempt<T>(make: () => T, failed: (why: string) => void): T | undefined {
  try {
    return make();
  } catch (error) {
    failed(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}
