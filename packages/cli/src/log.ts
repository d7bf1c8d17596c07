// The door to pino: structured logs on stderr (or a file), never on stdout. Events with fields; never argument values.
// A log that cannot be written never stops the program (./log-sink.ts).

import { pino } from 'pino';
import type { CommonFlags, LogLevel } from './flags.ts';
import { openSink } from './log-sink.ts';
import { withoutSecrets } from './output-filter.ts';
import { prettyLine } from './pretty.ts';

type Write = (fields: object, event: string) => void;

export interface Log {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  child(fields: object): Log;
}

export interface LogOptions {
  readonly level?: LogLevel;
  /** Default: pretty on a terminal, else json. */
  readonly format?: 'json' | 'pretty';
  /** Absolute path; made with mode 0600. Default: stderr. */
  readonly file?: string;
  readonly program: string;
}

/** The log of a command, as its common flags say. */
export function openLogFor(program: string, flags: CommonFlags, file?: string): Log {
  const { logLevel: level, logFormat: format } = flags;
  return openLog({
    program,
    level,
    ...(format === undefined ? {} : { format }),
    ...(file === undefined ? {} : { file }),
  });
}

export function openLog({ level = 'info', format, file, program }: LogOptions): Log {
  const pretty = (format ?? (file === undefined && process.stderr.isTTY ? 'pretty' : 'json')) === 'pretty';
  const shown = (line: string): string => withoutSecrets(pretty ? prettyLine(line) : line);
  const sink = openSink(file, (lost) => {
    const record = {
      level: 40,
      time: new Date().toISOString(),
      program,
      pid: process.pid,
      lost,
      msg: 'log lines lost',
    };
    return shown(`${JSON.stringify(record)}\n`);
  });
  const stream = { write: (line: string): void => sink.write(shown(line)) };
  return pino({ level, base: { program, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}
