// Whether a login still holds after a router ended a channel. A router answers the Hello of a dead login and closes 5 s later, so
// the controller, which answers at once, is asked before the next use. Once for each doubt, whoever comes first; the others wait
// for the same answer.

export class Doubts {
  readonly #limitMs: number;
  readonly #raised = new Set<string>();
  readonly #asking = new Map<string, Promise<void>>();

  /** A controller that does not answer in `limitMs` settles nothing, and nobody waits longer. */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  raise(loginId: string): void {
    this.#raised.add(loginId);
  }

  /** Whether there was a doubt: then what is known of the login should be looked at again. */
  async settle(loginId: string, ask: () => Promise<unknown>): Promise<boolean> {
    let asking = this.#asking.get(loginId);
    if (!asking) {
      if (!this.#raised.delete(loginId)) return false;
      asking = this.#ask(ask).finally(() => this.#asking.delete(loginId));
      this.#asking.set(loginId, asking);
    }
    await asking;
    return true;
  }

  async #ask(ask: () => Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#limitMs);
    });
    // What the controller says is known to those who asked it.
    await Promise.race([ask().catch(() => {}), limit]);
    clearTimeout(timer);
  }
}
