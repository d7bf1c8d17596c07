// A modern server made of legacy sessions: each request stands alone to its client, and is served by a session that was
// initialised with the capabilities the request brings. Clients with other capabilities get other sessions, because servers
// list and ask by them. In: modern requests by `send`; out: answers, and the notifications that belong to them.

import type { RpcErrorName } from '../../errors.ts';
import { stringifyExact } from '../../json-exact.ts';
import { errorMessage, notificationMessage, rawId, resultMessage, toMessage } from '../../json-rpc.ts';
import type { Message } from '../../message.ts';
import type { SteadySession } from '../../steady/steady.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../../transport.ts';
import { Inbox } from '../../transports/inbox.ts';
import {
  asString,
  canonical,
  envelopeOf,
  type JsonObject,
  META,
  metaOf,
  objectOf,
  paramsOf,
  type RpcErrorValue,
  refuseEnvelope,
} from '../envelope.ts';
import { CANCELLED, DISCOVER, isTaskMethod, LEGACY_ONLY, LISTEN, LOG_LEVELS, PROGRESS } from '../methods.ts';
import { ModernCall } from './call.ts';
import type { Handles } from './handle.ts';
import { ModernListen } from './listen.ts';
import { LegacyPeer } from './peer.ts';
import { modernWelcome } from './words.ts';

/** Sessions of one client: it may ask with different capabilities, but hardly with more kinds of them. */
const MAX_PEERS = 8;
/** Calls that wait for their client to go on. */
const MAX_SUSPENDED = 256;
/** Subscriptions of one client. */
const MAX_LISTENS = 64;

export interface ModernOnLegacyOptions {
  /** A legacy session with the server, not yet initialised. */
  open(): SteadySession;
  readonly handles: Handles;
  /** Whose calls these are: a call is gone on with by nobody else. */
  readonly principal: string;
  /** Who we are, for servers whose client does not say who it is. */
  readonly by: JsonObject;
  /** The server took initialize, in this revision. */
  onTaken(revision: string | undefined): void;
  /** The server does not take initialize: it is no legacy one. */
  onRefused(): void;
}

export class ModernOnLegacy implements Transport {
  readonly #options: ModernOnLegacyOptions;
  readonly #inbox = new Inbox();
  readonly #peers = new Map<string, LegacyPeer>();
  /** Requests of the client by their ids. */
  readonly #open = new Map<string, { cancel(reason: string): void }>();
  readonly #suspended = new Map<string, ModernCall>();
  readonly #listens = new Map<string, ModernListen>();
  #paused = false;
  #closing: Promise<void> | undefined;

  constructor(options: ModernOnLegacyOptions) {
    this.#options = options;
  }

  start(handlers: TransportHandlers): void {
    this.#inbox.start(handlers);
  }

  send(message: Message): boolean {
    if (this.#closing !== undefined) return true;
    if (message.kind === 'request') void this.#request(message);
    else if (message.method === CANCELLED) this.#cancelled(paramsOf(message));
    return true;
  }

  async drained(): Promise<void> {
    await Promise.all([...this.#peers.values()].map((peer) => peer.drained()));
  }

  pause(): void {
    this.#paused = true;
    this.#inbox.pause();
    for (const peer of this.#peers.values()) peer.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#inbox.resume();
    for (const peer of this.#peers.values()) peer.resume();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    this.#closing ??= this.#leave(reason, true);
    return this.#closing;
  }

  async #request(message: Message): Promise<void> {
    const { id = 'null', method = '' } = message;
    const params = paramsOf(message);
    const wrong = refuseEnvelope(params) ?? wrongLevel(params);
    if (wrong !== undefined) return this.#error(id, wrong);
    if (LEGACY_ONLY.has(method) || isTaskMethod(method)) {
      return this.#error(id, { code: -32601, message: `Method not found: ${method}` });
    }
    const peer = this.#peerFor(params);
    if (peer === undefined) {
      this.#inbox.pushSoon(errorMessage(id, 'busy', 'too many kinds of clients at one legacy server'));
      return;
    }
    let cancelled = false;
    this.#open.set(id, { cancel: () => (cancelled = true) });
    const welcome = await peer.welcome;
    if (cancelled || this.#closing !== undefined) return;
    this.#open.delete(id);
    if ('preview' in welcome) this.#inbox.push({ ...welcome, id });
    else if ('error' in welcome) this.#error(id, welcome.error);
    else if (method === DISCOVER) this.#inbox.push(resultMessage(id, modernWelcome(welcome.result)));
    else if (method === LISTEN) await this.#listen(id, peer, objectOf(params.notifications));
    else if (params.requestState === undefined) this.#call(message, id, peer, params);
    else this.#resume(message, id, params);
  }

  #call(message: Message, id: string, peer: LegacyPeer, params: JsonObject): void {
    const { method = '' } = message;
    const { handles, principal } = this.#options;
    let nonce: string | undefined;
    const call = new ModernCall({
      peer,
      method,
      params,
      number: message.call,
      capabilities: envelopeOf(params).capabilities,
      suspend: (suspended) => {
        const handle = handles.make({ principal, method, params });
        nonce = handle.nonce;
        this.#suspended.set(nonce, suspended);
        this.#forgetOldest();
        return handle.text;
      },
      over: () => {
        if (nonce !== undefined) this.#suspended.delete(nonce);
      },
    });
    void call.run(this.#asker(id, call), params);
  }

  /** The same request again, with what was asked for. A handle serves once: each question makes another. */
  #resume(message: Message, id: string, params: JsonObject): void {
    const { handles, principal } = this.#options;
    const nonce = handles.read(params.requestState, { principal, method: message.method ?? '', params });
    const call = nonce === undefined ? undefined : this.#suspended.get(nonce);
    if (nonce === undefined || call === undefined) {
      const why =
        nonce === undefined ? 'it was changed, is too old, or belongs to another request' : 'its call is over';
      this.#error(id, { code: -32602, message: `requestState is of no use: ${why}` });
      return;
    }
    this.#suspended.delete(nonce);
    call.resume(this.#asker(id, call), params);
  }

  #asker(id: string, call: ModernCall) {
    this.#open.set(id, { cancel: (reason) => call.cancel(reason) });
    const over = (message: Message): void => {
      this.#open.delete(id);
      this.#inbox.push(message);
    };
    return {
      result: (result: JsonObject) => over(resultMessage(id, result)),
      error: (error: RpcErrorValue, ours?: RpcErrorName) =>
        over({ ...toMessage({ jsonrpc: '2.0', id: rawId(id), error }), ...(ours && { ours }) }),
      fault: (fault: Parameters<TransportHandlers['fault']>[0]) => {
        this.#open.delete(id);
        this.#inbox.push({ ...fault, id });
      },
      progress: (params: JsonObject) => this.#inbox.push(notificationMessage(PROGRESS, params)),
    };
  }

  async #listen(id: string, peer: LegacyPeer, wanted: JsonObject): Promise<void> {
    if (this.#listens.size >= MAX_LISTENS) {
      this.#inbox.pushSoon(errorMessage(id, 'busy', `more than ${MAX_LISTENS} subscriptions`));
      return;
    }
    const listen = new ModernListen(id, peer, (message) => this.#inbox.push(message));
    this.#listens.set(id, listen);
    await listen.open(wanted);
  }

  #cancelled(params: JsonObject): void {
    const id = stringifyExact(params.requestId ?? null);
    this.#listens.get(id)?.close();
    this.#listens.delete(id);
    const open = this.#open.get(id);
    this.#open.delete(id);
    open?.cancel(asString(params.reason) ?? 'the client cancelled');
  }

  #peerFor(params: JsonObject): LegacyPeer | undefined {
    const client = envelopeOf(params);
    const key = canonical(client.capabilities);
    const known = this.#peers.get(key);
    if (known !== undefined) {
      // The last in the map is the last that was used.
      this.#peers.delete(key);
      this.#peers.set(key, known);
      return known;
    }
    if (this.#peers.size >= MAX_PEERS && !this.#letOneGo()) return undefined;
    const { open, by, onTaken, onRefused } = this.#options;
    const peer = new LegacyPeer({
      steady: open(),
      client,
      by,
      notification: (message) => this.#inbox.push(message),
      onTaken,
      onRefused: () => {
        onRefused();
        // Whoever waits is told first.
        setImmediate(() => {
          const reason = { code: 'session_lost', reason: 'the server does not take initialize' };
          this.#closing ??= this.#leave(reason, false);
        });
      },
    });
    if (this.#paused) peer.pause();
    this.#peers.set(key, peer);
    return peer;
  }

  /** The one that has had nothing to do for longest. */
  #letOneGo(): boolean {
    for (const [key, peer] of this.#peers) {
      if (peer.busy) continue;
      this.#peers.delete(key);
      void peer.close();
      return true;
    }
    return false;
  }

  #forgetOldest(): void {
    if (this.#suspended.size <= MAX_SUSPENDED) return;
    const [oldest] = this.#suspended.values();
    oldest?.cancel('too many calls wait for their client');
  }

  #error(id: string, error: RpcErrorValue): void {
    this.#inbox.pushSoon(toMessage({ jsonrpc: '2.0', id: rawId(id), error }));
  }

  async #leave(reason: CloseReason, byOwner: boolean): Promise<void> {
    for (const listen of this.#listens.values()) {
      if (byOwner) listen.close();
      else listen.finish();
    }
    this.#listens.clear();
    const peers = [...this.#peers.values()];
    this.#peers.clear();
    await Promise.all(peers.map((peer) => peer.close()));
    this.#inbox.close(reason, { drop: byOwner });
  }
}

function wrongLevel(params: JsonObject): RpcErrorValue | undefined {
  const level = metaOf(params)[META.logLevel];
  if (level === undefined || LOG_LEVELS.includes(String(level))) return undefined;
  return { code: -32602, message: 'Invalid params: no such log level' };
}
