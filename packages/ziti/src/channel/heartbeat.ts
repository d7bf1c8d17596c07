// Whether the router is there, and how far away: a latency probe now and then (openziti/channel latency.go), and a judgement when
// it stays unanswered. A busy or paused channel is never judged: any byte is a sign of life, and nobody hears while not listening.

import type { Clock } from '../clock.ts';

/** As the Go SDK: a probe each 30 s, 10 s to answer. */
export const PROBE_MS = 30_000;
const ANSWER_MS = 10_000;
/** A second look before the judgement: after a blocked event loop the timer comes before the bytes that wait in the socket. */
const SECOND_LOOK_MS = 1000;

export interface HeartbeatOptions {
  readonly clock: Clock;
  readonly probeMs: number;
  /** Sends a probe and reports its answer, whenever it comes. */
  readonly probe: (onAnswer: () => void) => void;
  /** When the last bytes came, on this clock; now, if nobody reads at present. */
  readonly lastRead: () => number;
  readonly onSilent: (silentMs: number) => void;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #rttMs: number | undefined;
  #cancel: () => void = () => {};
  #stopped = false;

  /** Begins with a probe. */
  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#probe();
  }

  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #probe(): void {
    const { clock, probe } = this.#options;
    const sentAt = clock.now();
    let awaited = true;
    this.#after(ANSWER_MS, () => this.#judge());
    probe(() => {
      if (!awaited || this.#stopped) return;
      awaited = false;
      this.#rttMs = clock.now() - sentAt;
      this.#after(this.#options.probeMs, () => this.#probe());
    });
  }

  /** The probe was not answered in time. Traffic may speak for the router, until it has been silent for a whole interval. */
  #judge(): void {
    const { probeMs } = this.#options;
    const silentMs = this.#silentMs();
    if (silentMs >= probeMs) this.#after(SECOND_LOOK_MS, () => this.#condemn());
    else this.#after(probeMs - silentMs, () => (this.#silentMs() >= probeMs ? this.#judge() : this.#probe()));
  }

  #condemn(): void {
    const silentMs = this.#silentMs();
    if (silentMs >= this.#options.probeMs) this.#options.onSilent(silentMs);
    else this.#judge();
  }

  #silentMs(): number {
    return this.#options.clock.now() - this.#options.lastRead();
  }

  #after(ms: number, run: () => void): void {
    this.#cancel();
    if (!this.#stopped) this.#cancel = this.#options.clock.after(ms, run, true);
  }
}
