// Where log lines go. Nothing here may stop or hold the program: a full disk, a reader that is gone, a reader that does not
// read (a pipe holds 64 KiB, and a plain write would wait there for ever). What is lost is counted and said in the next
// line that passes.

import { fstatSync, openSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { UsageError } from './report.ts';

export interface LogSink {
  write(line: string): void;
}

/** Waiting for a slow reader of stderr; a burst at start is a tenth of it. */
const MAX_WAITING_BYTES = 256 * 1024;
const STDERR = 2;

/** `tellLost` makes the line that says how many were lost. */
export function openSink(file: string | undefined, tellLost: (count: number) => string): LogSink {
  const pass = file === undefined ? toStderr() : toFile(openFile(file));
  let lost = 0;
  return {
    write(line) {
      if (lost > 0 && pass(tellLost(lost))) lost = 0;
      if (lost > 0 || !pass(line)) lost += 1;
    },
  };
}

/** A file that cannot even be opened was named wrongly; what happens to it later stops nobody. */
function openFile(file: string): number {
  try {
    return openSync(file, 'a', 0o600);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `the log file cannot be opened: ${reason}`,
      'its folder must exist, and this user may write there',
    );
  }
}

function toStderr(): (line: string) => boolean {
  if (!isPipe(STDERR) && !isatty(STDERR)) return toFile(STDERR);
  const { stderr } = process;
  return (line) => {
    if (stderr.destroyed || stderr.writableLength > MAX_WAITING_BYTES) return false;
    stderr.write(line);
    return true;
  };
}

function toFile(fd: number): (line: string) => boolean {
  // A disk that fills up takes half a line: the next one begins anew.
  let torn = false;
  return (line) => {
    const bytes = Buffer.from(torn ? `\n${line}` : line);
    try {
      const taken = writeSync(fd, bytes);
      if (taken === bytes.length) torn = false;
      else if (taken > 0) torn = true;
      return taken === bytes.length;
    } catch {
      return false;
    }
  };
}

function isPipe(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return false;
  }
}
