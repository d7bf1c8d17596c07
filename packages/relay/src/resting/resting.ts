// A server for everybody that is ended while nobody uses it: its owner sees one Transport that never ends by that. Order:
// awake -> (nothing open, nothing said for `idleMs`) -> asleep -> (a request) -> waking: open, rebuild, flush -> awake.
// Invariant: it never sleeps over an open request, an unanswered question or a subscription to a resource; what it is asked
// while it sleeps is answered by the next server, or handed back as not run. Who only wants to hear of changed lists does
// not keep it awake: nothing changes in a server that does not run, and of its successor they are told to look.

import { objectOf, paramsOf } from '../eras/envelope.ts';
import { ACKNOWLEDGED, LISTEN } from '../eras/methods.ts';
import { stringifyExact } from '../json-exact.ts';
import { notificationMessage, parseMessage } from '../json-rpc.ts';
import { LIMITS } from '../limits.ts';
import type { Fault, Message } from '../message.ts';
import { Listens } from '../steady/listens.ts';
import { OwnRequests } from '../steady/own-requests.ts';
import { changedLists, rebuild } from '../steady/rebuild.ts';
import { SessionMemory } from '../steady/session-memory.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';

/** Said by clients of themselves: no reason to start a server, which would ask if it wanted to know. */
const NEWS_OF_CLIENTS: ReadonlySet<string> = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
]);

/** Of a first start, too. */
const WAKE_MS = 120_000;

export interface RestingOptions {
  /** For messages to people: `backend fs`. */
  readonly name: string;
  /** A server that was not spoken to. */
  open(): Promise<Transport>;
  readonly idleMs: number;
  /** false: what a legacy server remembers is one client's, so it never sleeps after an initialize. */
  readonly mayForget: boolean;
  /** For the next server to take the session up. Default 120,000. */
  readonly wakeMs?: number;
  readonly onAsleep?: (asleep: boolean) => void;
  /** It is over, awake or asleep; once. */
  readonly onOver?: () => void;
  readonly now?: () => number;
}

/** Opens it now: it sleeps when it has something to rest from. Rejects with what `open` rejects with. */
export async function restingServer(options: RestingOptions): Promise<Transport> {
  return new Resting(options, await options.open());
}

class Resting implements Transport {
  readonly #options: RestingOptions;
  readonly #now: () => number;
  readonly #memory = new SessionMemory();
  readonly #own = new OwnRequests();
  /** Requests that are not answered: ours by id, and the server's. */
  readonly #open = new Set<string>();
  readonly #asked = new Set<string>();
  /** Open subscriptions of modern clients that are asked again of the next server, by id. */
  readonly #listening = new Map<string, Message>();
  readonly #listens = new Listens();
  #handlers: TransportHandlers | undefined;
  /** undefined: asleep, or not yet awake. */
  #server: Transport | undefined;
  #queue: Message[] = [];
  #queuedBytes = 0;
  #waking: Promise<void> | undefined;
  #falling: Promise<unknown> = Promise.resolve();
  #usedAt: number;
  #timer: NodeJS.Timeout | undefined;
  #paused = false;
  #closing: Promise<void> | undefined;
  #told = false;

  constructor(options: RestingOptions, server: Transport) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#server = server;
    this.#usedAt = this.#now();
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    if (this.#server) this.#follow(this.#server);
    this.#look(this.#options.idleMs);
  }

  send(message: Message): boolean {
    if (this.#closing !== undefined || this.#told) return true;
    this.#usedAt = this.#now();
    this.#note(message);
    if (this.#server !== undefined && this.#waking === undefined) return this.#server.send(message);
    if (message.kind !== 'request' && NEWS_OF_CLIENTS.has(message.method ?? '')) return true;
    this.#queue.push(message);
    this.#queuedBytes += message.bytes.length;
    this.#waking ??= this.#wake();
    return this.#queuedBytes < LIMITS.softQueueBytes;
  }

  drained(): Promise<void> {
    return this.#waking?.then(() => this.#server?.drained()) ?? this.#server?.drained() ?? Promise.resolve();
  }

  pause(): void {
    this.#paused = true;
    this.#server?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#server?.resume();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    this.#closing ??= this.#closeNow(reason);
    return this.#closing;
  }

  // --- what passes ----------------------------------------------------------------------------------------------------

  #note(message: Message): void {
    if (message.kind === 'response') {
      this.#asked.delete(message.id ?? '');
      return;
    }
    if (message.method === LISTEN && onlyLists(message)) this.#listening.set(message.id ?? '', message);
    else if (message.kind === 'request') this.#open.add(message.id ?? '');
    else if (message.method === 'notifications/cancelled') this.#takenBack(message);
    this.#memory.fromClient(message);
  }

  /** A server does not answer a request that was taken back. */
  #takenBack(cancelled: Message): void {
    const { params } = parseMessage(cancelled) as { params?: { requestId?: unknown } };
    const id = stringifyExact(params?.requestId ?? null);
    this.#open.delete(id);
    this.#listening.delete(id);
    this.#listens.settle(id);
    this.#memory.forget(id);
    this.#queue = this.#queue.filter((message) => message.kind !== 'request' || message.id !== id);
  }

  #follow(server: Transport): void {
    server.start({
      message: (message) => {
        if (this.#server === server) this.#fromServer(message);
      },
      fault: (fault) => {
        if (this.#server === server) this.#fault(fault);
      },
      closed: (reason) => {
        if (this.#server === server) this.#lost(reason);
      },
    });
    if (this.#paused) server.pause();
  }

  #fromServer(message: Message): void {
    this.#usedAt = this.#now();
    if (message.kind === 'request') this.#asked.add(message.id ?? '');
    if (message.kind === 'response') {
      if (this.#own.answered(message)) return;
      if (this.#listening.delete(message.id ?? '')) this.#listens.settle(message.id ?? '');
      if (this.#open.delete(message.id ?? '')) this.#memory.answered(message);
    }
    const heard = message.method === ACKNOWLEDGED ? this.#listens.acknowledged(message) : [message];
    for (const one of heard) this.#handlers?.message(one);
  }

  #fault(fault: Fault): void {
    if (fault.id !== undefined && (fault.kind === 'response' || fault.kind === 'unknown')) this.#open.delete(fault.id);
    this.#handlers?.fault(fault);
  }

  // --- sleep ----------------------------------------------------------------------------------------------------------

  #look(afterMs: number): void {
    this.#timer = setTimeout(() => {
      const restedMs = this.#now() - this.#usedAt;
      if (restedMs >= this.#options.idleMs && this.#maySleep()) this.#sleep();
      this.#look(restedMs >= this.#options.idleMs ? this.#options.idleMs : this.#options.idleMs - restedMs);
    }, afterMs);
    this.#timer.unref();
  }

  #maySleep(): boolean {
    const { initialize } = this.#memory;
    return (
      this.#server !== undefined &&
      this.#waking === undefined &&
      this.#open.size === 0 &&
      this.#asked.size === 0 &&
      (initialize === undefined || this.#options.mayForget) &&
      !this.#memory.replay().some(({ method }) => method === 'resources/subscribe')
    );
  }

  #sleep(): void {
    const server = this.#server;
    this.#server = undefined;
    this.#options.onAsleep?.(true);
    // Two of the same command at a time may be in each other's way: the next waits for this end.
    this.#falling = server?.close({ code: 'done', reason: 'nobody used it' }).catch(() => {}) ?? Promise.resolve();
  }

  async #wake(): Promise<void> {
    try {
      await this.#falling;
      const server = await this.#options.open();
      this.#options.onAsleep?.(false);
      if (this.#closing !== undefined) {
        await server.close();
        return;
      }
      this.#server = server;
      this.#follow(server);
      const { name, wakeMs = WAKE_MS } = this.#options;
      // What is asked meanwhile waits for this, and nobody above knows that anything begins anew.
      const late = setTimeout(() => this.#own.lose(), wakeMs);
      const taken = await rebuild(server, this.#memory, this.#own);
      clearTimeout(late);
      // Lost meanwhile: that was told already.
      if (this.#server !== server) return;
      if (!taken) {
        const reason = `${name} did not take its session up again`;
        this.#lost({ code: 'session_lost', reason });
        await server.close({ code: 'away', reason });
        return;
      }
      this.#waking = undefined;
      const queued = this.#unqueue();
      // Those that were only just asked are among what waits.
      for (const message of this.#listening.values()) if (!queued.includes(message)) server.send(message);
      for (const message of queued) server.send(message);
      const changed = await changedLists(server, this.#memory, this.#own);
      for (const method of changed) if (this.#server === server) this.#handlers?.message(notificationMessage(method));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#lost({ code: 'session_lost', reason });
    }
  }

  #unqueue(): Message[] {
    const queued = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    return queued;
  }

  // --- end ------------------------------------------------------------------------------------------------------------

  /** What waited for it has not run. */
  #lost({ notRun = [], ...reason }: CloseReason): void {
    this.#server = undefined;
    this.#own.lose();
    const waited = this.#unqueue().flatMap(({ kind, id }) => (kind === 'request' && id !== undefined ? [id] : []));
    this.#tell({ ...reason, notRun: [...notRun, ...waited] });
  }

  async #closeNow(reason: CloseReason): Promise<void> {
    clearTimeout(this.#timer);
    await Promise.all([this.#server?.close(reason), this.#falling, this.#waking]);
    this.#tell(reason);
  }

  #tell(reason: CloseReason): void {
    if (this.#told) return;
    this.#told = true;
    clearTimeout(this.#timer);
    this.#options.onOver?.();
    this.#handlers?.closed(reason);
  }
}

function onlyLists(listen: Message): boolean {
  const { resourceSubscriptions } = objectOf(paramsOf(listen).notifications);
  return !Array.isArray(resourceSubscriptions) || resourceSubscriptions.length === 0;
}
