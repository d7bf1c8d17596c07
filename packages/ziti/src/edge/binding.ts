// What both ends of an encrypted connection compute alike and no other connection has: proofs of identity are signed over it.
// It covers the keys of both directions and the stream headers. The keys alone would not do: a router that announces the same
// caller twice makes the host derive the same keys again, and only the fresh random headers tell the two apart.

import { createHash } from 'node:crypto';

const TAG = 'mcp-overlay ziti binding v1';

/** All of fixed length. */
export interface BindingSide {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 32 bytes: what this side sends with. */
  readonly key: Uint8Array;
  /** 24 bytes: what this side's stream begins with. */
  readonly header: Uint8Array;
}

/** 32 bytes. The sides are named by their roles, so that both ends fill in the same. */
export function bindingOf(dialer: BindingSide, host: BindingSide, service: string): Uint8Array {
  const hash = createHash('sha256').update(TAG).update(Uint8Array.of(0));
  hash.update(dialer.publicKey).update(host.publicKey);
  hash.update(dialer.key).update(host.key);
  hash.update(dialer.header).update(host.header);
  return Uint8Array.from(hash.update(service, 'utf8').digest());
}
