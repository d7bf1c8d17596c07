// A vault: a file of ours with sealed secrets (./vault-format.ts). Each look-up reads the file anew, so what another
// process sets is there at once; each change replaces the file whole, or not at all.

import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SecretError } from './errors.ts';
import { MAX_SECRET_BYTES, readSecretFile } from './file.ts';
import type { SecretString } from './secret-string.ts';
import {
  encodeVault,
  KEY_BYTES,
  keysOf,
  newContent,
  peekVault,
  RESTORE,
  seal,
  unseal,
  type VaultContent,
  type VaultKeys,
  verifyVault,
} from './vault-format.ts';

/** Each change writes all of it, and each look-up reads all of it. */
export const MAX_VAULT_BYTES = 1024 * 1024;
/** A draft of a writer that is older has no writer any more. */
const STALE_DRAFT_MS = 30_000;

export interface VaultOptions {
  /** Absolute. */
  readonly path: string;
  /** Asked for once, when something needs it. `typed`: by a person, who is no good source of 256 random bits. */
  key(fresh: boolean): Promise<{ readonly secret: SecretString; readonly typed: boolean }>;
}

export interface VaultEntry {
  readonly name: string;
  readonly at: string;
}

interface Opened {
  readonly content: VaultContent;
  readonly keys: VaultKeys;
}

export class Vault {
  readonly #options: VaultOptions;
  #known: { readonly salt: string; readonly keys: Promise<VaultKeys> } | undefined;

  constructor(options: VaultOptions) {
    this.#options = options;
  }

  /** Rejects with a SecretError. `shown`: the reference, for messages. */
  async get(name: string, shown: string): Promise<Buffer> {
    const { path } = this.#options;
    const opened = await this.#open();
    const entry = opened?.content.entries.find((one) => one.name === name);
    if (opened === undefined || entry === undefined) {
      const what = opened === undefined ? `there is no vault ${path}` : `the vault ${path} has no such name`;
      throw new SecretError('secret_missing', `${shown}: ${what}`, `mcp-gateway vault set ${name}`);
    }
    return unsealed(entry, opened, path);
  }

  async list(): Promise<readonly VaultEntry[]> {
    const opened = await this.#open();
    return (opened?.content.entries ?? []).map(({ name, at }) => ({ name, at }));
  }

  async set(name: string, value: Buffer): Promise<void> {
    if (value.length > MAX_SECRET_BYTES) {
      throw new SecretError('secret_too_large', `a secret has at most ${MAX_SECRET_BYTES} bytes`);
    }
    await this.#change(({ content, keys }) => {
      const others = content.entries.filter((entry) => entry.name !== name);
      return [...others, seal(value, name, content, keys)].sort((a, b) => (a.name < b.name ? -1 : 1));
    });
  }

  /** Whether it was there. */
  async remove(name: string): Promise<boolean> {
    const there = (await this.list()).some((entry) => entry.name === name);
    if (there) await this.#change(({ content }) => content.entries.filter((entry) => entry.name !== name));
    return there;
  }

  /** undefined: there is no file. */
  async #open(): Promise<Opened | undefined> {
    const { path } = this.#options;
    if (!(await exists(path))) return undefined;
    const bytes = await readSecretFile(path, `the vault ${path}`, { maxBytes: MAX_VAULT_BYTES });
    const text = bytes.toString('utf8');
    const content = peekVault(text);
    if (content === undefined) throw new SecretError('vault_invalid', `${path} is no vault, or a broken one`, RESTORE);
    const keys = await this.#keys(content);
    return { content: verifyVault(text, content, keys, path), keys };
  }

  /** What a key is stretched to is kept: with scrypt it takes half a second. */
  async #keys(content: Pick<VaultContent, 'kdf' | 'salt' | 'id'>): Promise<VaultKeys> {
    const known = this.#known;
    if (known?.salt === content.salt) return known.keys;
    const keys = this.#options.key(false).then(({ secret }) => secret.use((key) => keysOf(key, content)));
    this.#known = { salt: content.salt, keys };
    // A key that could not be had, or was wrong, is asked for again.
    const forget = (): void => {
      if (this.#known?.keys === keys) this.#known = undefined;
    };
    return keys.then(
      (made) => {
        if ('check' in content && made.check !== content.check) forget();
        return made;
      },
      (error: unknown) => {
        forget();
        throw error;
      },
    );
  }

  async #create(): Promise<Opened> {
    const { secret, typed } = await this.#options.key(true);
    return secret.use(async (key) => {
      const content = newContent(typed || key.length < KEY_BYTES ? 'scrypt' : 'hkdf');
      const keys = await keysOf(key, content);
      return { content: { ...content, check: keys.check }, keys };
    });
  }

  async #change(entries: (opened: Opened) => VaultContent['entries']): Promise<void> {
    const { path } = this.#options;
    // The key may have to be asked for: not while others wait for the draft.
    await this.#open();
    await using draft = await openDraft(path);
    const opened = (await this.#open()) ?? (await this.#create());
    const { content, keys } = opened;
    const text = encodeVault({ ...content, version: content.version + 1, entries: entries(opened) }, keys);
    if (Buffer.byteLength(text) > MAX_VAULT_BYTES) {
      throw new SecretError('secret_too_large', `the vault ${path} has no room for more than ${MAX_VAULT_BYTES} bytes`);
    }
    await draft.replace(text);
  }
}

function unsealed(entry: VaultContent['entries'][number], { content, keys }: Opened, path: string): Buffer {
  try {
    return unseal(entry, content, keys);
  } catch {
    throw new SecretError('vault_invalid', `the vault ${path} is broken at ${JSON.stringify(entry.name)}`, RESTORE);
  }
}

interface Draft extends AsyncDisposable {
  replace(text: string): Promise<void>;
}

/** The next state of the file, and the lock of whoever changes it: there is one at a time. */
async function openDraft(path: string): Promise<Draft> {
  const draft = `${path}.new`;
  const age = await stat(draft).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );
  if (age > STALE_DRAFT_MS) await rm(draft, { force: true });
  const handle = await open(draft, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST')
      throw new SecretError('vault_busy', `somebody else changes the vault ${path} now`, 'try again');
    throw new SecretError('vault_unwritable', `the vault ${path} cannot be written (${error.code})`);
  });
  let done = false;
  return {
    replace: async (text) => {
      try {
        await handle.writeFile(text);
        await handle.sync();
        await rename(draft, path);
        done = true;
        await syncFolder(dirname(path));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        throw new SecretError('vault_unwritable', `the vault ${path} cannot be written (${code})`);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await handle.close();
      if (!done) await rm(draft, { force: true });
    },
  };
}

/** The new name is on the disk, too. Not every file system lets a folder be synced. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}
