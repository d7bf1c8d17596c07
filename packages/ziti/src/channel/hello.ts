// The first message each way (openziti/channel classic_dialer.go, sendHello). The router answers before it looks at the token:
// a refused one shows as a channel that is closed up to five seconds later.
// The body must be unique: routers 1.6.0 and 1.6.1 keep logins under it, two channels with one text overwrite each other's.

import { randomUUID } from 'node:crypto';
import { ZitiError, type ZitiErrorCode } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { RouterVersion } from './channel.ts';
import { CHANNEL_HEADERS, CHANNEL_TYPES } from './content-types.ts';
import { Headers } from './headers.ts';
import { encodedHeadersBytes, encodeMessage, type Message } from './message.ts';
import { printable } from './printable.ts';

/** As Go does; an answer refers to it, later messages count from 1. */
const HELLO_SEQUENCE = -1;
/** What a router reads of a Hello (readHelloV2). */
export const MAX_HELLO_HEADER_BYTES = 16_384;
/** Enough for any version text; the rest is not looked at. */
const MAX_VERSION_CHARS = 1024;
const VERSION = /v(\d{1,6})\.(\d{1,6})\.(\d{1,6})/;

/** HelloRejectClass (openziti/channel hello_reject.go). */
const REFUSALS: Readonly<Record<number, ZitiErrorCode>> = { 1: 'router_busy', 2: 'router_not_permitted' };

export interface HelloAnswer {
  readonly routerId: string;
  readonly routerVersion: RouterVersion | null;
  readonly headers: Headers;
}

/** Throws `frame_headers_too_large`. */
export function encodeHello(token: string): Buffer {
  const headers = new Headers().setString(CHANNEL_HEADERS.sessionToken, token);
  if (encodedHeadersBytes(headers) > MAX_HELLO_HEADER_BYTES) {
    throw new ZitiError('frame_headers_too_large', 'the token of this API session is longer than a router reads');
  }
  return encodeMessage(CHANNEL_TYPES.hello, HELLO_SEQUENCE, headers, Buffer.from(randomUUID()));
}

/** Throws `hello_invalid`, `router_refused`, `router_busy`, `router_not_permitted`. `peer` begins the error texts. */
export function readHelloAnswer(message: Message, peer: string): HelloAnswer {
  const { type, headers, body } = message;
  if (type !== CHANNEL_TYPES.result || headers.i32(CHANNEL_HEADERS.replyFor) !== HELLO_SEQUENCE) {
    throw new ZitiError('hello_invalid', `${peer} answered the Hello with something else`, {
      hint: 'what listens there is no edge router, or one of another kind',
    });
  }
  if (headers.bool(CHANNEL_HEADERS.resultSuccess) !== true) {
    const code = REFUSALS[headers.i32(CHANNEL_HEADERS.helloRejectClass) ?? 0] ?? 'router_refused';
    const reason = printable(Buffer.from(body).toString('utf8', 0, LIMITS.quotedChars));
    throw new ZitiError(code, `${peer} refused the channel: ${reason || 'no reason given'}`);
  }
  return {
    routerId: printable(headers.string(CHANNEL_HEADERS.id)?.slice(0, LIMITS.quotedChars) ?? ''),
    routerVersion: readVersion(headers.string(CHANNEL_HEADERS.helloVersion)),
    headers,
  };
}

/** From `v1.6.0|local|…` as well as from JSON. */
export function readVersion(text: string | undefined): RouterVersion | null {
  const [, major, minor, patch] = VERSION.exec(text?.slice(0, MAX_VERSION_CHARS) ?? '') ?? [];
  if (major === undefined) return null;
  return { major: Number(major), minor: Number(minor), patch: Number(patch) };
}
