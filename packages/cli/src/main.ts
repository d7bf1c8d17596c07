// The door to yargs: a program is a name, a sentence and commands; common flags, help, errors and exit codes are here once.

import './standing-folder.ts';
import type { Argv, Options } from 'yargs';
import yargs from 'yargs';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Flags } from './flags.ts';
import { LOG_LEVELS } from './flags.ts';
import { report } from './report.ts';
import { tellUnused } from './tell-overlay.ts';
import { toolkitVersion } from './version.ts';
import { refuseUnknownOptions, refuseWrongUse, wrongUse } from './wrong-use.ts';

export interface Command {
  /** yargs form: `run <config>`, `$0 <command> [args..]`. */
  readonly usage: string;
  readonly describe: string;
  /** A string option needs a value; only an array may be given several times. */
  readonly options?: Readonly<Record<string, Options>>;
  readonly positionals?: Readonly<Record<string, Options & { type?: 'string' }>>;
  readonly examples?: readonly (readonly [string, string])[];
  /** Whether it takes --access. */
  readonly access?: true;
  /** Resolves with the exit code when the command is over. */
  run(flags: Flags): Promise<ExitCode>;
}

export interface Program {
  readonly name: string;
  readonly describe: string;
  /** Default: `NAME COMMAND`. */
  readonly usage?: string;
  readonly commands: readonly Command[];
  /** Options end at the first word that is not one: what follows belongs to the command that is run. */
  readonly haltAtFirstWord?: boolean;
}

const COMMON: Readonly<Record<string, Options>> = {
  overlay: {
    choices: ['local', 'zrok', 'ziti'],
    requiresArg: true,
    describe: 'network to use (default: zrok if enabled, else local)',
  },
  identity: { type: 'string', requiresArg: true, describe: 'identity file: OpenZiti, or PEM certificate and key' },
  trust: {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'PEM file with a CA (and its revocation list) to believe proofs of identity',
  },
  access: { type: 'string', requiresArg: true, describe: 'where an access token is to come with: file: env: cmd:' },
  'access-key': { type: 'string', requiresArg: true, describe: 'where the key is of whom that token is for (PEM)' },
  'log-level': { choices: LOG_LEVELS, requiresArg: true, default: 'info', describe: 'what goes to stderr' },
  'log-format': {
    choices: ['json', 'pretty'],
    requiresArg: true,
    describe: 'default: pretty on a terminal, else json',
  },
};

const HELP_COLUMNS = 100;

/** After a command is over nothing should keep the process; what does (a peer's open socket) is not waited for. */
const LINGER_MS = 250;

/** Runs one command and sets the process's exit code. Never rejects. */
export async function main(program: Program, argv: readonly string[] = process.argv.slice(2)): Promise<void> {
  // A reader that is gone must not become a stack trace: on stderr nothing is left to say it to, on stdout it is a failure.
  process.stderr.on('error', () => {});
  process.stdout.on('error', (error) => {
    process.exitCode = report(program.name, error);
  });
  endSafely(program.name);
  try {
    process.exitCode = await runCommand(program, argv);
  } catch (error) {
    process.exitCode = report(program.name, error);
  }
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

/** A fault of ours ends the program as Node would, but what is said of it passes through the output filter, and no report
 *  with the environment and the heap is left behind. */
function endSafely(name: string): void {
  process.on('uncaughtException', (error) => {
    report(name, error);
    process.exit(EXIT.failed);
  });
  if (process.report === undefined) return;
  process.report.reportOnFatalError = false;
  process.report.reportOnSignal = false;
  process.report.reportOnUncaughtException = false;
}

/** Leaves yargs with a command. After one that returns it renders that command's help, which nobody reads: 10 ms and more of
 * every start. */
class Chosen extends Error {
  readonly command: Command;
  readonly flags: Flags;

  constructor(command: Command, flags: Flags) {
    super(`run ${command.usage}`);
    this.command = command;
    this.flags = flags;
  }
}

async function runCommand(program: Program, argv: readonly string[]): Promise<ExitCode> {
  let current: Command | undefined;
  const typed = () => ({
    program: program.name,
    usage: current?.usage,
    commands: program.commands.map(({ usage }) => usage.split(' ', 1).join()),
    options: Object.keys(optionsOf(current)),
    shorts: Object.values(optionsOf(current)).flatMap(({ alias }) => alias ?? []),
    repeatable: new Set(Object.entries(optionsOf(current)).flatMap(([name, { array }]) => (array ? [name] : []))),
  });
  const [first, ...others] = argv;
  const words = first === 'help' && program.haltAtFirstWord !== true ? [...others, '--help'] : [...argv];
  const parser: Argv = yargs(words)
    .scriptName(program.name)
    .usage(`${program.describe}\n\nUsage: ${program.usage ?? '$0 COMMAND'}`)
    .parserConfiguration({
      'halt-at-non-option': program.haltAtFirstWord === true,
      'parse-positional-numbers': false,
      'parse-numbers': false,
      'dot-notation': false,
      'boolean-negation': false,
      'duplicate-arguments-array': true,
      'greedy-arrays': false,
    })
    .locale('en')
    .version('version', 'show the version', toolkitVersion())
    .help('help', 'show this')
    .alias('help', 'h')
    .wrap(HELP_COLUMNS)
    .exitProcess(false)
    // Groups stand in the order of their making: a command's own options first.
    .group(['help', 'version'], 'Options:')
    .options(COMMON)
    .group(Object.keys(COMMON), 'Common options:');
  for (const command of program.commands) {
    parser.command(
      command.usage,
      command.describe,
      (builder) => {
        current = command;
        return described(builder, command);
      },
      (parsed) => {
        const isDefault = command.usage.startsWith('$0');
        refuseWrongUse({ ...typed(), parsed, words: isDefault ? 'any' : 'none' });
        if (command.access !== true) tellUnused(program.name, parsed as unknown as Flags);
        throw new Chosen(command, parsed as unknown as Flags);
      },
    );
  }
  parser.fail((message, error) => {
    // yargs' own parser reports by exception.
    if (error && error.name !== 'YError') throw error;
    if (!program.haltAtFirstWord) refuseUnknownOptions({ ...typed(), parsed: optionsIn(words) });
    throw wrongUse(message ?? error.message, typed());
  });
  let parsed: Awaited<ReturnType<typeof parser.parseAsync>>;
  try {
    parsed = await parser.parseAsync();
  } catch (error) {
    if (error instanceof Chosen) return error.command.run(error.flags);
    throw error;
  }
  if (parsed.help !== true && parsed.version !== true) refuseWrongUse({ ...typed(), parsed, words: 'command' });
  return EXIT.done;
}

function described(builder: Argv, command: Command): Argv {
  let built = builder;
  for (const [name, options] of Object.entries(command.options ?? {})) {
    built = built.option(
      name,
      options.type === 'string' && !options.array ? { requiresArg: true, ...options } : options,
    );
  }
  for (const [name, options] of Object.entries(command.positionals ?? {})) built = built.positional(name, options);
  for (const [line, what] of command.examples ?? []) built = built.example(line, what);
  return built;
}

/** For where yargs gave up before it had a result. */
function optionsIn(words: readonly string[]): Record<string, true> {
  return Object.fromEntries(
    words.flatMap((word) => {
      const [, name] = /^--([a-z][\w-]*)/i.exec(word) ?? [];
      return name === undefined ? [] : [[name, true]];
    }),
  );
}

function optionsOf(command: Command | undefined): Readonly<Record<string, Options>> {
  return { help: {}, version: {}, ...COMMON, ...command?.options };
}
