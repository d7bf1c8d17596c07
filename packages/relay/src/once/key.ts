// Call keys: who calls (a hash of principal and session, so that nobody asks for another's outcome) and the number its end
// gave the call. As text a key carries its own checksum: it stays readable when the rest of its line is not.

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export interface CallKey {
  /** 32 hex digits. */
  readonly session: string;
  readonly number: number;
  /** `<session>:<number>:<checksum>` */
  readonly text: string;
}

/** What keys of one session begin with. Each part narrows it: principal, session, whatever numbers calls apart. */
export function callSession(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32);
}

export function callKey(session: string, number: number): CallKey {
  const plain = `${session}:${number}`;
  return { session, number, text: `${plain}:${hex(crc32(plain))}` };
}

/** Every whole key in a text, wherever it stands. */
export function keysIn(text: string): CallKey[] {
  const found: CallKey[] = [];
  for (const [whole, session = '', number = '', check] of text.matchAll(KEYS)) {
    if (hex(crc32(`${session}:${number}`)) === check) found.push({ session, number: Number(number), text: whole });
  }
  return found;
}

const KEYS = /([0-9a-f]{32}):([0-9]{1,16}):([0-9a-f]{8})/g;

export function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}
