// A token as text: one line, `mcpa1_` and base64url of JSON `[[payload, signature], …, seed]`. The seed is there where the
// key of the last block travels along (a bearer); a holder's token is without, and of no use to whoever has not his key.

import type { KeyObject } from 'node:crypto';
import { OverlayError } from '../errors.ts';
import { ACCESS_LIMITS } from '../limits.ts';
import type { SealedBlock } from './block.ts';
import { fromBase64Url } from './bytes.ts';
import { isKeyBytes, keyOfSeed, seedOf } from './keys.ts';
import { malformed, tooLarge } from './restriction.ts';

export interface AccessToken {
  /** At least one. */
  readonly blocks: readonly SealedBlock[];
  /** Private; of a bearer. */
  readonly key?: KeyObject;
}

export const TOKEN_MARK = 'mcpa1_';

export function tokenText({ blocks, key }: AccessToken): string {
  const value = [...blocks, ...(key ? [seedOf(key).toString('base64url')] : [])];
  return `${TOKEN_MARK}${Buffer.from(JSON.stringify(value)).toString('base64url')}`;
}

/** Nothing of the text is in an error. Throws `access_malformed`, `access_too_large`, `access_too_long`. */
export function readToken(text: string): AccessToken {
  if (text.length > ACCESS_LIMITS.tokenBytes) {
    throw tooLarge(`it has more than ${ACCESS_LIMITS.tokenBytes} characters`);
  }
  const json = text.startsWith(TOKEN_MARK) ? fromBase64Url(text.slice(TOKEN_MARK.length)) : undefined;
  if (json === undefined) throw malformed('it does not look like one');
  let value: unknown;
  try {
    value = JSON.parse(json.toString('utf8'));
  } catch {
    throw malformed('it is no JSON inside');
  }
  if (!Array.isArray(value)) throw malformed('it is no list of blocks');
  const last: unknown = value.at(-1);
  if (typeof last !== 'string') return { blocks: readBlocks(value) };
  const seed = fromBase64Url(last);
  if (!isKeyBytes(seed)) throw malformed('its key cannot be read');
  return { blocks: readBlocks(value.slice(0, -1)), key: keyOfSeed(seed) };
}

/** The form of a list of blocks, not what they say. Throws `access_malformed`, `access_too_large`, `access_too_long`. */
export function readBlocks(value: unknown): readonly SealedBlock[] {
  if (!Array.isArray(value) || value.length === 0) throw malformed('it has no block');
  if (value.length > ACCESS_LIMITS.blocks) {
    throw new OverlayError(
      'access_too_long',
      `the access token was narrowed more than ${ACCESS_LIMITS.blocks - 1} times`,
    );
  }
  let chars = 0;
  for (const block of value as unknown[]) {
    if (!Array.isArray(block) || block.length !== 2) throw malformed('a block has no signature');
    for (const part of block as unknown[]) {
      if (typeof part !== 'string') throw malformed('a block has no signature');
      chars += part.length;
    }
  }
  if (chars > ACCESS_LIMITS.tokenBytes) throw tooLarge(`it has more than ${ACCESS_LIMITS.tokenBytes} characters`);
  return value as SealedBlock[];
}
