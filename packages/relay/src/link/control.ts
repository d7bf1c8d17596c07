// Control lines: `!word argument`. Never numbered, never seen above the link. Unknown words, and whatever follows the
// argument of a known one, are ignored: that is how the wire grows.

import type { CloseReason } from '../transport.ts';
import { readReason } from './preamble.ts';

export type Control =
  | { readonly word: 'ack' | 'ping' | 'pong'; readonly n: number }
  | { readonly word: 'close'; readonly reason: CloseReason }
  | { readonly word: 'malformed' }
  | { readonly word: 'unknown' };

/** First byte of a control line, and of a message with a call number. */
export const BANG = 0x21;
export const AT = 0x40;

const COUNTED = /^!(ack|ping|pong) ([0-9]{1,16})(?:\s|$)/;
const KNOWN = /^!(?:ack|ping|pong)(?:\s|$)/;
const CLOSE = /^!close(?:\s|$)/;

export function readControl(line: Buffer): Control {
  const text = line.toString('utf8');
  const [, word, digits] = COUNTED.exec(text) ?? [];
  if (word === 'ack' || word === 'ping' || word === 'pong') {
    const n = Number(digits);
    return Number.isSafeInteger(n) ? { word, n } : { word: 'malformed' };
  }
  if (KNOWN.test(text)) return { word: 'malformed' };
  if (CLOSE.test(text)) return { word: 'close', reason: readReason(parsed(text.slice('!close'.length)), 'done') };
  return { word: 'unknown' };
}

export function closeLine({ code, reason }: CloseReason): string {
  return `!close ${JSON.stringify({ code, reason })}\n`;
}

/** A close that cannot be read is still a close. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
