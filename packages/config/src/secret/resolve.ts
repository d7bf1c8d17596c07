// Reads a secret where its reference says. Nothing of it, and nothing a command says, stands in an error.

import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { SecretError } from './errors.ts';
import { atHome, MAX_SECRET_BYTES, readSecretFile } from './file.ts';
import { type LoadKeyring, readKeyring } from './keyring.ts';
import type { SecretReference } from './reference.ts';
import { SecretString } from './secret-string.ts';
import type { Vault } from './vault.ts';

/** A password manager may ask a server; nobody is there to answer a question of its own. */
const COMMAND_MS = 10_000;

export interface ResolveOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Relative paths begin there, also that of a command's program. */
  readonly baseDir?: string;
  /** For a command to end. */
  readonly commandMs?: number;
  /** Where `vault:` is looked up. */
  readonly vault?: Pick<Vault, 'get'> | undefined;
  readonly keyring?: LoadKeyring;
  /** Hears of every value before anybody else does, to keep it out of outputs. */
  readonly onSecret?: ((value: Buffer, reference: SecretReference) => void) | undefined;
}

/** Rejects with a SecretError. One newline at the end of a file or of a command's output is cut. */
export async function resolveSecret(reference: SecretReference, options: ResolveOptions): Promise<SecretString> {
  const value = await read(reference, options);
  if (value.length === 0) throw new SecretError('secret_missing', `${reference.text} is empty`);
  options.onSecret?.(value, reference);
  return new SecretString(value, reference.text);
}

async function read(reference: SecretReference, options: ResolveOptions): Promise<Buffer> {
  const { env, baseDir = '.' } = options;
  switch (reference.kind) {
    case 'env': {
      const value = env[reference.name];
      if (value === undefined) throw new SecretError('secret_missing', `${reference.text}: the variable is not set`);
      return Buffer.from(value);
    }
    case 'file':
      return cutNewline(await readSecretFile(resolve(baseDir, atHome(reference.path)), reference.text));
    case 'creds': {
      const folder = env.CREDENTIALS_DIRECTORY;
      if (folder === undefined || folder === '') {
        throw new SecretError(
          'secret_missing',
          `${reference.text}: CREDENTIALS_DIRECTORY is not set`,
          'systemd sets it for a unit with LoadCredential= or SetCredentialEncrypted=',
        );
      }
      return cutNewline(await readSecretFile(join(folder, reference.name), reference.text, { group: true }));
    }
    case 'cmd':
      return cutNewline(await runCommand(reference, options));
    case 'vault':
      if (options.vault === undefined)
        throw new SecretError('secret_missing', `${reference.text}: there is no vault here`);
      return options.vault.get(reference.name, reference.text);
    case 'keyring':
      return readKeyring(reference.service, reference.user, reference.text, options.keyring);
  }
}

function runCommand(
  { argv, text }: SecretReference & { kind: 'cmd' },
  { env, baseDir = '.', commandMs = COMMAND_MS }: ResolveOptions,
): Promise<Buffer> {
  const [word = '', ...args] = argv;
  // As everywhere: a bare name is looked up in PATH, everything else is a path.
  const program = /[/~]/.test(word) ? resolve(baseDir, atHome(word)) : word;
  const limits = { timeout: commandMs, maxBuffer: MAX_SECRET_BYTES, killSignal: 'SIGKILL' } as const;
  return new Promise((done, reject) => {
    const child = execFile(program, args, { encoding: 'buffer', env, shell: false, ...limits }, (error, stdout) => {
      if (!error) return done(stdout);
      const code: unknown = error.code;
      if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return reject(tooLarge(word));
      const how = error.killed === true ? `not within ${commandMs / 1000} s` : String(code ?? error.signal);
      const byHand = `run it by hand: ${text.slice('cmd:'.length, 200)}`;
      reject(new SecretError('secret_command_failed', `${word} of a cmd: reference failed (${how})`, byHand));
    });
    // It may end before it reads: no failure.
    child.stdin?.on('error', () => {});
    child.stdin?.end();
  });
}

function tooLarge(program: string): SecretError {
  const text = `${program} of a cmd: reference printed more than the ${MAX_SECRET_BYTES} bytes that a secret may have`;
  return new SecretError('secret_too_large', text);
}

function cutNewline(bytes: Buffer): Buffer {
  return bytes.at(-1) === 0x0a ? bytes.subarray(0, bytes.at(-2) === 0x0d ? -2 : -1) : bytes;
}
