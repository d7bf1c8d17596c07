// The requests of one client that have no answer yet: who is told of their progress, when none is left, and what is said of
// them when the session ends under them.

import { type CloseReason, errorMessage, isRepeatable, type Message, outcomeUnknown } from '@mcp-overlay/relay';
import type { BackendSession } from '../backend/backend-session.ts';
import { newTrail, type Trail } from '../call/call.ts';
import { Cancel } from '../call/cancel.ts';

export interface OpenCall {
  readonly method: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly cancel: Cancel;
  readonly trail: Trail;
  readonly progressToken: unknown;
  /** Its client gave it a key, and asks for it again after a loss. */
  readonly keyed: boolean;
  /** The client wants no answer any more. */
  abandoned: boolean;
}

export class OpenCalls {
  private readonly open = new Map<string, OpenCall>();
  private readonly byToken = new Map<unknown, OpenCall>();
  private waiters: { readonly done: () => boolean; readonly resolve: () => void }[] = [];

  get size(): number {
    return this.open.size;
  }

  has(id: string): boolean {
    return this.open.has(id);
  }

  get(id: string): OpenCall | undefined {
    return this.open.get(id);
  }

  values(): IterableIterator<OpenCall> {
    return this.open.values();
  }

  add(id: string, message: Message, progressToken: unknown): OpenCall {
    const { method = '', call: number } = message;
    const call: OpenCall = {
      method,
      since: Date.now(),
      cancel: new Cancel(),
      trail: newTrail(),
      progressToken,
      keyed: number !== undefined,
      abandoned: false,
    };
    this.open.set(id, call);
    if (progressToken !== undefined) this.byToken.set(progressToken, call);
    return call;
  }

  delete(id: string, call: OpenCall): void {
    this.open.delete(id);
    if (this.byToken.get(call.progressToken) === call) this.byToken.delete(call.progressToken);
    if (this.waiters.length === 0) return;
    const over = this.waiters.filter(({ done }) => done());
    this.waiters = this.waiters.filter((waiter) => !over.includes(waiter));
    for (const { resolve } of over) resolve();
  }

  idle(): Promise<void> {
    return this.until(() => this.open.size === 0);
  }

  /** When none of the calls that are open now is. */
  endOfThese(): Promise<void> {
    const these = [...this.open];
    return this.until(() => these.every(([id, call]) => this.open.get(id) !== call));
  }

  private async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.waiters.push({ done, resolve }));
  }

  /** Whether this token belongs to an open call of this backend; then the call lives. */
  progressed(backend: BackendSession, token: unknown): boolean {
    const call = this.byToken.get(token);
    if (call?.trail.backend !== backend.id) return false;
    call.trail.onProgress?.();
    return true;
  }

  abandon(call: OpenCall | undefined, reason: string): void {
    if (!call) return;
    call.abandoned = true;
    call.cancel.fire(reason);
  }

  /** The session ends: nobody waits any more, and servers are told so. What a client is still told is returned. When only we
   *  go, calls whose outcome is kept by a host behind us go on: their client asks for it again. */
  end(reason: CloseReason | undefined, backends: readonly Pick<BackendSession, 'id' | 'keepsOutcomes'>[]): Message[] {
    const away = reason?.code === 'away';
    const keepers = new Set(backends.flatMap(({ id, keepsOutcomes }) => (keepsOutcomes ? [id] : [])));
    const goesOn = ({ keyed, trail }: OpenCall): boolean => keyed && keepers.has(trail.backend ?? '');
    if (away) for (const call of this.open.values()) if (goesOn(call)) call.abandoned = true;
    const answers = away ? this.unknown(reason.reason) : [];
    for (const call of this.open.values()) if (!call.abandoned) this.abandon(call, 'the session ended');
    return answers;
  }

  /** We go and the servers with us: nobody will ever know more. What has no effects is asked again by whoever comes back. */
  private unknown(why: string): Message[] {
    return [...this.open]
      .filter(([, { method, abandoned }]) => !abandoned && !isRepeatable(method))
      .map(([id, { trail }]) => {
        const facts = trail.backend === undefined ? {} : { backend: trail.backend };
        return errorMessage(id, 'outcome_unknown', outcomeUnknown(`${why} and this call was open`), facts);
      });
  }
}
