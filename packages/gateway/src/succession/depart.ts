// How sessions leave a gateway that goes while its agents stay: each in a moment without open calls. A session that never
// has one by itself is given one: new requests wait for the open ones, but not for long. Where a call takes minutes the
// others are served meanwhile, and the next try comes when that call is over.
// Invariant: nothing is cut here; what is still open at the end of the time is the business of whoever set it.

import { type CloseReason, within } from '@mcp-overlay/relay';

/** New requests wait at most so long for those that are open. */
const HOLD_MS = 15_000;
/** How often a link that broke is looked at: its agent has not had its last answers. */
const LOOK_MS = 100;

export interface Leaving {
  hold(ms: number): Promise<boolean>;
  goOn(): Promise<void>;
  close(reason: CloseReason): Promise<void>;
}

/** Whether the agent took every answer, as far as that is known. */
export type Delivered = () => boolean;

export async function depart(
  session: Leaving,
  { delivered, reason, over, holdMs = HOLD_MS }: DepartOptions,
): Promise<void> {
  while (!over.aborted && !(await session.hold(holdMs))) await session.goOn();
  while (!over.aborted && !delivered()) await within(LOOK_MS, aborted(over));
  if (!over.aborted) await session.close(reason);
}

export interface DepartOptions {
  readonly delivered: Delivered;
  readonly reason: CloseReason;
  /** The time is up. */
  readonly over: AbortSignal;
  readonly holdMs?: number;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
