// Writers that wait for room, served in the order they came. One that fills the room again lets the rest wait on: nobody who
// comes back at once gets ahead of those who waited.

export class DrainQueue {
  readonly #waiting = new Set<() => void>();

  /** The returned function cancels. */
  add(callback: () => void): () => void {
    // One callback may wait twice.
    const entry = (): void => callback();
    this.#waiting.add(entry);
    return () => void this.#waiting.delete(entry);
  }

  get empty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Those who came before this call, as long as there is room. */
  serve(hasRoom: () => boolean): void {
    for (const entry of [...this.#waiting]) {
      if (!hasRoom()) return;
      if (this.#waiting.delete(entry)) entry();
    }
  }
}
