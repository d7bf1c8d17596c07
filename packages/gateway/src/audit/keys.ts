// Keys of the log. A key has an id that is computed from it, so a ring needs no names: `k…` for one that stays, `e…` for one
// that evolves with each segment (a thief of today's cannot rewrite yesterday). Other keys are derived from it: arguments
// are never hashed under the key of the records.

import { hkdfSync } from 'node:crypto';
import { AuditError } from './errors.ts';
import { AUDIT_LIMITS } from './limits.ts';
import { hmac, type MacKey, macKey } from './line-hash.ts';

const LABEL = 'mcp-audit/v1';

export interface ArgumentKeys {
  /** For digests of values. */
  readonly digest: Uint8Array;
  /** For AES-256-GCM. */
  readonly seal: Uint8Array;
}

/** What writes: the key of one segment after the other. */
export interface SigningKey {
  readonly kid: string;
  readonly args: ArgumentKeys;
  readonly secret: Uint8Array;
}

export function checkKey(bytes: Uint8Array, from: string): Uint8Array {
  if (bytes.length >= AUDIT_LIMITS.keyBytes) return bytes;
  throw new AuditError(
    'audit_key_invalid',
    `${from} has ${bytes.length} bytes, a key has ${AUDIT_LIMITS.keyBytes} or more`,
    {
      hint: 'make one with: openssl rand -hex 32',
    },
  );
}

export function signingKey(secret: Uint8Array): SigningKey {
  return { kid: keyId(secret, 'k'), args: argumentKeys(secret), secret };
}

export function keyId(secret: Uint8Array, kind: 'k' | 'e'): string {
  return kind + hmac(secret, `${LABEL} kid ${kind}`).toString('hex', 0, 8);
}

export function argumentKeys(secret: Uint8Array): ArgumentKeys {
  return { digest: derive(secret, 'args'), seal: derive(secret, 'seal') };
}

/** The key of segment `seg + 1` from that of `seg`. */
export function evolve(secret: Uint8Array, seg: number): Uint8Array {
  return derive(secret, `evolve\n${seg}`);
}

/** What `key.rotate` says of the next key: it was known when the record was made. */
export function commitment(secret: Uint8Array, log: string, seq: number): string {
  return hmac(secret, `${LABEL} commit\n${log}\n${seq}`).toString('hex');
}

function derive(secret: Uint8Array, what: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `${LABEL} ${what}`, 32));
}

/** What reads: every key that was ever used, by its id. */
export class KeyRing {
  readonly #secrets = new Map<string, Uint8Array>();
  readonly #macs = new Map<string, MacKey>();
  readonly #evolving = new Map<string, { seg: number; secret: Uint8Array }>();

  constructor(secrets: readonly Uint8Array[]) {
    for (const secret of secrets) {
      this.#secrets.set(keyId(secret, 'k'), secret);
      this.#secrets.set(keyId(secret, 'e'), secret);
    }
  }

  has(kid: string): boolean {
    return this.#secrets.has(kid);
  }

  secret(kid: string): Uint8Array | undefined {
    return this.#secrets.get(kid);
  }

  mac(kid: string, seg: number): MacKey | undefined {
    const secret = this.#secrets.get(kid);
    if (secret === undefined) return undefined;
    const name = kid.startsWith('e') ? `${kid} ${seg}` : kid;
    let mac = this.#macs.get(name);
    if (mac === undefined) {
      mac = macKey(kid.startsWith('e') ? this.#secretAt(kid, secret, seg) : secret);
      // Of evolving keys the last few are enough: segments are read in order.
      if (this.#macs.size > 64) this.#macs.clear();
      this.#macs.set(name, mac);
    }
    return mac;
  }

  #secretAt(kid: string, first: Uint8Array, seg: number): Uint8Array {
    let at = this.#evolving.get(kid);
    if (at === undefined || at.seg > seg) at = { seg: 1, secret: first };
    while (at.seg < seg) at = { seg: at.seg + 1, secret: evolve(at.secret, at.seg) };
    this.#evolving.set(kid, at);
    return at.secret;
  }
}
