// The successor's part: it asks who has the share, builds everything beside it, sees that what works there works here, and
// only then takes share and admin socket. If anything fails before, the other one has lost nothing.

import type { HealthRecord } from '../backend/health.ts';
import { SuccessionError } from './errors.ts';

/** Who has the share now, and agreed to lose it. */
export interface Predecessor {
  readonly pid: number;
  /** Backends that answer there. */
  readonly up: readonly string[];
  /** How long those are waited for that answer there and do not yet here. */
  readonly patienceMs: number;
  /** The share and the admin socket are ours: it may leave. Resolves with the number of calls still open there. */
  taken(): Promise<number>;
  /** We were told to end: then the share stays where it is. */
  readonly stop: AbortSignal;
  /** Whether it has this share and agreed to lose it. false, too, when it is gone or has taken its word back. */
  agrees(token: string): boolean;
  /** Nothing came of it. */
  giveUp(): void;
}

const HINT = 'the gateway that runs goes on; mcp-gateway check CONFIG shows what fails';
const LOOK_MS = 50;

/** Rejects `successor_unready` if a backend that answers there fails here. Others are not compared: they may be new. */
export async function asReady(
  predecessor: Predecessor | undefined,
  backends: readonly { readonly backend: { readonly id: string }; readonly health: HealthRecord }[],
): Promise<void> {
  if (!predecessor) return;
  const until = performance.now() + predecessor.patienceMs;
  const compared = backends.filter(({ backend }) => predecessor.up.includes(backend.id));
  for (const { backend, health } of compared) {
    for (;;) {
      const { state, reason } = health.get();
      if (state === 'up' || state === 'unknown') break;
      const late = performance.now() > until;
      if (state === 'failing' || late) {
        const why = reason ?? 'it did not answer in time';
        const text = `backend ${backend.id} works at the running gateway and not here: ${why}`;
        throw new SuccessionError('successor_unready', text, HINT);
      }
      refuseIfStopped(predecessor);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
  refuseIfStopped(predecessor);
}

function refuseIfStopped({ stop }: Predecessor): void {
  if (stop.aborted) throw new SuccessionError('successor_unready', 'it was told to end before it was ready', HINT);
}
