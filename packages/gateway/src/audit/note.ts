// Signed notes as C2SP has them (github.com/C2SP/C2SP: signed-note.md, tlog-checkpoint.md): who has the public key can tell
// how far a log was and what was in it, and needs no secret for it.
//   mcp-audit/<log>\n <size>\n <base64 root>\n \n — <name> <base64 of key hash and signature>\n

import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { AuditError } from './errors.ts';

export interface Checkpoint {
  readonly log: string;
  /** Number of the last record in it. */
  readonly size: number;
  readonly root: Buffer;
}

/** Notes are short; a longer text is none. */
export const MAX_NOTE_BYTES = 8 * 1024;

const ORIGIN = 'mcp-audit/';
const ED25519 = 1;
/** DER of an Ed25519 public key up to its 32 bytes (RFC 8410). */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const NOTE =
  /^mcp-audit\/([0-9a-f]{32})\n([1-9][0-9]{0,14})\n([A-Za-z0-9+/]{43}=)\n(?:.+\n)*\n((?:— \S+ [A-Za-z0-9+/=]+\n)+)$/;

/** Ed25519, from PEM. */
export function checkpointKey(pem: Uint8Array): KeyObject {
  try {
    const key = createPrivateKey({ key: Buffer.from(pem), format: 'pem' });
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // What is in it is a secret: nothing of it is said.
  }
  throw new AuditError('audit_key_invalid', 'the key of audit.checkpoint is no Ed25519 key in PEM', {
    hint: 'make one with: openssl genpkey -algorithm ed25519',
  });
}

export function signCheckpoint({ log, size, root }: Checkpoint, key: KeyObject): string {
  const text = `${ORIGIN}${log}\n${size}\n${root.toString('base64')}\n`;
  const name = ORIGIN + log;
  const signature = Buffer.concat([keyHash(name, publicBytes(key)), sign(null, Buffer.from(text), key)]);
  return `${text}\n— ${name} ${signature.toString('base64')}\n`;
}

/** The public key as notes name it: `name+hash+base64`. */
export function verifierKey(log: string, key: KeyObject): string {
  const bytes = publicBytes(key);
  const name = ORIGIN + log;
  return `${name}+${keyHash(name, bytes).toString('hex')}+${Buffer.concat([Buffer.of(ED25519), bytes]).toString('base64')}`;
}

/** undefined: it is no checkpoint of ours. The signature is not looked at. */
export function parseCheckpoint(note: string): Checkpoint | undefined {
  const [, log = '', size, root = ''] = NOTE.exec(note) ?? [];
  return size === undefined ? undefined : { log, size: Number(size), root: Buffer.from(root, 'base64') };
}

/** Whether one of these keys signed it. */
export function isSignedBy(note: string, verifierKeys: readonly string[]): boolean {
  const end = note.indexOf('\n\n') + 1;
  const text = Buffer.from(note.slice(0, end));
  const signatures = [...note.slice(end).matchAll(/^— (\S+) ([A-Za-z0-9+/=]+)$/gm)];
  return verifierKeys.some((one) => {
    const [, name = '', hash = '', base64 = ''] = /^(\S+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(one) ?? [];
    const key = Buffer.from(base64, 'base64');
    if (key[0] !== ED25519 || key.length !== 33 || keyHash(name, key.subarray(1)).toString('hex') !== hash)
      return false;
    const spki = createPublicKey({ key: Buffer.concat([SPKI, key.subarray(1)]), format: 'der', type: 'spki' });
    return signatures.some(([, by, encoded = '']) => {
      const bytes = Buffer.from(encoded, 'base64');
      return by === name && bytes.toString('hex', 0, 4) === hash && verify(null, text, spki, bytes.subarray(4));
    });
  });
}

function keyHash(name: string, key: Uint8Array): Buffer {
  return createHash('sha256').update(`${name}\n`).update(Buffer.of(ED25519)).update(key).digest().subarray(0, 4);
}

function publicBytes(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(SPKI.length);
}
