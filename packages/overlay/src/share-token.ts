// Share tokens: the address of a share, never a credential. 3–32 of a–z, 0–9 and -, which also keeps them safe as file
// names; random ones carry 128 bits, so that nobody meets another's by chance and none is ever used twice.

import { randomBytes } from 'node:crypto';
import { OverlayError } from './errors.ts';

const SHARE_TOKEN = /^[a-z0-9-]{3,32}$/;
/** What people write who expect a port: `host:8080`, `http://…`, a path. */
const ADDRESS = /[:/\\]/;
/** How much of a wrong token an error shows. */
const SHOWN_CHARS = 40;
/** 2^128 in base 36. */
const RANDOM_CHARS = 25;

export function isShareToken(text: string): boolean {
  return SHARE_TOKEN.test(text);
}

/** Throws `bad_token`. */
export function checkShareToken(text: string): void {
  if (isShareToken(text)) return;
  const shown = JSON.stringify(text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text);
  throw new OverlayError('bad_token', `${shown} is not a share token`, {
    hint: ADDRESS.test(text)
      ? 'a share is named by the token that its host prints, not by an address'
      : 'a share token has 3 to 32 characters of a-z, 0-9 and -',
  });
}

export function randomShareToken(): string {
  return BigInt(`0x${randomBytes(16).toString('hex')}`)
    .toString(36)
    .padStart(RANDOM_CHARS, '0');
}
