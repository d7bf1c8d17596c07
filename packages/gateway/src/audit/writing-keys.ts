// The key of the segment that is being written: one that stays, or one that evolves (evolving.ts).

import type { ChainState } from './chain.ts';
import { type ArgumentKeys, argumentKeys, commitment, keyId } from './keys.ts';
import { type MacKey, macKey } from './line-hash.ts';

export interface WritingKeys {
  readonly kid: string;
  readonly mac: MacKey;
  readonly args: ArgumentKeys;
  /** Before the first record of a segment. Idempotent. */
  readyFor(seg: number, before: ChainState): Promise<void>;
  /** What `key.rotate` says of it. */
  commitment(log: string, seq: number): string;
}

export function stayingKey(secret: Uint8Array): WritingKeys {
  return {
    kid: keyId(secret, 'k'),
    mac: macKey(secret),
    args: argumentKeys(secret),
    readyFor: async () => {},
    commitment: (log, seq) => commitment(secret, log, seq),
  };
}
