// Which era does a server speak? It is asked `server/discover`: a result, or an error that only modern servers know, says
// modern; any other error says legacy (specification 2026-07-28, stdio and streamable-http "Backward Compatibility"). One
// that ends, or says nothing, is no modern one as far as can be told: it is given an initialize that nothing went before.
// A network or a login that fails is no evidence. The transport that was asked is handed back, to be used as if it were new.

import { RelayError } from '../errors.ts';
import { requestMessage } from '../json-rpc.ts';
import type { Message } from '../message.ts';
import { LATEST_LEGACY_VERSION } from '../methods.ts';
import type { CloseReason, Transport, TransportHandlers } from '../transport.ts';
import { CODES, errorOf, type JsonObject, MODERN_VERSIONS, resultOf, withEnvelope } from './envelope.ts';
import { DISCOVER } from './methods.ts';

/** A server that has said nothing until then is asked the other question as well. A first `npx` may be downloading. */
const SILENCE_MS = 3000;
/** One that has not answered that one either is stuck at the first. Longer than nearly every download takes, whose
 *  process would be thrown away. */
const STUCK_MS = 15_000;
const DISCOVER_ID = '"mcp-overlay:discover"';
const INITIALIZE_ID = '"mcp-overlay:initialize"';
/** Ends that say something of the way to the server, and nothing of its era. */
const NO_EVIDENCE = new Set(['http_unauthorized', 'http_failed', 'connection_lost', 'session_lost', 'away']);
/** What a server says unasked before it is spoken to in earnest; more is not kept. */
const MAX_EARLY = 64;
const MODERN_ERRORS: readonly number[] = Object.values(CODES);

export type Finding =
  | { readonly era: 'modern'; readonly discovered: JsonObject; readonly transport: Transport }
  | {
      readonly era: 'legacy';
      /** undefined: the server is of no more use after the question, open another. */
      readonly transport: Transport | undefined;
      /** `answer`: it refused the question, and may be asked again. `initialize`: it answered that one only. `end`, `nothing`:
       *  it did not take the question; whether it is a legacy one is known when it takes initialize. */
      readonly heard: 'answer' | 'initialize' | 'end' | 'nothing';
    };

export interface ProbePatience {
  /** For a server that never answers. */
  readonly timeoutMs: number;
  readonly silenceMs?: number | undefined;
  readonly stuckMs?: number | undefined;
}

export interface ProbeOptions extends ProbePatience {
  /** Program and version. */
  readonly by: string;
  /** Whoever asks goes on with an initialize of its own: after a silence, or an answer that says nothing of the era, it gets
   *  the transport, to send that. */
  readonly hurried?: boolean;
  readonly signal?: AbortSignal;
}

export function stuckAfter({ stuckMs = STUCK_MS, timeoutMs }: ProbePatience): number {
  return Math.min(stuckMs, timeoutMs / 2);
}

export function clientInfoOf(by: string): JsonObject {
  const [name, version = '0'] = by.split('/', 2);
  return { name, version };
}

/** Rejects where nothing can be said; the transport is closed then. */
export async function probe(transport: Transport, options: ProbeOptions): Promise<Finding> {
  const asked = new Asked(transport);
  try {
    const verdict = await ask(asked, options);
    if (verdict.era === 'modern') return { ...verdict, transport: asked };
    if (verdict.usable) return { era: 'legacy', heard: verdict.heard, transport: asked };
    await transport.close({ code: 'away', reason: 'it was only asked which era it speaks' });
    return { era: 'legacy', heard: verdict.heard, transport: undefined };
  } catch (error) {
    await transport.close();
    throw error;
  }
}

type Heard = Extract<Finding, { readonly era: 'legacy' }>['heard'];
type Verdict =
  | { readonly era: 'modern'; readonly discovered: JsonObject }
  | { readonly era: 'legacy'; readonly heard: Heard; readonly usable: boolean };

const REFUSED: Verdict = { era: 'legacy', heard: 'answer', usable: true };

function ask(asked: Asked, options: ProbeOptions): Promise<Verdict> {
  const { by, timeoutMs, silenceMs = SILENCE_MS, hurried = false, signal } = options;
  const clientInfo = clientInfoOf(by);
  const timers: NodeJS.Timeout[] = [];
  const given = (): void => fail?.('nobody waits for the answer any more');
  let fail: ((text: string) => void) | undefined;
  const verdict = new Promise<Verdict>((resolve, reject) => {
    fail = (text) => reject(new RelayError('connection_lost', text));
    let both = false;
    let again = false;
    const discover = (): void =>
      void asked.send(requestMessage(DISCOVER_ID, DISCOVER, withEnvelope({}, { capabilities: {}, clientInfo })));
    const silent = (): void => {
      if (hurried) resolve({ era: 'legacy', heard: 'nothing', usable: true });
      both = true;
      const params = { protocolVersion: LATEST_LEGACY_VERSION, capabilities: {}, clientInfo };
      if (!hurried) asked.send(requestMessage(INITIALIZE_ID, 'initialize', params));
    };
    const stuck = (): void => resolve({ era: 'legacy', heard: 'nothing', usable: false });
    timers.push(setTimeout(silent, silenceMs));
    timers.push(setTimeout(stuck, silenceMs + stuckAfter(options)));
    timers.push(setTimeout(() => fail?.(`the server did not answer within ${timeoutMs / 1000} s`), timeoutMs));
    asked.listen(
      (message) => {
        if (message.id === INITIALIZE_ID && resultOf(message)) {
          resolve({ era: 'legacy', heard: 'initialize', usable: false });
        }
        if (message.id !== DISCOVER_ID) return;
        if (!again && takesOurs(message)) {
          again = true;
          discover();
          return;
        }
        const said = judge(message);
        // No evidence; but whoever has an initialize to send hears more by that.
        if (typeof said === 'string' && hurried) resolve({ era: 'legacy', heard: 'nothing', usable: true });
        else if (typeof said === 'string') fail?.(said);
        // Asked both, a legacy server may have refused the first and still be at the second.
        else if (said.era === 'modern' || !both) resolve(said);
        else resolve({ ...said, usable: false });
      },
      ({ code, reason }) => {
        if (NO_EVIDENCE.has(code)) fail?.(reason);
        else resolve({ era: 'legacy', heard: 'end', usable: false });
      },
    );
    discover();
    signal?.addEventListener('abort', given, { once: true });
    if (signal?.aborted) given();
  });
  return verdict.finally(() => {
    for (const timer of timers) clearTimeout(timer);
    signal?.removeEventListener('abort', given);
  });
}

/** Whether an answer to `server/discover` says that there is no such thing here. */
export function refusesDiscover(answer: Message): boolean {
  const said = judge(answer);
  return typeof said !== 'string' && said.era === 'legacy';
}

/** It refused the revision, and names one of ours among those that it speaks. */
function takesOurs(answer: Message): boolean {
  const error = errorOf(answer);
  if (error?.code !== CODES.unsupportedVersion) return false;
  const { supported } = (error.data ?? {}) as { readonly supported?: unknown };
  return Array.isArray(supported) && MODERN_VERSIONS.some((version) => supported.includes(version));
}

/** A string: why it says nothing. */
function judge(answer: Message): Verdict | string {
  const discovered = resultOf(answer);
  if (discovered !== undefined) {
    // A legacy server that answers everything has no versions to tell.
    return Array.isArray(discovered.supportedVersions) ? { era: 'modern', discovered } : REFUSED;
  }
  const error = errorOf(answer);
  const data = error?.data as { readonly error?: unknown; readonly status?: unknown } | undefined;
  if (data?.error === 'backend_unavailable' || data?.error === 'outcome_unknown') {
    const refused = typeof data.status === 'number' && [400, 404, 405, 406, 415].includes(data.status);
    return refused ? REFUSED : (error?.message ?? 'the server could not be asked');
  }
  if (data?.error === 'share_unreachable' || data?.error === 'busy') return error?.message ?? 'the server is busy';
  if (error !== undefined && MODERN_ERRORS.includes(error.code)) {
    return `the server speaks no revision that we speak: ${error.message}`;
  }
  return REFUSED;
}

/** A transport that was spoken to before its owner starts it. */
class Asked implements Transport {
  readonly #transport: Transport;
  #owner: TransportHandlers | undefined;
  #answer: ((message: Message) => void) | undefined;
  #end: ((reason: CloseReason) => void) | undefined;
  readonly #early: Message[] = [];
  #closed: CloseReason | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
    transport.start({
      message: (message) => this.#message(message),
      fault: (fault) => this.#owner?.fault(fault),
      closed: (reason) => {
        this.#closed = reason;
        if (this.#owner === undefined) this.#end?.(reason);
        else if (this.#early.length === 0) this.#owner.closed(reason);
      },
    });
  }

  listen(answer: (message: Message) => void, closed: (reason: CloseReason) => void): void {
    this.#answer = answer;
    this.#end = closed;
  }

  start(handlers: TransportHandlers): void {
    this.#owner = handlers;
    // transport.ts: never from inside `start`.
    queueMicrotask(() => {
      for (const message of this.#early.splice(0)) handlers.message(message);
      if (this.#closed !== undefined) handlers.closed(this.#closed);
    });
  }

  #message(message: Message): void {
    if (message.id === DISCOVER_ID || message.id === INITIALIZE_ID) {
      // After a silence it may come late: nobody waits for it any more.
      if (this.#owner === undefined) this.#answer?.(message);
    } else if (this.#owner !== undefined && this.#early.length === 0) this.#owner.message(message);
    else if (this.#early.length < MAX_EARLY) this.#early.push(message);
  }

  send(message: Message): boolean {
    return this.#transport.send(message);
  }

  drained(): Promise<void> {
    return this.#transport.drained();
  }

  pause(): void {
    this.#transport.pause();
  }

  resume(): void {
    this.#transport.resume();
  }

  close(reason?: CloseReason): Promise<void> {
    return this.#transport.close(reason);
  }
}
