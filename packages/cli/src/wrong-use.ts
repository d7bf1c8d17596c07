// What was typed and does not fit the program: unknown commands and options with the nearest known one, what is missing,
// what is given twice, values that are no choice. Each says which word it is and how the line should look. yargs only
// tells that something is wrong; the words are made here.

import { nearest } from './nearest.ts';
import { UsageError } from './report.ts';

export interface Typed {
  readonly program: string;
  /** As in `run <config>`; undefined where no command was recognised. */
  readonly usage: string | undefined;
  /** Names of the program's commands. */
  readonly commands: readonly string[];
  /** Names of the options that are known here. */
  readonly options: readonly string[];
  /** Their short forms. */
  readonly shorts?: readonly string[];
  /** Those that may be given several times. */
  readonly repeatable: ReadonlySet<string>;
  /** yargs' result: options by name, all else under `_`. */
  readonly parsed: Readonly<Record<string, unknown>>;
  /** Words in `_` that belong to the command. */
  readonly words: 'none' | 'any' | 'command';
}

/** Throws a UsageError for the first thing that does not fit. */
export function refuseWrongUse(typed: Typed): void {
  refuseUnknownOptions(typed);
  refuseWords(typed);
  for (const name of typed.options) {
    if (!Array.isArray(typed.parsed[name]) || typed.repeatable.has(name)) continue;
    throw new UsageError(`--${name} is given more than once`);
  }
}

/** From yargs' sentence to ours. */
export function wrongUse(
  message: string,
  { program, usage, options }: Omit<Typed, 'parsed' | 'words' | 'shorts'>,
): UsageError {
  const [, argument = '', given = '', choices = ''] =
    /Argument: ([\w-]+), Given: "(.*?)", Choices: (.*)/.exec(message) ?? [];
  if (argument !== '') {
    const known = choices.split(', ').map((choice) => choice.replaceAll('"', ''));
    return new UsageError(
      `--${argument} ${given}: expected ${orList(known)}`,
      meant(nearest(given, known)) ?? helpOf(program, usage),
    );
  }
  const [, option] = /^Not enough arguments following: (\S+)/.exec(message) ?? [];
  if (option !== undefined) {
    const name = options.includes(option) ? `--${option}` : `-${option}`;
    return new UsageError(`${name} needs a value`, helpOf(program, usage));
  }
  if (message.startsWith('Not enough non-option arguments') && usage !== undefined) {
    const missing = /<(\w+)>/.exec(usage)?.[1] ?? 'a word';
    return new UsageError(
      `${usage.split(' ')[0]}: ${missing.toUpperCase()} is missing`,
      `${program} ${inCapitals(usage)}`,
    );
  }
  const line = message.split('\n').find((part) => part.trim() !== '') ?? 'wrong use';
  return new UsageError(line.charAt(0).toLowerCase() + line.slice(1), helpOf(program, usage));
}

/** An option nobody knows takes the next word with it, so this is asked before anything is missed. */
export function refuseUnknownOptions({ program, usage, options, shorts = [], parsed }: Omit<Typed, 'words'>): void {
  const known = new Set(['_', '$0', 'h', ...options, ...options.map(camelCase), ...shorts]);
  for (const name of positionals(usage)) known.add(name);
  const unknown = Object.keys(parsed).filter((name) => !known.has(name));
  // `--new-sceret` is there twice, the second time in camel case.
  const [name] = unknown.filter((one) => !unknown.some((other) => other !== one && camelCase(other) === one));
  if (name === undefined) return;
  const typed = name.length === 1 ? `-${name}` : `--${name}`;
  const near = nearest(name, options);
  throw new UsageError(
    `unknown option ${typed}`,
    meant(near === undefined ? undefined : `--${near}`) ?? helpOf(program, usage),
  );
}

function refuseWords({ program, usage, commands, parsed, words }: Typed): void {
  if (words === 'any') return;
  const [first, ...rest] = (parsed._ as readonly unknown[]).map(String);
  if (words === 'command') {
    const text = first === undefined ? 'name a command' : `unknown command ${first}`;
    const near = first === undefined ? undefined : nearest(first, commands);
    throw new UsageError(
      text,
      meant(near === undefined ? undefined : `${program} ${near}`) ??
        `one of ${commands.join(', ')}; ${helpOf(program, undefined)}`,
    );
  }
  const [extra] = rest;
  if (extra === undefined) return;
  throw new UsageError(`${first}: ${extra} is one word too many`, `${program} ${inCapitals(usage ?? '')}`);
}

function meant(near: string | undefined): string | undefined {
  return near === undefined ? undefined : `did you mean ${near}?`;
}

function helpOf(program: string, usage: string | undefined): string {
  const command = usage === undefined || usage.startsWith('$0') ? '' : ` ${usage.split(' ')[0]}`;
  return `${program}${command} --help shows how`;
}

function positionals(usage: string | undefined): string[] {
  return [...(usage ?? '').matchAll(/[<[](\w+)[\]>]/g)].map(([, name = '']) => name);
}

/** `run <config>` -> `run CONFIG`, `create [name]` -> `create [NAME]`: as our texts write what is to be filled in. */
function inCapitals(usage: string): string {
  return usage.replace(/<(\w+)>/g, (_, name: string) => name.toUpperCase()).replace(/\[\w+\]/g, (s) => s.toUpperCase());
}

function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
