// Whose tasks are on servers that several callers share: a modern server has one process for all, and cannot tell who asks.
// Whoever names the task of somebody else hears that there is none.

/** Oldest forgotten first: a task lives for hours at most, and its id is not to be guessed. */
const MAX_TASKS = 100_000;

/** As one caller sees it. */
export interface OwnTasks {
  started(backend: string, taskId: string): void;
  /** Whether it is this caller's, or nobody's that is known. */
  mine(backend: string, taskId: string): boolean;
}

export class TaskOwners {
  /** Servers behind one backend may be several, with equal ids: then a task is of each of these. */
  readonly #owners = new Map<string, Set<string>>();

  of(principal: string): OwnTasks {
    return {
      started: (backend, taskId) => this.#add(keyOf(backend, taskId), principal),
      mine: (backend, taskId) => this.#owners.get(keyOf(backend, taskId))?.has(principal) ?? true,
    };
  }

  #add(key: string, principal: string): void {
    const known = this.#owners.get(key);
    if (known) {
      known.add(principal);
      return;
    }
    this.#owners.set(key, new Set([principal]));
    const [oldest] = this.#owners.keys();
    if (this.#owners.size > MAX_TASKS && oldest !== undefined) this.#owners.delete(oldest);
  }
}

function keyOf(backend: string, taskId: string): string {
  return `${backend} ${taskId}`;
}
