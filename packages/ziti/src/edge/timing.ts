// How long we wait for whom. One table, so that a test can shorten what a real network counts in seconds.

export interface Timing {
  /** A whole dial, from the service's name to keys on both ends. A host that does not answer costs its caller 10 s at the
   * router, so less would hide why. */
  readonly dialMs: number;
  /** TCP, TLS and Hello with one router. */
  readonly openMs: number;
  /** From an accepted dial to the peer's stream header. */
  readonly headerMs: number;
  /** A router's answer to a Bind. */
  readonly bindReplyMs: number;
  /** From that answer to the word that the terminator exists. Seen: 2–8 ms. */
  readonly bindSuccessMs: number;
  /** Between attempts to bind: doubles from the first to the second, with jitter. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** The most where nobody refused, and only the way was lost: a router that is back is found soon, also after hours. */
  readonly lostMaxMs: number;
  /** A bind that held so long was a good one: the next attempt is soon again. */
  readonly stableMs: number;
  /** Until a listener looks for further routers: with fewer than it wants, and with enough. */
  readonly moreRoutersMs: number;
  readonly allRoutersMs: number;
  /** A channel is not read for so long at most because one of its streams is not. Hosts must answer a dial within 5 s. */
  readonly pauseMs: number;
  /** After the peer closed, a writer's failure waits so long for our reader to take the rest. */
  readonly lingerMs: number;
  /** A router's answer to a new token; malformed ones get none. */
  readonly updateTokenMs: number;
  /** A channel that nobody uses is kept so long. */
  readonly idleMs: number;
  /** A channel that a router ends so soon, without a word, was refused for its token: that takes a router up to 5 s. */
  readonly distrustMs: number;
  /** For the controller to say whether a login still holds, after a channel was lost. */
  readonly doubtMs: number;
  /** Between two looks at routers that we have no channel to while another one serves. */
  readonly exploreMs: number;
}

export const TIMING: Timing = {
  dialMs: 15_000,
  openMs: 15_000,
  headerMs: 10_000,
  bindReplyMs: 5_000,
  bindSuccessMs: 10_000,
  retryMinMs: 500,
  retryMaxMs: 30_000,
  lostMaxMs: 4_000,
  stableMs: 10_000,
  moreRoutersMs: 30_000,
  allRoutersMs: 1_800_000,
  pauseMs: 2_000,
  lingerMs: 2_000,
  updateTokenMs: 10_000,
  idleMs: 300_000,
  distrustMs: 8_000,
  doubtMs: 2_000,
  exploreMs: 300_000,
};
