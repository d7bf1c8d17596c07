// Whether anybody still waits for a call. One for each call, shared by all its stages; an AbortController would do the
// same at ten times the cost, and this is made for every call.

export class Cancel {
  private reason: string | undefined;
  private listener: ((reason: string) => void) | undefined;

  get cancelled(): boolean {
    return this.reason !== undefined;
  }

  /** The client gave up, its session ended, or the time is over. Only the first reason counts. */
  fire(reason: string): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    this.listener?.(reason);
  }

  /** Whoever holds the call at the moment listens; undefined when it has left. Called at once if it is too late. */
  listen(listener: ((reason: string) => void) | undefined): void {
    this.listener = listener;
    if (this.reason !== undefined) listener?.(this.reason);
  }
}
