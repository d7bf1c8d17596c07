// Reads a secret where its reference says. Nothing of it, and nothing a command says, stands in an error.

import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { SecretReference } from './reference.ts';
import { SecretString } from './secret-string.ts';

const MAX_BYTES = 64 * 1024;
const COMMAND_MS = 10_000;

export const SECRET_ERROR_CODES = [
  'secret_missing',
  'secret_open_to_others',
  'secret_too_large',
  'secret_command_failed',
] as const;

export class SecretError extends Error {
  override readonly name = 'SecretError';
  readonly code: (typeof SECRET_ERROR_CODES)[number];
  readonly hint: string | undefined;

  constructor(code: (typeof SECRET_ERROR_CODES)[number], text: string, hint?: string) {
    super(text);
    this.code = code;
    this.hint = hint;
  }
}

export interface ResolveOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Relative paths begin there. */
  readonly baseDir?: string;
}

/** Rejects with a SecretError. One newline at the end of a file or of a command's output is cut. */
export async function resolveSecret(reference: SecretReference, options: ResolveOptions): Promise<SecretString> {
  const value = await read(reference, options);
  if (value.length === 0) throw new SecretError('secret_missing', `${reference.text} is empty`);
  return new SecretString(value, reference.text);
}

async function read(reference: SecretReference, { env, baseDir = '.' }: ResolveOptions): Promise<Buffer> {
  switch (reference.kind) {
    case 'env': {
      const value = env[reference.name];
      if (value === undefined) throw new SecretError('secret_missing', `${reference.text}: the variable is not set`);
      return Buffer.from(value);
    }
    case 'file':
      return cutNewline(await readFile(reference, baseDir));
    case 'cmd':
      return cutNewline(await runCommand(reference));
  }
}

async function readFile({ path, text }: SecretReference & { kind: 'file' }, baseDir: string): Promise<Buffer> {
  const file = path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(baseDir, path);
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new SecretError('secret_missing', `${text} cannot be read (${error.code})`);
  });
  try {
    const { mode, size, uid } = await handle.stat();
    if (process.platform !== 'win32' && ((mode & 0o077) !== 0 || (uid !== process.getuid?.() && uid !== 0))) {
      throw new SecretError('secret_open_to_others', `${text} is open to others than its owner`, `chmod 600 ${file}`);
    }
    if (size > MAX_BYTES)
      throw new SecretError('secret_too_large', `${text} has ${size} bytes, at most ${MAX_BYTES} are read`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function runCommand({ argv, text }: SecretReference & { kind: 'cmd' }): Promise<Buffer> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      { encoding: 'buffer', timeout: COMMAND_MS, maxBuffer: MAX_BYTES, killSignal: 'SIGKILL' },
      (error, stdout) => {
        if (!error) resolve(stdout);
        else
          reject(
            new SecretError(
              'secret_command_failed',
              `${program} of a cmd: reference failed (${error.code ?? error.signal})`,
              `run it by hand: ${text.slice(4, 200)}`,
            ),
          );
      },
    ).stdin?.end();
  });
}

function cutNewline(bytes: Buffer): Buffer {
  return bytes.at(-1) === 0x0a ? bytes.subarray(0, bytes.at(-2) === 0x0d ? -2 : -1) : bytes;
}
