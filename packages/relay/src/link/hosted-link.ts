// One link at its host: what it belongs to, and how long it is kept while broken. The window runs only while no call is
// open; a connection that was closed rather than fell silent gets the short one, for its dialer has probably gone.

import { stringifyExact } from '../json-exact.ts';
import { parseMessage } from '../json-rpc.ts';
import type { Limits } from '../limits.ts';
import type { Message } from '../message.ts';
import type { CloseReason, TransportHandlers } from '../transport.ts';
import type { Clock, LinkLog } from './clock.ts';
import type { Peer } from './judgement.ts';
import { type Link, LinkEnd } from './link.ts';
import type { PeerProof } from './preamble.ts';
import type { Breakage } from './wire.ts';

/** What is known of a new link. */
export interface LinkInfo<P extends Peer = Peer> {
  readonly principal: P;
  readonly session: string;
  /** A claim. */
  readonly by: string;
  /** Instances the session came through before. */
  readonly via: readonly string[];
  readonly proof: PeerProof | null;
  /** The dialer had a link of this session before, which is not here any more. */
  readonly returning: boolean;
}

/** A request of the dialer that has no answer. */
export interface OpenCall {
  readonly id: string;
  /** Number of its key: its dialer, or a successor, will ask for it again. */
  readonly call: number | undefined;
}

export interface HostLink extends Link {
  /** It has no connection now, or no more. */
  readonly broken: boolean;
  /** Id of the only principal that may take it up again. */
  readonly principal: string;
  openCalls(): OpenCall[];
  /** Resolves when it is known whether anybody is still at its other end: `broken` says so then. */
  doubt(withinMs: number): Promise<void>;
  /** Another link of the same session is here: this one ends without a word. Returns what its dialer never acknowledged. */
  retire(reason: CloseReason): Message[];
  /** A call is open: while any hold lasts, a broken link does not expire. Disposing twice is once. */
  hold(): Disposable;
}

export interface HostedLinkOptions {
  readonly id: string;
  readonly info: LinkInfo;
  readonly limits: Limits;
  readonly windowMs: number;
  readonly clock: Clock;
  readonly log: LinkLog;
  onBreak(breakage: Breakage): void;
  onClosed(reason: CloseReason): void;
}

export class HostedLink extends LinkEnd implements HostLink {
  /** Secret. */
  readonly id: string;
  readonly principal: string;
  readonly windowMs: number;
  /** On the link's clock; undefined while it is up. */
  brokenAt: number | undefined;
  readonly #clock: Clock;
  readonly #closedWindowMs: number;
  #kind: Breakage['kind'] = 'silent';
  #holds = 0;
  readonly #calls = new Map<string, { readonly call: number | undefined; readonly hold: Disposable }>();
  #cancelExpiry: () => void = () => {};

  constructor(options: HostedLinkOptions) {
    const { id, info, limits, windowMs, clock, log } = options;
    super({
      session: info.session,
      limits,
      clock,
      log,
      onBreak: (breakage) => {
        this.brokenAt = clock.now();
        this.#kind = breakage.kind;
        this.#watch();
        options.onBreak(breakage);
      },
      onClosed: (reason) => {
        this.#cancelExpiry();
        options.onClosed(reason);
      },
      // A dialer that goes away takes the secret with it: its successor opens a link of its own, for the same session.
      survives: () => false,
    });
    this.id = id;
    this.principal = info.principal.id;
    this.by = info.by;
    this.peer = info.proof;
    this.windowMs = windowMs;
    this.#clock = clock;
    this.#closedWindowMs = Math.min(limits.linkClosedWindowMs, windowMs);
  }

  get broken(): boolean {
    return this.phase !== 'up';
  }

  openCalls(): OpenCall[] {
    return [...this.#calls].map(([id, { call }]) => ({ id, call }));
  }

  retire(reason: CloseReason): Message[] {
    return this.giveWay(reason);
  }

  hold(): Disposable {
    this.#holds += 1;
    this.#cancelExpiry();
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#holds -= 1;
        // While it is up there is nothing to watch, and this is called for each call.
        if (this.brokenAt !== undefined) this.#watch();
      },
    };
  }

  /** A request of the dialer is an open call until it is answered, or taken back. */
  override start(handlers: TransportHandlers): void {
    super.start({
      ...handlers,
      message: (message) => {
        if (message.kind === 'request') this.#open(message);
        else if (message.method === 'notifications/cancelled') this.#release(cancelledId(message));
        handlers.message(message);
      },
    });
  }

  override send(message: Message): boolean {
    if (message.kind === 'response') this.#release(message.id ?? '');
    return super.send(message);
  }

  #open({ id = '', call }: Message): void {
    if (!this.#calls.has(id)) this.#calls.set(id, { call, hold: this.hold() });
  }

  #release(id: string): void {
    this.#calls.get(id)?.hold[Symbol.dispose]();
    this.#calls.delete(id);
  }

  resumed(): void {
    this.brokenAt = undefined;
    this.#watch();
  }

  #watch(): void {
    this.#cancelExpiry();
    if (this.brokenAt === undefined || this.#holds > 0 || this.phase === 'closed') return;
    const ms = this.#kind === 'closed' ? this.#closedWindowMs : this.windowMs;
    const reason = `the link was broken and nobody came back for it within ${Math.round(ms / 1000)} s`;
    this.#cancelExpiry = this.#clock.after(ms, () => this.abandon({ code: 'link_expired', reason }), true);
  }
}

function cancelledId(message: Message): string {
  const { params } = parseMessage(message) as { params?: { requestId?: unknown } };
  return stringifyExact(params?.requestId ?? null);
}
