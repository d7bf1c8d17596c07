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

/** A key as it is in one segment. */
export interface KeyOfSegment {
  readonly kid: string;
  readonly seg: number;
  readonly secret: Uint8Array;
}

/** What reads: every key that was ever used, by its id. */
export class KeyRing {
  readonly #secrets = new Map<string, KeyOfSegment>();
  readonly #macs = new Map<string, MacKey>();
  /** Where evolving was left: segments are read in order. */
  readonly #reached = new Map<string, KeyOfSegment>();

  constructor(secrets: readonly Uint8Array[]) {
    for (const secret of secrets) {
      for (const kind of ['k', 'e'] as const) this.hold({ kid: keyId(secret, kind), seg: 1, secret });
    }
  }

  /** From this segment on, if it evolves. */
  hold(key: KeyOfSegment): void {
    this.#secrets.set(key.kid, key);
    this.#reached.delete(key.kid);
    this.#macs.clear();
  }

  kids(): string[] {
    return [...this.#secrets.keys()];
  }

  /** As it was in a segment; undefined: not known. */
  secretIn(kid: string, seg: number): Uint8Array | undefined {
    const known = this.#secrets.get(kid);
    if (known === undefined || !kid.startsWith('e')) return known?.secret;
    if (seg < known.seg) return undefined;
    const reached = this.#reached.get(kid);
    let { secret, seg: at } = reached && reached.seg <= seg ? reached : known;
    for (; at < seg; at += 1) secret = evolve(secret, at);
    this.#reached.set(kid, { kid, seg, secret });
    return secret;
  }

  mac(kid: string, seg: number): MacKey | undefined {
    const name = kid.startsWith('e') ? `${kid} ${seg}` : kid;
    const known = this.#macs.get(name);
    if (known !== undefined) return known;
    const secret = this.secretIn(kid, seg);
    if (secret === undefined) return undefined;
    const mac = macKey(secret);
    // Of evolving keys the last few are enough.
    if (this.#macs.size >= 16) this.#macs.clear();
    this.#macs.set(name, mac);
    return mac;
  }
}
