// The door to pino: structured logs on stderr (or a file), never on stdout. Events with fields; never argument values.
// A log that cannot be written never stops the program (./log-sink.ts).

import { pino } from 'pino';
import { displaySafeJson } from './display-safe.ts';
import type { CommonFlags, LogLevel } from './flags.ts';
import { openSink } from './log-sink.ts';
import { withoutSecrets } from './output-filter.ts';
import { prettyLine } from './pretty.ts';

/** Of one text in a line: what names and reasons never need, and a flooded log would. */
const MAX_TEXT = 2048;

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
  const shown = (line: string): string => withoutSecrets(pretty ? prettyLine(line) : displaySafeJson(line));
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
  const base = { program, pid: process.pid };
  return pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime, formatters: { log: cutLong } }, stream);
}

function cutLong(fields: object): Record<string, unknown> {
  const entries = Object.entries(fields);
  if (!entries.some(([, value]) => typeof value === 'string' && value.length > MAX_TEXT)) {
    return fields as Record<string, unknown>;
  }
  return Object.fromEntries(entries.map(([key, value]) => [key, typeof value === 'string' ? cut(value) : value]));
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}… (${text.length} characters)` : text;
}
