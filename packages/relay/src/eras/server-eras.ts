// One server, asked for in either era: what it speaks is found once, remembered, and found again when it turns out wrong.
// Whoever owns the server (a gateway, a bridge) opens every session through here; where client and server differ, one of
// the two translations stands between them.

import type { Limits } from '../limits.ts';
import type { Fault } from '../message.ts';
import type { SourceEvents, SteadyOptions } from '../steady/options.ts';
import type { SteadySession } from '../steady/steady.ts';
import { type CloseReason, DONE, type Transport } from '../transport.ts';
import { type Era, objectOf } from './envelope.ts';
import { LegacyFirst } from './legacy-first.ts';
import { LegacyOnModern } from './legacy-on-modern/session.ts';
import { Handles } from './modern-on-legacy/handle.ts';
import { ModernOnLegacy } from './modern-on-legacy/session.ts';
import { ModernServer } from './modern-server.ts';
import { clientInfoOf, probe } from './probe.ts';

export type EraSetting = 'auto' | Era;

export interface ServerErasOptions {
  readonly era: EraSetting;
  /** Program and version. */
  readonly by: string;
  readonly limits: Pick<Limits, 'hardQueueBytes'>;
  /** A modern server is one process for all sessions; otherwise each session opens its own way to it. */
  readonly oneForAll: boolean;
  /** The other end answers the legacy era by itself whatever its servers speak: a share of one of our programs. */
  readonly legacyNative: boolean;
  /** For a server to answer the question. */
  readonly timeoutMs: number;
  readonly onFound?: ((era: Era) => void) | undefined;
  readonly onStray?: ((fault: Fault) => void) | undefined;
}

/** How one session reaches the server. */
export interface EraWay {
  /** A new connection or process, not yet spoken to. */
  open(events: SourceEvents, signal: AbortSignal): Promise<Transport>;
  /** Where `open` is a seat at a server that was greeted already: a fresh one, to be asked which era it speaks. */
  readonly fresh?: EraWay['open'] | undefined;
  /** The same with a session that survives it, for sessions of the server's that only we know of. */
  steady(open: SteadyOptions['open']): SteadySession;
  readonly principal: string;
}

export class ServerEras {
  readonly #options: ServerErasOptions;
  readonly #handles = new Handles();
  /** undefined: not found yet. */
  #legacy: boolean | undefined;
  #modern: boolean | undefined;
  #shared: Promise<ModernServer | undefined> | undefined;
  #closed = false;

  constructor(options: ServerErasOptions) {
    this.#options = options;
    this.#forget();
  }

  /** A transport that is a server of this era to its owner. Rejects with what opening the server rejects with. */
  open(era: Era, way: EraWay, events: SourceEvents, signal: AbortSignal): Promise<Transport> {
    if (this.#closed) return Promise.reject(new Error('the server is ending'));
    const bound: Way = { ...way, openNow: (how = way.open) => how(events, signal) };
    return era === 'legacy' ? this.#openLegacy(bound) : this.#openModern(bound);
  }

  async close(reason: CloseReason = DONE): Promise<void> {
    this.#closed = true;
    await (await this.#shared?.catch(() => undefined))?.close(reason);
  }

  async #openLegacy(way: Way): Promise<Transport> {
    const { era, legacyNative } = this.#options;
    if (era === 'legacy' || legacyNative) return way.openNow();
    if (this.#legacy === false) {
      const server = await this.#modernTransport(way);
      if (server.era === 'modern') return new LegacyOnModern({ server: server.transport });
      this.#forget();
      if (era === 'modern') throw new Error('the server does not speak the modern era');
      if (server.transport !== undefined) return this.#first(server.transport, way);
    }
    return this.#first(await way.openNow(), way);
  }

  #first(server: Transport, way: Way): Transport {
    return new LegacyFirst({
      server,
      onLegacy: () => this.#found('legacy'),
      translated: async () => {
        const found = await this.#modernTransport(way);
        if (found.era === 'legacy') {
          await found.transport?.close();
          return undefined;
        }
        this.#legacy = false;
        return new LegacyOnModern({ server: found.transport });
      },
    });
  }

  async #openModern(way: Way): Promise<Transport> {
    if (this.#modern === false) return this.#onLegacy(way, undefined);
    const found = await this.#modernTransport(way);
    if (found.era === 'modern') return found.transport;
    if (this.#options.era === 'modern') {
      await found.transport?.close();
      throw new Error('the server does not speak the modern era');
    }
    this.#modern = false;
    return this.#onLegacy(way, found.transport);
  }

  #onLegacy(way: Way, asked: Transport | undefined): Transport {
    let first = asked;
    return new ModernOnLegacy({
      open: () =>
        way.steady((events, signal) => {
          const known = first;
          first = undefined;
          return known === undefined ? way.open(events, signal) : Promise.resolve(known);
        }),
      handles: this.#handles,
      principal: way.principal,
      by: objectOf(clientInfoOf(this.#options.by)),
      onRefused: () => this.#forget(),
    });
  }

  /** A way to the server as a modern one, if it is. */
  async #modernTransport(way: Way): Promise<Found> {
    if (!this.#options.oneForAll) return this.#ask(way);
    const running = this.#shared === undefined ? undefined : await this.#shared;
    if (running !== undefined) return { era: 'modern', transport: running.attach() };
    let legacy: Transport | undefined;
    const opening = this.#ask(way).then((found) => {
      if (found.era === 'modern') return this.#serve(found.transport);
      legacy = found.transport;
      return undefined;
    });
    this.#shared = opening;
    const server = await opening.catch((error: unknown) => {
      if (this.#shared === opening) this.#shared = undefined;
      throw error;
    });
    if (server !== undefined) return { era: 'modern', transport: server.attach() };
    if (this.#shared === opening) this.#shared = undefined;
    return { era: 'legacy', transport: legacy };
  }

  #serve(transport: Transport): ModernServer {
    const { limits, onStray } = this.#options;
    const server = new ModernServer(transport, {
      limits,
      onStray,
      onOver: () => {
        this.#shared = undefined;
      },
    });
    return server;
  }

  async #ask(way: Way): Promise<Found> {
    const { by, timeoutMs } = this.#options;
    const found = await probe(await way.openNow(way.fresh), { by, timeoutMs });
    if (found.era === 'modern') this.#found('modern');
    // What a link has to tell goes to whoever opened it.
    if (found.era === 'modern' || (way.fresh === undefined && !this.#options.legacyNative)) return found;
    await found.transport?.close({ code: 'away', reason: 'it was only asked which era it speaks' });
    return { era: 'legacy', transport: undefined };
  }

  #found(era: Era): void {
    const known = era === 'legacy' ? this.#legacy : this.#modern;
    if (era === 'legacy') this.#legacy = true;
    else this.#modern = true;
    if (known !== true) this.#options.onFound?.(era);
  }

  #forget(): void {
    const { era } = this.#options;
    this.#legacy = era === 'modern' ? false : undefined;
    this.#modern = era === 'legacy' ? false : undefined;
  }
}

interface Way extends EraWay {
  openNow(how?: EraWay['open']): Promise<Transport>;
}

type Found =
  | { readonly era: 'modern'; readonly transport: Transport }
  | { readonly era: 'legacy'; readonly transport: Transport | undefined };
