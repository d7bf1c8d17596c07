// The dialer's end of a link: connects, exchanges preambles, and does so again for as long as the link lives:
//   connect -> hello -> answer -> attach -> (break) -> back off -> connect ...
// Invariant: a host that forgot the link gets nothing that was meant for the old session; it is handed to `onRenewed`.

import type { Duplex } from 'node:stream';
import { RelayError } from '../errors.ts';
import { LIMITS, type Limits } from '../limits.ts';
import type { Message } from '../message.ts';
import { type Clock, type LinkLog, SILENT, SYSTEM_CLOCK } from './clock.ts';
import { readFirstLine } from './first-line.ts';
import type { HostCheck } from './judgement.ts';
import { type Link, LinkEnd, type LinkPhase } from './link.ts';
import {
  encodeHello,
  encodeTold,
  type HostTerms,
  type Question,
  type Refusal,
  readAnswer,
  type Welcome,
} from './preamble.ts';

export interface DialState {
  /** 'connecting' until the first handshake; 'down' from a break to the next one. */
  readonly phase: Exclude<LinkPhase, 'closed'>;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** Why it is not up: the break, or what the last attempt failed with. */
  readonly reason: string | undefined;
  /** What the last attempt failed with. */
  readonly error?: unknown;
}

export interface DialLinkOptions {
  connect(signal: AbortSignal): Promise<Duplex>;
  /** 32 lower-case hex digits. */
  readonly session: string;
  readonly by: string;
  /** Instances this session already came through. */
  readonly via?: readonly string[];
  /** Proves who we are, and checks who the host is on each connection. */
  readonly check?: Pick<HostCheck, 'prove' | 'verify' | 'tell'>;
  readonly log?: LinkLog;
  readonly limits?: Limits;
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
  /** Calls when a host may just have come: then nobody waits any longer. Returns what ends it. */
  onSign?(come: () => void): () => void;
  /** 0 <= x < 1. */
  readonly random?: () => number;
  readonly clock?: Clock;
  /** How long one `connect` may take. */
  readonly connectMs?: number;
  /** Errors of `connect` that no further attempt can mend. */
  isFatal?(error: unknown): boolean;
  /** Also called for each failed attempt. */
  onState?(state: DialState): void;
  /** With each handshake, before anything is said on the connection. */
  onAgreed?(terms: HostTerms): void;
  /** The host has forgotten the link: numbers start again, `lost` was never acknowledged. Before onState 'up'; what is
   *  sent from here on is the new session. */
  onRenewed?(lost: readonly Message[]): void;
}

export interface LinkDialer extends Link {
  /** The first handshake. Rejects with what made it hopeless: a RelayError, or a fatal error of `connect`. */
  readonly ready: Promise<void>;
}

/** A host that was restarted serves all its dialers within 5 s. */
const BACKOFF = { minMs: 250, maxMs: 4000 };
/** One that has been away for longer than this is asked after less often: the answer of a call that ran through ten minutes
 *  without a network is still there soon after it. */
const PATIENT_MS = 1_800_000;
const PATIENT_MAX_MS = 10_000;
/** So that dialers who saw the same sign do not all come in the same moment. */
const SIGN_MS = 50;
const CONNECT_MS = 20_000;

/** Errors that another attempt may not have. */
const PASSING = new Set(['connection_lost', 'link_timeout']);
/** Refusals that have nothing to do with who asks. */
const WHOEVER_ASKS = new Set(['busy', 'cycle']);

export function dialLink(options: DialLinkOptions): LinkDialer {
  const link = new DialedLink(options);
  void link.run();
  return link;
}

class DialedLink extends LinkEnd implements LinkDialer {
  readonly ready: Promise<void>;
  readonly #options: DialLinkOptions;
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #log: LinkLog;
  readonly #over = new AbortController();
  /** Of the last agreed handshake. Secret. */
  #id: string | null = null;
  #attempts = 0;
  #hopeless: unknown;
  #onEnd: () => void = () => {};
  #onReady: { resolve(): void; reject(error: unknown): void } | undefined;

  constructor(options: DialLinkOptions) {
    const { limits = LIMITS, clock = SYSTEM_CLOCK, log = SILENT } = options;
    super({
      session: options.session,
      limits,
      clock,
      log,
      onBreak: ({ reason }) => {
        log.info({ reason }, 'link broken');
        this.#report(reason);
        this.#onEnd();
      },
      onClosed: ({ code, reason }) => {
        this.#over.abort();
        const told = reason === '' ? code : reason;
        this.#onReady?.reject(
          this.#hopeless ?? new RelayError('connection_lost', `closed before the host answered: ${told}`),
        );
        this.#onEnd();
      },
      survives: ({ code }) => code === 'away',
    });
    this.#options = options;
    this.#limits = limits;
    this.#clock = clock;
    this.#log = log;
    this.ready = new Promise((resolve, reject) => {
      this.#onReady = { resolve, reject };
    });
    // Whoever does not ask for `ready` hears of a failure by `closed`.
    this.ready.catch(() => {});
  }

  async run(): Promise<void> {
    const { minMs, maxMs } = this.#options.backoff ?? BACKOFF;
    let upAt = this.#clock.now();
    const random = this.#options.random ?? Math.random;
    for (;;) {
      const progress = this.#progress();
      const atLeastMs = await this.#attempt();
      if (this.#over.signal.aborted) return;
      // A connection over which something was said starts the patience anew; one that is only ever accepted does not.
      const spoke = this.#progress() > progress;
      if (spoke) this.#attempts = 0;
      const now = this.#clock.now();
      if (spoke) upAt = now;
      const most = now - upAt > PATIENT_MS ? Math.max(maxMs, PATIENT_MAX_MS) : maxMs;
      const ceilingMs = Math.min(most, minMs * 2 ** Math.min(this.#attempts, 30));
      this.#attempts += 1;
      await this.#sleep(atLeastMs + random() * ceilingMs);
      if (this.#over.signal.aborted) return;
    }
  }

  /** One connection from dial to break. Returns how long the host wants to be left alone. */
  async #attempt(): Promise<number> {
    let connection: Duplex | undefined;
    try {
      connection = await this.#connect();
      connection.on('error', () => {});
      const answer = await this.#greet(connection);
      if ('error' in answer) return this.#refused(connection, answer.error);
      const broken = new Promise<void>((resolve) => {
        this.#onEnd = resolve;
      });
      this.#take(connection, answer.welcome, answer.rest);
      await broken;
      return 0;
    } catch (error) {
      connection?.destroy();
      this.#failed(error);
      return 0;
    }
  }

  async #connect(): Promise<Duplex> {
    const { connect, connectMs = CONNECT_MS } = this.#options;
    const attempt = new AbortController();
    const dialed = connect(attempt.signal);
    let giveUp = (_why: string): void => {};
    const gaveUp = new Promise<never>((_, reject) => {
      giveUp = (why) => {
        attempt.abort();
        reject(new RelayError('link_timeout', why));
      };
    });
    const cancel = this.#clock.after(connectMs, () => giveUp(`no connection within ${connectMs} ms`));
    const onOver = (): void => giveUp('closed while connecting');
    this.#over.signal.addEventListener('abort', onOver, { once: true });
    try {
      return await Promise.race([dialed, gaveUp]);
    } catch (error) {
      // A connection that comes after all belongs to nobody.
      dialed.then(
        (late) => late.on('error', () => {}).destroy(),
        () => {},
      );
      throw error;
    } finally {
      cancel();
      this.#over.signal.removeEventListener('abort', onOver);
    }
  }

  /** Exchanges preambles. Nothing else is sent before the host's line was read and checked. */
  async #greet(connection: Duplex): Promise<{ error: Refusal } | { welcome: Welcome; rest: Buffer }> {
    const { session, by, via = [], check } = this.#options;
    const offered = (await check?.prove(connection)) ?? null;
    connection.write(encodeHello({ link: this.#id, got: this.takeGot(), session, by, via, proof: offered }));
    let { answer, rest } = await this.#answer(connection);
    if ('asks' in answer) {
      const told = await check?.tell?.(connection, answer.proof);
      if (!told || rest.length > 0) throw new RelayError('link_protocol', 'the host asks for what was not announced');
      connection.write(encodeTold(told));
      ({ answer, rest } = await this.#answer(connection));
    }
    if ('error' in answer) return answer;
    if ('asks' in answer) throw new RelayError('link_protocol', 'the host asks again and again');
    const { link, fresh, got } = answer;
    const consistent = fresh ? got === 0 && link !== this.#id : link === this.#id && this.canResume(got);
    if (!consistent) throw new RelayError('link_protocol', 'the host answered for another link than the one asked for');
    if (check) {
      await check.verify(connection, answer.proof, answer.as);
      // Its end is not told a second time.
      if (connection.destroyed)
        throw new RelayError('connection_lost', 'the connection ended while the host was checked');
    }
    return { welcome: answer, rest };
  }

  async #answer(
    connection: Duplex,
  ): Promise<{ answer: Welcome | Question | { readonly error: Refusal }; rest: Buffer }> {
    const { line, rest } = await readFirstLine(connection, {
      maxBytes: this.#limits.preambleBytes,
      timeoutMs: this.#limits.handshakeMs,
      clock: this.#clock,
      signal: this.#over.signal,
    });
    return { answer: readAnswer(line), rest };
  }

  #take(connection: Duplex, welcome: Welcome, rest: Buffer): void {
    const renewed = welcome.fresh && this.#id !== null;
    const lost = renewed ? this.renew() : [];
    this.#id = welcome.link;
    this.by = welcome.by;
    this.peer = welcome.proof;
    this.#options.onAgreed?.(termsOf(welcome));
    this.attach(connection, welcome.got, rest);
    this.#log.info({ by: welcome.by, renewed, lost: lost.length }, 'link up');
    this.#onReady?.resolve();
    this.#onReady = undefined;
    if (renewed) this.#options.onRenewed?.(lost);
    this.#report(undefined);
  }

  #refused(connection: Duplex, { code, reason, retryMs }: Refusal): number {
    connection.destroy();
    const name = WHOEVER_ASKS.has(code) ? 'link_unavailable' : 'link_refused';
    const error = new RelayError(name, `the host refused: ${reason || code}`, {
      facts: { code, ...(retryMs !== undefined && { retryMs }) },
    });
    if (retryMs === undefined) this.#giveUp(error, code, reason);
    else this.#report(error.message, error);
    return retryMs ?? 0;
  }

  #failed(error: unknown): void {
    if (this.phase === 'closed') return;
    const reason = error instanceof Error ? error.message : String(error);
    const fatal = error instanceof RelayError ? !PASSING.has(error.code) : this.#options.isFatal?.(error) === true;
    if (fatal) {
      const { code } = error as { code?: unknown };
      this.#giveUp(error, typeof code === 'string' ? code : 'connection_lost', reason);
      return;
    }
    this.#log.debug({ reason }, 'dial failed');
    this.#report(reason, error);
  }

  #giveUp(error: unknown, code: string, reason: string): void {
    this.#hopeless = error;
    this.abandon({ code, reason });
  }

  #report(reason: string | undefined, error?: unknown): void {
    const { phase } = this;
    if (phase === 'closed') return;
    this.#options.onState?.({ phase, since: this.stats().since, reason, ...(error !== undefined && { error }) });
  }

  #progress(): number {
    const { received, acked } = this.stats();
    return received + acked;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#over.signal.aborted) return resolve();
      let cancel = (): void => {};
      let unsign = (): void => {};
      const over = (): void => {
        cancel();
        unsign();
        resolve();
      };
      this.#onEnd = over;
      cancel = this.#clock.after(ms, over);
      unsign =
        this.#options.onSign?.(() => {
          this.#attempts = 0;
          cancel();
          cancel = this.#clock.after((this.#options.random ?? Math.random)() * SIGN_MS, over);
        }) ?? unsign;
    });
  }
}

function termsOf({ once, ledger, kept }: Welcome): HostTerms {
  return {
    ...(once !== undefined && { once }),
    ...(ledger !== undefined && { ledger }),
    ...(kept !== undefined && { kept }),
  };
}
