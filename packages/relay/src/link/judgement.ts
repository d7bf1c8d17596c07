// What the link needs to know of who is at the other end: at the host whether it may come in and whose its links are,
// at the dialer whether to go on. Who decides stands above; the link compares ids and carries proofs and refusals.

import type { Duplex } from 'node:stream';
import type { PeerProof, Refusal } from './preamble.ts';

/** Whom a link belongs to. What else is known of it is its owner's. */
export interface Peer {
  readonly id: string;
  /** Tells apart what the same id was let in with, where that matters. */
  readonly stamp?: string | undefined;
}

/** The id of everybody of whom nothing is proven: two of them need not be the same. */
export const NOBODY_IN_PARTICULAR = 'unproven';

export type Judgement<P extends Peer> =
  /** `as`: told to the dialer, which looks whether what it showed was taken. */
  | { readonly principal: P; readonly as?: string }
  | { readonly refused: Refusal }
  /** It has more to show, and does so once it knows who asks. */
  | { readonly asks: true };

/** The dialer's side: proves itself, and looks whom it reached. */
export interface HostCheck {
  /** What to offer as proof on this very connection. */
  prove(connection: Duplex): PeerProof | null | Promise<PeerProof | null>;
  /** Before anything is said. Rejects with why this host is not the one that was meant. `as`: whom it takes us for, where
   *  it says so. */
  verify(connection: Duplex, proof: PeerProof | null, as?: string): void | Promise<void>;
  /** The host asks for what we announced. Rejects where it is not to be told; absent: nothing was announced. */
  tell?(connection: Duplex, proof: PeerProof | null): PeerProof | Promise<PeerProof>;
  /** The host speaks HTTP, where nothing is proven. Rejects where that is a step back. */
  plain(): void | Promise<void>;
}
