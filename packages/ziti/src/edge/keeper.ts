// Holds a bind at one router: bind → wait for its end → pause → again, until the listener closes or somebody else should have a
// try. What is bound and with which session is the listener's business.

import type { EdgeRouterInfo } from '../controller/types.ts';
import { ZitiError } from '../errors.ts';
import type { Bind, BindEnd } from './bind.ts';
import type { EdgeChannel } from './edge-channel.ts';
import { backoffMs, Pause } from './retry.ts';
import type { Standing } from './standing.ts';
import type { Timing } from './timing.ts';

export interface KeeperEnv {
  readonly timing: Timing;
  stand(): Promise<Standing>;
  channel(router: EdgeRouterInfo, standing: Standing): Promise<EdgeChannel>;
  bind(standing: Standing, channel: EdgeChannel): Bind;
  /** `bound` has changed to true. */
  onBound(): void;
  /** `bound` has changed to false, or did not become true. */
  onEnd(end: BindEnd, standing: Standing | undefined): void;
  /** Whether another router could be tried instead. */
  othersWait(): boolean;
}

/** After so many failures in a row another router gets its turn, if there is one. */
const FAILURES = 3;

export class Keeper {
  readonly router: string;
  bound = false;
  lastError: ZitiError | undefined;
  readonly #env: KeeperEnv;
  readonly #pause = new Pause();

  constructor(router: string, env: KeeperEnv) {
    this.router = router;
    this.#env = env;
  }

  /** Resolves when this router should rest; at once after an abort. */
  async run(signal: AbortSignal): Promise<void> {
    const { timing } = this.#env;
    for (let failures = 0; !signal.aborted; ) {
      const { end, standing, heldMs } = await this.#once(signal);
      if (signal.aborted) return;
      this.lastError = end.error;
      this.#env.onEnd(end, standing);
      if (end.remedy === 'move') continue;
      failures = heldMs >= timing.stableMs ? 1 : failures + 1;
      if (failures >= FAILURES && this.#env.othersWait()) return;
      await this.#pause.wait(pauseMs(end.remedy, failures, timing), signal);
    }
  }

  async #once(signal: AbortSignal): Promise<{ end: BindEnd; standing: Standing | undefined; heldMs: number }> {
    let standing: Standing | undefined;
    try {
      standing = await this.#env.stand();
      const info = standing.routers.find(({ name }) => name === this.router);
      if (!info) {
        const error = new ZitiError('no_edge_routers', `router ${this.router} may no longer be used for this service`);
        return { end: { error, remedy: 'session' }, standing, heldMs: 0 };
      }
      const bind = this.#env.bind(standing, await this.#env.channel(info, standing));
      const failed = await bind.establish(signal);
      if (failed) return { end: failed, standing, heldMs: 0 };
      this.bound = true;
      this.lastError = undefined;
      const since = performance.now();
      this.#env.onBound();
      const end = await bind.ended;
      this.bound = false;
      return { end, standing, heldMs: performance.now() - since };
    } catch (error) {
      return { end: { error: error as ZitiError, remedy: 'again' }, standing, heldMs: 0 };
    }
  }
}

function pauseMs(remedy: BindEnd['remedy'], failures: number, timing: Timing): number {
  const { retryMinMs, retryMaxMs, lostMaxMs } = timing;
  if (remedy === 'never') return retryMaxMs;
  return backoffMs(failures, remedy === 'again' ? { retryMinMs, retryMaxMs: Math.min(lostMaxMs, retryMaxMs) } : timing);
}
