// Whether an object in a message's params has the same key twice. Readers do not agree which of the two counts, so whoever
// judges the one may pass on what another reads as the other. JSON.parse keeps one of them: there are twins where the text
// has more colons than the value has keys. One walk over the bytes of params, one over the value.

import { RawJson } from './json-exact.ts';
import { memberAt, type Span, skipString } from './json-members.ts';
import type { Message } from './message.ts';

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;

/** `params`: as `parseMessage` gives them. */
export function hasTwins({ bytes }: Message, params: unknown): boolean {
  const open = bytes.indexOf(OPEN_OBJECT);
  const span = open < 0 ? undefined : memberAt(bytes, open, 'params');
  return span !== undefined && colonsIn(bytes, span) > keysIn(params);
}

function colonsIn(bytes: Buffer, { start, end }: Span): number {
  let colons = 0;
  for (let at = start; at < end; ) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      at = skipString(bytes, at);
      continue;
    }
    if (byte === COLON) colons += 1;
    at += 1;
  }
  return colons;
}

/** The scan bounds the depth. */
function keysIn(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof RawJson) return 0;
  let keys = 0;
  if (Array.isArray(value)) {
    for (const item of value) keys += keysIn(item);
    return keys;
  }
  for (const member of Object.values(value)) keys += 1 + keysIn(member);
  return keys;
}
