// Stage: the `requestState` with which a modern server lets a call be gone on with belongs to one caller and one call. What the
// client gets is sealed by us with who it is, which backend, which request, and until when; whoever else brings it, or brings
// it with another request, is refused before the server sees it (specification 2026-07-28, MRTR: state is the attacker's input).

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { canonical, parseMessage } from '@mcp-overlay/relay';
import type { PermittedCall, Reply } from '../call/call.ts';
import { deny } from '../call/denial.ts';
import { asObject, asString } from '../call/json.ts';
import type { Stage } from '../call/stage.ts';

/** A person is asked meanwhile. */
export const STATE_MS = 600_000;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const TIME_BYTES = 8;
/** Calls that can be gone on with. */
const RESUMED: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);
const SPELT = Buffer.from('"requestState"');

/** Of one share: a client may come back over another connection, or to another process. */
export class StateSeal {
  readonly #key: Buffer;
  readonly #now: () => number;

  constructor(key: Buffer = randomBytes(32), now: () => number = Date.now) {
    this.#key = key;
    this.#now = now;
  }

  seal(state: string, bound: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const until = Buffer.alloc(TIME_BYTES);
    until.writeDoubleBE(this.#now() + STATE_MS);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(bound));
    const sealed = Buffer.concat([cipher.update(until), cipher.update(state, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64url');
  }

  /** undefined: it is not ours, not of this call and caller, or too old. */
  open(text: string, bound: string): string | undefined {
    const bytes = Buffer.from(text, 'base64url');
    if (bytes.length < NONCE_BYTES + TIME_BYTES + TAG_BYTES) return undefined;
    const cipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(Buffer.from(bound)).setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const plain = Buffer.concat([cipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), cipher.final()]);
      return plain.readDoubleBE(0) < this.#now() ? undefined : plain.toString('utf8', TIME_BYTES);
    } catch {
      return undefined;
    }
  }
}

export interface StatesOptions {
  /** Absent: they pass as they are. */
  readonly states?: { readonly seal: StateSeal; readonly principal: string } | undefined;
}

export function states({ states: its }: StatesOptions): Stage<PermittedCall> {
  if (!its) return (next) => next;
  const { seal, principal } = its;
  return (next) => async (call) => {
    if (!RESUMED.has(call.method)) return next(call);
    // A hash of all arguments, which hardly any call needs.
    const bound = (): string => boundTo(call, principal);
    const given = call.native.requestState;
    if (given === undefined) return sealed(await next(call), seal, bound);
    const requestState = typeof given === 'string' ? seal.open(given, bound()) : undefined;
    if (requestState === undefined) {
      const text = 'this requestState is not of this caller and this request, or is too old: call again without it';
      return deny('invalid_params', text);
    }
    return sealed(await next({ ...call, native: { ...call.native, requestState } }), seal, bound);
  };
}

function sealed(reply: Reply, seal: StateSeal, bound: () => string): Reply {
  if ('error' in reply || ('answer' in reply && !reply.answer.bytes.includes(SPELT))) return reply;
  const result =
    'result' in reply ? reply.result : asObject((parseMessage(reply.answer) as { result?: unknown }).result);
  const state = asString(result?.requestState);
  return result && state !== undefined ? { result: { ...result, requestState: seal.seal(state, bound()) } } : reply;
}

/** The request but for what differs when it is made again: answers, state, and what belongs to the way. */
function boundTo({ backend, method, native }: PermittedCall, principal: string): string {
  const { _meta, inputResponses: _responses, requestState: _state, ...asked } = native;
  const digest = createHash('sha256').update(canonical(asked)).digest('base64url');
  return JSON.stringify([principal, backend.id, method, digest]);
}
