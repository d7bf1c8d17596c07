// Which era does a server speak? It is asked `server/discover`: a result, or an error that only modern servers know, says
// modern; any other error, or an end, says legacy; silence is asked `initialize` too, and the first answer decides
// (specification 2026-07-28, stdio and streamable-http "Backward Compatibility"). A network or a login that fails is no
// evidence. The transport that was asked is handed back, to be used as if it were new.

import { RelayError } from '../errors.ts';
import { requestMessage } from '../json-rpc.ts';
import type { Message } from '../message.ts';
import { LATEST_LEGACY_VERSION } from '../methods.ts';
import type { CloseReason, Transport, TransportHandlers } from '../transport.ts';
import { CODES, errorOf, type JsonObject, resultOf, withEnvelope } from './envelope.ts';
import { DISCOVER } from './methods.ts';

/** A server that has said nothing until then is asked the other question as well. */
const SILENCE_MS = 3000;
const DISCOVER_ID = '"mcp-overlay:discover"';
const INITIALIZE_ID = '"mcp-overlay:initialize"';
/** Ends that say something of the way to the server, and nothing of its era. */
const NO_EVIDENCE = new Set(['http_unauthorized', 'http_failed', 'connection_lost', 'session_lost', 'away']);
const MODERN_ERRORS: readonly number[] = Object.values(CODES);

export type Finding =
  | { readonly era: 'modern'; readonly discovered: JsonObject; readonly transport: Transport }
  /** undefined: the server is of no more use after the question, open another. */
  | { readonly era: 'legacy'; readonly transport: Transport | undefined };

export interface ProbeOptions {
  /** Program and version. */
  readonly by: string;
  /** For a server that never answers. */
  readonly timeoutMs: number;
  readonly silenceMs?: number;
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
    if (verdict.usable) return { era: 'legacy', transport: asked };
    await transport.close({ code: 'away', reason: 'it was only asked which era it speaks' });
    return { era: 'legacy', transport: undefined };
  } catch (error) {
    await transport.close();
    throw error;
  }
}

type Verdict =
  | { readonly era: 'modern'; readonly discovered: JsonObject }
  | { readonly era: 'legacy'; readonly usable: boolean };

function ask(asked: Asked, { by, timeoutMs, silenceMs = SILENCE_MS }: ProbeOptions): Promise<Verdict> {
  const clientInfo = clientInfoOf(by);
  return new Promise<Verdict>((resolve, reject) => {
    const settle = (verdict: Verdict): void => {
      clearTimeout(silence);
      clearTimeout(patience);
      resolve(verdict);
    };
    const fail = (text: string): void => {
      clearTimeout(silence);
      clearTimeout(patience);
      reject(new RelayError('connection_lost', text));
    };
    let both = false;
    const silence = setTimeout(() => {
      both = true;
      const params = { protocolVersion: LATEST_LEGACY_VERSION, capabilities: {}, clientInfo };
      asked.send(requestMessage(INITIALIZE_ID, 'initialize', params));
    }, silenceMs);
    const patience = setTimeout(() => fail(`the server did not answer within ${timeoutMs / 1000} s`), timeoutMs);
    asked.listen(
      (message) => {
        if (message.id === INITIALIZE_ID && resultOf(message)) settle({ era: 'legacy', usable: false });
        if (message.id !== DISCOVER_ID) return;
        const verdict = judge(message);
        if (typeof verdict === 'string') fail(verdict);
        // Asked both, a legacy server may have refused the first and still be at the second.
        else if (verdict.era === 'modern' || !both) settle(verdict);
        else settle({ era: 'legacy', usable: false });
      },
      ({ code, reason }) => {
        if (NO_EVIDENCE.has(code)) fail(reason);
        else settle({ era: 'legacy', usable: false });
      },
    );
    asked.send(requestMessage(DISCOVER_ID, DISCOVER, withEnvelope({}, { capabilities: {}, clientInfo })));
  });
}

/** A string: why it says nothing. */
function judge(answer: Message): Verdict | string {
  const discovered = resultOf(answer);
  if (discovered !== undefined) {
    // A legacy server that answers everything has no versions to tell.
    return Array.isArray(discovered.supportedVersions)
      ? { era: 'modern', discovered }
      : { era: 'legacy', usable: true };
  }
  const error = errorOf(answer);
  const data = error?.data as { readonly error?: unknown; readonly status?: unknown } | undefined;
  if (data?.error === 'backend_unavailable' || data?.error === 'outcome_unknown') {
    const refused = typeof data.status === 'number' && [400, 404, 405, 406, 415].includes(data.status);
    return refused ? { era: 'legacy', usable: true } : (error?.message ?? 'the server could not be asked');
  }
  if (data?.error === 'share_unreachable' || data?.error === 'busy') return error?.message ?? 'the server is busy';
  if (error !== undefined && MODERN_ERRORS.includes(error.code)) {
    return `the server speaks no revision that we speak: ${error.message}`;
  }
  return { era: 'legacy', usable: true };
}

/** A transport that was spoken to before its owner starts it. */
class Asked implements Transport {
  readonly #transport: Transport;
  #owner: TransportHandlers | undefined;
  #message: ((message: Message) => void) | undefined;
  #end: ((reason: CloseReason) => void) | undefined;
  #closed: CloseReason | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
    transport.start({
      message: (message) => (this.#owner ? this.#owner.message(message) : this.#message?.(message)),
      fault: (fault) => this.#owner?.fault(fault),
      closed: (reason) => {
        this.#closed = reason;
        if (this.#owner) this.#owner.closed(reason);
        else this.#end?.(reason);
      },
    });
  }

  listen(message: (message: Message) => void, closed: (reason: CloseReason) => void): void {
    this.#message = message;
    this.#end = closed;
  }

  start(handlers: TransportHandlers): void {
    this.#owner = handlers;
    const closed = this.#closed;
    if (closed !== undefined) queueMicrotask(() => handlers.closed(closed));
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
