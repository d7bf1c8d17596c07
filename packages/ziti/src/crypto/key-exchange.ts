// How the two ends of a connection come to their keys: crypto_kx of libsodium, the dialer as its client, the host as its server
// (openziti/sdk-golang conn_base.go). One key for each direction; what one end sends with, the other receives with.

import { ZitiError } from '../errors.ts';
import { type KeyPair, PUBLIC_KEY_BYTES, type SessionKeys, type Sodium } from './sodium.ts';

export type Role = 'dialer' | 'host';

export function keyPair(sodium: Sodium): KeyPair {
  return sodium.keyPair();
}

/** Throws `crypto_key_invalid`. */
export function sessionKeys(sodium: Sodium, role: Role, own: KeyPair, peerPublicKey: Uint8Array): SessionKeys {
  if (peerPublicKey.length !== PUBLIC_KEY_BYTES) {
    throw invalid(`a public key of ${peerPublicKey.length} bytes instead of ${PUBLIC_KEY_BYTES}`);
  }
  const keys = role === 'dialer' ? sodium.clientKeys(own, peerPublicKey) : sodium.serverKeys(own, peerPublicKey);
  if (!keys) throw invalid('a public key that gives no shared secret');
  return keys;
}

function invalid(what: string): ZitiError {
  return new ZitiError('crypto_key_invalid', `the other end of the connection sent ${what}`);
}
