// The bytes of a vault: one line of JSON, and one with the HMAC of that line. Names and times can be read by whoever has
// the file, values are sealed one by one (AES-256-GCM, bound to vault and name). Every bit of the file is under the HMAC;
// an older copy of the whole file is as good as the newest, and nothing in it can tell.

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import { SecretError } from './errors.ts';

export interface SealedEntry {
  readonly name: string;
  /** When it was set. */
  readonly at: string;
  readonly iv: string;
  /** Ciphertext and tag. */
  readonly data: string;
}

export interface VaultContent {
  readonly id: string;
  readonly kdf: 'hkdf' | 'scrypt';
  readonly salt: string;
  /** Tells a wrong key from a changed file. */
  readonly check: string;
  /** Counts what was written. */
  readonly version: number;
  readonly entries: readonly SealedEntry[];
}

export interface VaultKeys {
  readonly check: string;
  readonly entries: Buffer;
  readonly file: Buffer;
}

const FORMAT = 'mcp-vault/v1';
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** OWASP's choice for scrypt (Password Storage Cheat Sheet): 128 MiB, about 0.4 s. The file cannot ask for other ones. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 160 * 1024 * 1024 };
/** So long a key is taken for a random one; a shorter one, and every passphrase that is typed, goes through scrypt. */
export const KEY_BYTES = 32;

export function newContent(kdf: VaultContent['kdf']): Omit<VaultContent, 'check'> {
  return { id: random(16), kdf, salt: random(16), version: 0, entries: [] };
}

export async function keysOf(
  secret: Buffer,
  { kdf, salt, id }: Pick<VaultContent, 'kdf' | 'salt' | 'id'>,
): Promise<VaultKeys> {
  const root = kdf === 'scrypt' ? await stretched(secret, Buffer.from(salt, 'base64url')) : secret;
  const derive = (what: string): Buffer => Buffer.from(hkdfSync('sha256', root, salt, `${FORMAT} ${what} ${id}`, 32));
  return { check: derive('check').toString('base64url'), entries: derive('entries'), file: derive('file') };
}

function stretched(secret: Buffer, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, 32, SCRYPT, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

export function seal(value: Buffer, name: string, content: Pick<VaultContent, 'id'>, keys: VaultKeys): SealedEntry {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, keys.entries, iv, { authTagLength: TAG_BYTES }).setAAD(
    boundTo(content.id, name),
  );
  const data = Buffer.concat([cipher.update(value), cipher.final(), cipher.getAuthTag()]);
  return { name, at: new Date().toISOString(), iv: iv.toString('base64url'), data: data.toString('base64url') };
}

/** Throws what the cipher throws. */
export function unseal(entry: SealedEntry, content: Pick<VaultContent, 'id'>, keys: VaultKeys): Buffer {
  const data = Buffer.from(entry.data, 'base64url');
  const iv = Buffer.from(entry.iv, 'base64url');
  const cipher = createDecipheriv(CIPHER, keys.entries, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo(content.id, entry.name)).setAuthTag(data.subarray(-TAG_BYTES));
  return Buffer.concat([cipher.update(data.subarray(0, -TAG_BYTES)), cipher.final()]);
}

export function encodeVault({ id, kdf, salt, check, version, entries }: VaultContent, keys: VaultKeys): string {
  const line = JSON.stringify({ format: FORMAT, id, kdf, salt, check, version, entries });
  return `${line}\n${macOf(line, keys)}\n`;
}

/** What a file says before its key is known: enough to make the keys. undefined: it is no vault. */
export function peekVault(text: string): VaultContent | undefined {
  const [line = '', mac, end, more] = text.split('\n', 4);
  if (mac === undefined || end !== '' || more !== undefined) return undefined;
  try {
    const value = JSON.parse(line) as VaultContent & { format?: unknown };
    return value.format === FORMAT && isContent(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Throws `vault_key_wrong` or `vault_invalid`; what it returns is what was written with this key. */
export function verifyVault(text: string, content: VaultContent, keys: VaultKeys, shown: string): VaultContent {
  const [line = '', mac = ''] = text.split('\n', 2);
  const genuine = same(mac, macOf(line, keys));
  if (genuine) return content;
  if (!same(content.check, keys.check)) {
    throw new SecretError('vault_key_wrong', `the vault ${shown} cannot be opened with this key`);
  }
  throw new SecretError('vault_invalid', `the vault ${shown} was changed by somebody without its key`, RESTORE);
}

export const RESTORE = 'put back a copy of it, or begin a new one';

function macOf(line: string, keys: VaultKeys): string {
  return createHmac('sha256', keys.file).update(line).digest('base64url');
}

function boundTo(id: string, name: string): Buffer {
  return Buffer.from(`${FORMAT}\n${id}\n${name}`);
}

function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function isContent(value: VaultContent): boolean {
  const texts = [value.id, value.salt, value.check].every((text) => typeof text === 'string' && text.length < 100);
  const kdf = value.kdf === 'hkdf' || value.kdf === 'scrypt';
  return (
    texts && kdf && Number.isSafeInteger(value.version) && Array.isArray(value.entries) && value.entries.every(isEntry)
  );
}

function isEntry(entry: SealedEntry): boolean {
  return (
    typeof entry === 'object' &&
    [entry?.name, entry?.at, entry?.iv, entry?.data].every((text) => typeof text === 'string')
  );
}

function random(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}
