// Numbered lines of a link become messages or faults: `{…}`, or `@17 {…}` for a call that must run once. And what stands
// in for a message that is too large to be sent at all.

import { errorMessage, type LongLine, longLineFault, readMessage } from '../json-rpc.ts';
import type { Limits } from '../limits.ts';
import type { Fault, Message } from '../message.ts';
import { AT } from './control.ts';

const SPACE = 0x20;
const ZERO = 0x30;
/** Digits of Number.MAX_SAFE_INTEGER. */
const MAX_DIGITS = 16;
/** Enough of either end to find an id. */
const GLIMPSE_BYTES = 4096;

type LineLimits = Pick<Limits, 'messageBytes' | 'jsonDepth' | 'jsonTokens'>;

export function readLine(line: Buffer, limits: LineLimits): Message | Fault {
  const start = line[0] === AT ? bodyStart(line) : 0;
  const body = start === 0 ? line : line.subarray(start);
  if (body.length > limits.messageBytes) {
    return longLineFault({
      bytes: body.length,
      head: body.subarray(0, GLIMPSE_BYTES),
      tail: body.subarray(-GLIMPSE_BYTES),
    });
  }
  // A malformed prefix stays where it is, and the line is no JSON.
  return start === 0 ? readMessage(body, limits) : readMessage(body, limits, callOf(line, start));
}

export function readLongLine({ bytes, head, tail }: LongLine): Fault {
  const start = head[0] === AT ? bodyStart(head) : 0;
  return longLineFault({ bytes: bytes - start, head: head.subarray(start), tail });
}

/** What happens to a message over the cap: a response becomes an error to the same peer; a request is answered to us,
 *  for it never leaves; a notification is dropped. */
export function standIn(message: Message, maxBytes: number): { answer: Message | undefined; toUs: boolean } {
  const { id, kind } = message;
  if (id === undefined) return { answer: undefined, toUs: false };
  const text = `the ${kind} has ${message.bytes.length} bytes, a link carries at most ${maxBytes}`;
  const answer = errorMessage(id, 'message_too_large', text, { bytes: message.bytes.length, maxBytes });
  return { answer, toUs: kind === 'request' };
}

/** Where the JSON begins behind `@number `; 0 if that is malformed: no leading zero, at most 2^53 - 1. */
function bodyStart(line: Buffer): number {
  let at = 1;
  while (at <= MAX_DIGITS && isDigit(line[at])) at += 1;
  if (at === 1 || line[1] === ZERO || line[at] !== SPACE) return 0;
  return Number.isSafeInteger(callOf(line, at + 1)) ? at + 1 : 0;
}

function callOf(line: Buffer, start: number): number {
  let call = 0;
  for (let at = 1; at < start - 1; at += 1) call = call * 10 + ((line[at] ?? ZERO) - ZERO);
  return call;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= 0x39;
}
