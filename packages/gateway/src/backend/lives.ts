// What sessions of one seat have in common (a server for all of them, what is known of its era), kept apart from every
// other seat's. The shared seat's stays as long as the gateway; one of an identity ends a while after its last session.

/** A client that reconnects finds its server warm. */
const LINGER_MS = 60_000;

interface Life<T> {
  readonly value: T;
  readonly sessions: Set<AbortSignal>;
  timer: NodeJS.Timeout | undefined;
}

export interface LivesOptions<T, K> {
  make(of: K): T;
  close(value: T): Promise<void>;
  readonly lingerMs?: number;
}

/** `K`: what one is made of, the same for a key. */
export class Lives<T, K = void> {
  readonly #options: LivesOptions<T, K>;
  readonly #lives = new Map<string, Life<T>>();
  #closed = false;

  constructor(options: LivesOptions<T, K>) {
    this.#options = options;
  }

  get size(): number {
    return this.#lives.size;
  }

  /** `session` ends with its abort. Throws when all are ending. */
  enter(key: string, session: AbortSignal, of: K): T {
    if (this.#closed) throw new Error('the gateway is ending');
    let life = this.#lives.get(key);
    if (life === undefined) {
      life = { value: this.#options.make(of), sessions: new Set(), timer: undefined };
      this.#lives.set(key, life);
    }
    if (key !== '') this.#hold(key, life, session);
    return life.value;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#lives.values()];
    this.#lives.clear();
    for (const { timer } of all) clearTimeout(timer);
    await Promise.all(all.map(({ value }) => this.#options.close(value)));
  }

  #hold(key: string, life: Life<T>, session: AbortSignal): void {
    clearTimeout(life.timer);
    if (life.sessions.has(session)) return;
    if (session.aborted) {
      this.#release(key, life, session);
      return;
    }
    life.sessions.add(session);
    session.addEventListener('abort', () => this.#release(key, life, session), { once: true });
  }

  #release(key: string, life: Life<T>, session: AbortSignal): void {
    life.sessions.delete(session);
    if (life.sessions.size > 0 || this.#lives.get(key) !== life) return;
    clearTimeout(life.timer);
    life.timer = setTimeout(() => {
      this.#lives.delete(key);
      void this.#options.close(life.value);
    }, this.#options.lingerMs ?? LINGER_MS);
    life.timer.unref();
  }
}
