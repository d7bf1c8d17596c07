// Asks a person for a secret, or reads it from a pipe. It is never an argument: those everybody on the machine can read.

import { openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { withoutSecrets } from './output-filter.ts';
import { UsageError } from './report.ts';

/** Of a value that is piped in. */
const MAX_BYTES = 64 * 1024;

const KEY = {
  interrupt: 0x03,
  end: 0x04,
  back: 0x08,
  newline: 0x0a,
  enter: 0x0d,
  eraseAll: 0x15,
  space: 0x20,
  erase: 0x7f,
};

/** Whether somebody is at a terminal to be asked, also where stdin is a pipe. */
export function canAsk(): boolean {
  return process.stdin.isTTY || openTerminal()?.destroy() !== undefined;
}

/** The line that is typed, which the terminal does not show. Rejects `usage` when it is taken back (Ctrl-C, Ctrl-D). */
export async function askHidden(question: string): Promise<Buffer> {
  const { stdin, stderr } = process;
  const opened = stdin.isTTY ? undefined : openTerminal();
  const terminal = opened ?? stdin;
  // First, so that an answer that is typed at once is not shown either.
  terminal.setRawMode(true);
  stderr.write(withoutSecrets(question));
  try {
    return await readLine(terminal);
  } finally {
    terminal.setRawMode(false);
    terminal.pause();
    opened?.destroy();
    stderr.write('\n');
  }
}

function readLine(terminal: ReadStream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const typed: number[] = [];
    const take = (chunk: Buffer): void => {
      for (const [at, byte] of chunk.entries()) {
        const aborted = byte === KEY.interrupt || (byte === KEY.end && typed.length === 0);
        if (aborted || byte === KEY.enter || byte === KEY.newline) {
          terminal.off('data', take);
          terminal.pause();
          // What was typed ahead answers the next question.
          if (at + 1 < chunk.length) terminal.unshift(chunk.subarray(at + 1));
          if (aborted) reject(new UsageError('nothing was entered'));
          else resolve(Buffer.from(typed));
          return;
        }
        if (byte === KEY.erase || byte === KEY.back) eraseLast(typed);
        else if (byte === KEY.eraseAll) typed.length = 0;
        else if (byte >= KEY.space && typed.length < MAX_BYTES) typed.push(byte);
      }
    };
    terminal.on('data', take);
    terminal.resume();
  });
}

/** All of stdin; one newline at its end is cut. */
export async function readPiped(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BYTES) throw new UsageError(`stdin has more than the ${MAX_BYTES} bytes that a secret may have`);
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  return bytes.at(-1) === KEY.newline ? bytes.subarray(0, bytes.at(-2) === KEY.enter ? -2 : -1) : bytes;
}

/** undefined: there is none. */
function openTerminal(): ReadStream | undefined {
  try {
    return new ReadStream(openSync('/dev/tty', 'r+'));
  } catch {
    return undefined;
  }
}

/** A character of UTF-8 is several bytes. */
function eraseLast(typed: number[]): void {
  let last = typed.pop();
  while (last !== undefined && (last & 0xc0) === 0x80) last = typed.pop();
}
