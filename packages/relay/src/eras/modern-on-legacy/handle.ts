// The `requestState` of a call that waits for its client: who may go on with it, with which request, until when. A client
// can neither make nor change one (specification 2026-07-28, MRTR "Server Requirements": state is the attacker's input).

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { canonical, type JsonObject } from '../envelope.ts';

/** How long a client may take to answer: a person is asked. */
export const HANDLE_MS = 600_000;
const SECRET_BYTES = 32;
const NONCE_BYTES = 12;

export interface Bound {
  readonly principal: string;
  readonly method: string;
  readonly params: JsonObject;
}

export interface Handle {
  readonly nonce: string;
  readonly text: string;
}

export class Handles {
  readonly #secret = randomBytes(SECRET_BYTES);
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  make(bound: Bound): Handle {
    const nonce = randomBytes(NONCE_BYTES).toString('base64url');
    const payload = `${nonce}.${this.#now() + HANDLE_MS}`;
    return { nonce, text: `${payload}.${this.#sign(payload, bound).toString('base64url')}` };
  }

  /** The nonce, if the handle is ours, whole, of this caller and this request, and not too old. */
  read(text: unknown, bound: Bound): string | undefined {
    const [, nonce, until, signature] = /^([\w-]{16})\.(\d{1,16})\.([\w-]{43})$/.exec(String(text)) ?? [];
    if (nonce === undefined || until === undefined || signature === undefined) return undefined;
    // As text: the last character of Base64 carries bits that mean nothing.
    const given = Buffer.from(signature);
    const right = Buffer.from(this.#sign(`${nonce}.${until}`, bound).toString('base64url'));
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    return Number(until) < this.#now() ? undefined : nonce;
  }

  #sign(payload: string, { principal, method, params }: Bound): Buffer {
    const { _meta, inputResponses: _responses, requestState: _state, ...asked } = params;
    const digest = createHash('sha256').update(canonical(asked)).digest('base64url');
    return createHmac('sha256', this.#secret)
      .update(JSON.stringify([payload, principal, method, digest]))
      .digest();
  }
}
