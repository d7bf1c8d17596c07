// Starts the process of a child and says what was wrong when it cannot: a missing command, a missing folder and a
// missing interpreter look alike to the system (ENOENT), and not to the person who has to mend it.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { RelayError } from '../../errors.ts';
import { windowsCommand } from './windows-command.ts';

export interface StartOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
}

/** `spawned` rejects when the system could not start it. */
export interface Started {
  readonly process: ChildProcessWithoutNullStreams | undefined;
  readonly spawned: Promise<void>;
}

/** Never throws: every failure arrives through `spawned`, as RelayError `child_start_failed`. */
export function startProcess(options: StartOptions): Started {
  const windows = process.platform === 'win32';
  const { command, args, verbatim } = windows
    ? windowsCommand(options.command, options.args, options.env, existsSync)
    : { command: options.command, args: options.args, verbatim: false };
  try {
    const child = spawn(command, [...args], {
      shell: false,
      // A session and group of its own: signals reach it and its children together, and a terminal's do not.
      detached: !windows,
      windowsHide: true,
      windowsVerbatimArguments: verbatim,
      env: { ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const spawned = new Promise<void>((done, failed) => {
      child.once('spawn', () => done());
      // After the start, 'error' only tells of signals that could not be sent.
      child.on('error', (error) => failed(startError(options, error)));
    });
    // Node resumes the streams of a dead child, paused or not (flushStdio), and its last words would find no taker. Out of
    // files (EMFILE) it makes no streams at all, against its types; the 'error' follows.
    (child.stdio as unknown[] | undefined)?.splice(0);
    return { process: child.pid === undefined ? undefined : child, spawned };
  } catch (error) {
    return { process: undefined, spawned: Promise.reject(startError(options, error)) };
  }
}

/** What the system says of it, in words for the person who has to mend it. */
export function startError({ name, command, cwd, env }: StartOptions, cause: unknown): RelayError {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'unknown';
  const folder = cwd ?? process.cwd();
  const { what, hint } = explain(code, command, folder, env.PATH);
  return new RelayError('child_start_failed', `${name} did not start: ${what}`, {
    facts: { backend: name, command, cwd: folder, cause: code },
    hint,
    cause,
  });
}

function explain(
  code: string,
  command: string,
  folder: string,
  path: string | undefined,
): { what: string; hint: string } {
  const file = isAbsolute(command) ? command : resolve(folder, command);
  if (!isFolder(folder)) {
    return {
      what: `its working folder ${folder} is not there`,
      hint: 'make the folder, or correct the working directory',
    };
  }
  if (code === 'ENOENT' && !/[/\\]/.test(command)) {
    return {
      what: `the command "${command}" was not found`,
      hint: `install it, give its absolute path, or add its folder to PATH (searched: ${path ?? 'nothing, PATH is not set'})`,
    };
  }
  if (code === 'ENOENT' && existsSync(file)) {
    return { what: `the interpreter that ${file} names is not there`, hint: 'look at its first line (#!)' };
  }
  if (code === 'ENOENT')
    return { what: `the file ${file} is not there`, hint: `correct the command (working folder: ${folder})` };
  if (code === 'EACCES')
    return { what: `${command} may not be executed`, hint: 'chmod +x it, or start it through its interpreter' };
  if (code === 'E2BIG')
    return { what: 'its arguments and environment are too long for the system', hint: 'pass less, or by a file' };
  if (code === 'EMFILE' || code === 'ENFILE' || code === 'EAGAIN') {
    return {
      what: `the system is out of files or processes (${code})`,
      hint: 'raise the limit (ulimit -n, ulimit -u) or run fewer servers',
    };
  }
  return { what: `${command}: ${code}`, hint: `working folder: ${folder}` };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
