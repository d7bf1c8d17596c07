// The door to pino: structured logs on stderr (or a file), never on stdout. Events with fields; never argument values.
// A log that cannot be written (disk full, closed pipe) never stops the program: what is lost is counted and said later.

import { pino } from 'pino';
import type { CommonFlags } from './main.ts';
import { prettyLine } from './pretty.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

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
  const destination = pino.destination({ dest: file ?? 2, sync: true, mkdir: false, mode: 0o600 });
  let lost = 0;
  destination.on('error', () => {
    lost += 1;
  });
  const pretty = (format ?? (file === undefined && process.stderr.isTTY ? 'pretty' : 'json')) === 'pretty';
  const stream = {
    write(line: string): void {
      try {
        const text = pretty ? prettyLine(line) : line;
        if (lost === 0) {
          destination.write(text);
          return;
        }
        const before = lost;
        destination.write(text);
        if (lost === before) {
          lost = 0;
          destination.write(`${JSON.stringify({ level: 40, program, lost: before, msg: 'log lines lost' })}\n`);
        }
      } catch {
        lost += 1;
      }
    },
  };
  return pino({ level, base: { program, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}
