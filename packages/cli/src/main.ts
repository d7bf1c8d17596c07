// The door to yargs: a program is a name, a sentence and commands; common flags, help, errors and exit codes are here once.

import type { Argv, Options } from 'yargs';
import yargs from 'yargs';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';
import { report, UsageError } from './report.ts';
import { toolkitVersion } from './version.ts';

export interface CommonFlags {
  readonly overlay?: 'local' | 'zrok' | 'ziti' | undefined;
  readonly identity?: string;
  readonly access?: string;
  readonly logLevel: LogLevel;
  readonly logFormat?: 'json' | 'pretty';
}

export type Flags = CommonFlags & Readonly<Record<string, unknown>>;

export interface Command {
  /** yargs form: `run <config>`, `$0 <command> [args..]`. */
  readonly usage: string;
  readonly describe: string;
  readonly options?: Readonly<Record<string, Options>>;
  readonly positionals?: Readonly<Record<string, Options & { type?: 'string' }>>;
  readonly examples?: readonly (readonly [string, string])[];
  /** Resolves with the exit code when the command is over. */
  run(flags: Flags): Promise<ExitCode>;
}

export interface Program {
  readonly name: string;
  readonly describe: string;
  readonly commands: readonly Command[];
  /** Options end at the first word that is not one: what follows belongs to the command that is run. */
  readonly haltAtFirstWord?: boolean;
}

const COMMON: Readonly<Record<string, Options>> = {
  overlay: { choices: ['local', 'zrok', 'ziti'], describe: 'network to use (default: zrok if enabled, else local)' },
  identity: { type: 'string', requiresArg: true, describe: 'identity file: OpenZiti, or PEM certificate and key' },
  access: { type: 'string', requiresArg: true, describe: 'access token, by file: env: cmd:' },
  'log-level': { choices: LOG_LEVELS, default: 'info', describe: 'what goes to stderr' },
  'log-format': { choices: ['json', 'pretty'], describe: 'default: pretty on a terminal, else json' },
};

/** After a command is over nothing should keep the process; what does (a peer's open socket) is not waited for. */
const LINGER_MS = 250;

/** Runs one command and sets the process's exit code. Never rejects. */
export async function main(program: Program, argv: readonly string[] = process.argv.slice(2)): Promise<void> {
  try {
    process.exitCode = await runCommand(program, argv);
  } catch (error) {
    process.exitCode = report(program.name, error);
  }
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

async function runCommand(program: Program, argv: readonly string[]): Promise<ExitCode> {
  let running: Promise<ExitCode> | undefined;
  let parser: Argv = yargs([...argv])
    .scriptName(program.name)
    .usage(`${program.describe}\n\nUsage: $0 <command>`)
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
    .version(toolkitVersion())
    .help()
    .wrap(100)
    .strict()
    .exitProcess(false)
    .options(COMMON)
    .group(Object.keys(COMMON), 'Common options:');
  for (const command of program.commands) {
    parser = parser.command(
      command.usage,
      command.describe,
      (builder) => {
        let built: Argv = builder.options({ ...command.options });
        for (const [name, options] of Object.entries(command.positionals ?? {}))
          built = built.positional(name, options);
        for (const [line, what] of command.examples ?? []) built = built.example(line, what);
        return built;
      },
      (parsed) => {
        refuseRepeated(parsed, command);
        running = command.run(parsed as unknown as Flags);
      },
    );
  }
  parser = parser.demandCommand(1, 'name a command').fail((message, error) => {
    if (error) throw error;
    throw new UsageError(lowerFirst(message), `${program.name} --help shows commands and options`);
  });
  await parser.parseAsync();
  return running === undefined ? EXIT.done : await running;
}

/** `--bind a --bind b` is a slip, not a list, unless the option says it may be repeated. */
function refuseRepeated(parsed: Readonly<Record<string, unknown>>, command: Command): void {
  const known = { ...COMMON, ...command.options };
  for (const [name, value] of Object.entries(parsed)) {
    if (Array.isArray(value) && name in known && known[name]?.array !== true) {
      throw new UsageError(`--${name} is given more than once`);
    }
  }
}

function lowerFirst(text: string): string {
  const line = text.split('\n').find((part) => part.trim() !== '') ?? 'wrong use';
  return line.charAt(0).toLowerCase() + line.slice(1);
}
