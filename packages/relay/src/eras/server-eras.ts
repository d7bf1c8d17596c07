// One server, asked for in either era: what it speaks is found once for all sessions, remembered, and found again after a
// failure or when it turns out wrong. Whoever owns the server (a gateway, a bridge) opens every session through here; where
// client and server differ, one of the two translations stands between them.

import type { Limits } from '../limits.ts';
import type { Fault } from '../message.ts';
import type { SourceEvents, SteadyOptions } from '../steady/options.ts';
import type { SteadySession } from '../steady/steady.ts';
import { type CloseReason, DONE, type Transport } from '../transport.ts';
import { arrayOf, type Era, type JsonObject, MODERN_VERSIONS, objectOf } from './envelope.ts';
import { KnownModern } from './known-modern.ts';
import { LegacyFirst } from './legacy-first.ts';
import { LegacyOnModern } from './legacy-on-modern/session.ts';
import { Handles } from './modern-on-legacy/handle.ts';
import { ModernOnLegacy } from './modern-on-legacy/session.ts';
import { ModernServer } from './modern-server.ts';
import { clientInfoOf, type Finding, type ProbePatience, probe, stuckAfter } from './probe.ts';

export type EraSetting = 'auto' | Era;

/** What is known of a server's era, for people. */
export interface EraKnown {
  readonly era: Era | 'both';
  /** The newest that was spoken with it. */
  readonly revision: string | undefined;
  readonly from: 'configured' | 'found';
}

export interface ServerErasOptions extends ProbePatience {
  readonly era: EraSetting;
  /** Program and version. */
  readonly by: string;
  readonly limits: Pick<Limits, 'hardQueueBytes'>;
  /** A modern server is one process for all sessions; otherwise each session opens its own way to it. */
  readonly oneForAll: boolean;
  /** The other end answers the legacy era by itself whatever its servers speak: a share of one of our programs. */
  readonly legacyNative: boolean;
  /** More is known than before. */
  readonly onFound?: ((known: EraKnown) => void) | undefined;
  readonly onStray?: ((fault: Fault) => void) | undefined;
}

/** How one session reaches the server. */
export interface EraWay {
  /** A new connection or process, not yet spoken to. */
  open(events: SourceEvents, signal: AbortSignal): Promise<Transport>;
  /** Where `open` is a seat at a server that was greeted already: a fresh one, to be asked which era it speaks. It becomes
   *  the server of all seats if it can. */
  readonly fresh?: { open: EraWay['open']; keep(asked: Transport): Promise<void> } | undefined;
  /** The same with a session that survives it, for sessions of the server's that only we know of. */
  steady(open: SteadyOptions['open']): SteadySession;
  readonly principal: string;
  /** A legacy session of our own, that only looks: spoken to in the server's newest era, and nothing is subscribed to. */
  readonly alone?: boolean | undefined;
}

export class ServerEras {
  readonly #options: ServerErasOptions;
  readonly #handles = new Handles();
  /** The newest era it speaks; undefined: not known. */
  #speaks: Era | undefined;
  /** Of a modern server: whether it takes initialize too. */
  #takesInitialize: boolean | undefined;
  /** It did not stand the question: it is not asked again because it failed. */
  #shy = false;
  readonly #revisions: { [era in Era]?: string } = {};
  #told: EraKnown | undefined;
  #finding: { readonly verdict: Promise<Found>; readonly signal: AbortSignal } | undefined;
  #shared: ModernServer | undefined;
  #closed = false;

  constructor(options: ServerErasOptions) {
    this.#options = options;
    this.#forget();
  }

  get known(): EraKnown | undefined {
    const { era, legacyNative } = this.#options;
    const speaks = era === 'auto' ? this.#speaks : era;
    if (speaks === undefined) return undefined;
    const both = speaks === 'modern' && (this.#takesInitialize === true || legacyNative);
    const from = era === 'auto' ? 'found' : 'configured';
    return { era: both ? 'both' : speaks, revision: this.#revisions[speaks], from };
  }

  /** A transport that is a server of this era to its owner. Rejects with what opening the server rejects with. */
  open(era: Era, way: EraWay, events: SourceEvents, signal: AbortSignal): Promise<Transport> {
    if (this.#closed) return Promise.reject(new Error('the server is ending'));
    const bound: Way = { ...way, signal, openNow: (how = way.open) => how(events, signal) };
    return era === 'legacy' ? this.#openLegacy(bound) : this.#openModern(bound);
  }

  async close(reason: CloseReason = DONE): Promise<void> {
    this.#closed = true;
    await this.#finding?.verdict.catch(() => undefined);
    await this.#shared?.close(reason);
  }

  // --- a session of either era ----------------------------------------------------------------------------------------

  async #openLegacy(way: Way): Promise<Transport> {
    const { era, legacyNative } = this.#options;
    if (legacyNative && way.alone !== true) return way.openNow();
    if (era === 'legacy') return this.#first(await way.openNow(), way);
    const found = await this.#find(way, true);
    if (found.era === 'legacy') {
      if (era === 'modern') return this.#refuse(found.transport);
      const silent = found.heard === 'nothing' && found.transport !== undefined;
      return this.#first(found.transport ?? (await way.openNow()), way, silent);
    }
    if (era === 'modern' || way.alone === true || this.#takesInitialize === false) {
      return this.#translated(found, way);
    }
    // Over HTTP the same connection serves; a process may have settled on one era.
    return this.#first(found.transport ?? (await way.openNow()), way);
  }

  async #openModern(way: Way): Promise<Transport> {
    const { era } = this.#options;
    if (era === 'legacy') return this.#onLegacy(way, undefined);
    const found = await this.#find(way, false);
    if (found.era === 'modern') return this.#modern(found, way);
    if (era === 'modern') return this.#refuse(found.transport);
    return this.#onLegacy(way, found.transport);
  }

  async #modern({ transport }: Found, way: Way): Promise<Transport> {
    if (this.#options.oneForAll) {
      if (this.#shared === undefined) throw new Error('the server has just ended');
      return this.#shared.attach();
    }
    if (transport !== undefined) return transport;
    return new KnownModern({ server: await way.openNow(), onWrong: () => this.#forget() });
  }

  async #translated(found: Found & { readonly era: 'modern' }, way: Way): Promise<Transport> {
    const server = await this.#modern(found, way);
    const alone = way.alone === true;
    return new LegacyOnModern({ server, listens: !alone, discovered: alone ? found.discovered : undefined });
  }

  async #refuse(asked: Transport | undefined): Promise<never> {
    await asked?.close();
    throw new Error('the server does not speak the modern era');
  }

  /** `silent`: the server was asked, and has said nothing yet. */
  #first(server: Transport, way: Way, silent = false): Transport {
    const modern = this.#speaks === 'modern';
    return new LegacyFirst({
      server,
      fresh: silent ? { open: () => way.openNow(), stuckMs: stuckAfter(this.#options) } : undefined,
      refusesByEnd: modern,
      onLegacy: (revision) => this.#took(revision),
      onLost: () => this.#failed(),
      translated: async () => {
        if (this.#options.era === 'legacy') return undefined;
        if (this.#speaks === 'legacy') this.#forget();
        const found = await this.#find(way, false);
        if (found.era === 'modern') {
          this.#takesInitialize = false;
          return this.#translated(found, way);
        }
        await found.transport?.close();
        return undefined;
      },
    });
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
      onTaken: (revision) => this.#took(revision),
      onRefused: () => this.#forget(),
    });
  }

  // --- what it speaks -------------------------------------------------------------------------------------------------

  /** One question at a time, for all that wait. `hurried`: whoever asks has an initialize of its own (./probe.ts). */
  async #find(way: Way, hurried: boolean): Promise<Found> {
    for (;;) {
      if (this.#speaks === 'modern') return { era: 'modern', transport: undefined, discovered: undefined };
      if (this.#speaks === 'legacy') return { era: 'legacy', transport: undefined, heard: 'answer' };
      const running = this.#finding;
      if (running === undefined) return this.#ask(way, hurried);
      try {
        const found = await Promise.race([running.verdict, ended(way.signal)]);
        // That a server is silent is enough for whoever tries its initialize next.
        if (this.#speaks === undefined && (hurried || (found.era === 'legacy' && found.heard === 'end'))) {
          return { ...found, transport: undefined };
        }
      } catch (error) {
        // Its session has ended, ours has not.
        if (!running.signal.aborted || way.signal.aborted) throw error;
      }
    }
  }

  async #ask(way: Way, hurried: boolean): Promise<Found> {
    const { signal } = way;
    const finding = { signal, verdict: this.#askNow(way, hurried) };
    this.#finding = finding;
    try {
      return await finding.verdict;
    } finally {
      this.#finding = undefined;
    }
  }

  async #askNow(way: Way, hurried: boolean): Promise<Found> {
    const { by, timeoutMs, silenceMs, stuckMs, oneForAll, legacyNative } = this.#options;
    const patience = { timeoutMs, silenceMs, stuckMs };
    // A host of ours may wait for its server: that it is silent says nothing of either era. A seat at a greeted server takes
    // an initialize only from all of its clients together.
    const inHurry = legacyNative || (hurried && way.fresh === undefined);
    const asked = await way.openNow(way.fresh?.open);
    const found = await probe(asked, { by, ...patience, hurried: inHurry, signal: way.signal });
    if (found.era === 'modern') {
      this.#speaks = 'modern';
      this.#shy = false;
      const versions = arrayOf(found.discovered.supportedVersions);
      this.#tell(
        'modern',
        MODERN_VERSIONS.find((version) => versions.includes(version)),
      );
      if (!oneForAll) return found;
      this.#shared = this.#serve(found.transport);
      return { ...found, transport: undefined };
    }
    if (found.heard === 'answer' || found.heard === 'initialize') {
      this.#speaks = 'legacy';
      this.#shy = found.heard === 'initialize';
    } else this.#shy = true;
    if (found.transport === undefined || (way.fresh === undefined && !legacyNative)) return found;
    // What a link has to tell goes to whoever opened it.
    if (way.fresh !== undefined) await way.fresh.keep(found.transport);
    else await found.transport.close({ code: 'away', reason: 'it was only asked which era it speaks' });
    return { ...found, transport: undefined };
  }

  #serve(transport: Transport): ModernServer {
    const { limits, onStray } = this.#options;
    return new ModernServer(transport, {
      limits,
      onStray,
      onOver: () => {
        this.#shared = undefined;
        this.#failed();
      },
    });
  }

  /** It took initialize. */
  #took(revision: string | undefined): void {
    if (this.#speaks === 'modern') this.#takesInitialize = true;
    else if (!this.#options.legacyNative) this.#speaks = 'legacy';
    this.#tell('legacy', revision);
  }

  /** Says what is news. */
  #tell(era: Era, revision: string | undefined): void {
    const before = JSON.stringify(this.#told);
    if (revision !== undefined) this.#revisions[era] = revision;
    this.#told = this.known;
    if (this.#told !== undefined && JSON.stringify(this.#told) !== before) this.#options.onFound?.(this.#told);
  }

  /** A successor may be another one; what it costs to ask is a round trip, except where it costs the server. */
  #failed(): void {
    if (!this.#shy && this.#options.era !== 'legacy') this.#speaks = undefined;
  }

  #forget(): void {
    this.#speaks = this.#options.era === 'legacy' ? 'legacy' : undefined;
    this.#takesInitialize = undefined;
    this.#shy = false;
  }
}

function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const tell = (): void => reject(new Error('nobody waits for the answer any more'));
    signal.addEventListener('abort', tell, { once: true });
    if (signal.aborted) tell();
  });
}

interface Way extends EraWay {
  readonly signal: AbortSignal;
  openNow(how?: EraWay['open']): Promise<Transport>;
}

type Found =
  | { readonly era: 'modern'; readonly transport: Transport | undefined; readonly discovered: JsonObject | undefined }
  | (Finding & { readonly era: 'legacy' });
