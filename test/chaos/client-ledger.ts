// The first of three ledgers: what the clients sent, and the one thing that became of each call.

export type Outcome =
  /** A result with the nonce and the payload. */
  | 'ok'
  /** Told that nobody knows whether it ran. */
  | 'unknown'
  /** Told that it did not run. */
  | 'refused'
  /** Told that there is no such tool. */
  | 'denied'
  /** Told that it ran, and that its answer is kept back, for it could not be recorded. */
  | 'withheld'
  /** Told that no answer came in time; it may have run. */
  | 'timeout'
  /** The client's own program was killed. */
  | 'lost'
  /** Anything else that was answered. */
  | 'error';

export interface SentCall {
  readonly nonce: string;
  readonly client: string;
  readonly server: string;
  readonly tool: string;
  readonly sha256: string;
  readonly sentAt: number;
  /** Its server answers at once. */
  readonly quick: boolean;
  endedAt?: number;
  outcome?: Outcome;
  /** Of its answer, where it is ok. */
  answered?: { readonly nonce: unknown; readonly sha256: unknown };
  /** What it was told, where it is not. */
  told?: string;
  /** Progress heard, in order. */
  readonly steps: number[];
}

export class ClientLedger {
  readonly calls = new Map<string, SentCall>();
  /** What should never be: a second answer, an answer nobody asked for, bytes of somebody else, a secret. */
  readonly strange: { readonly inv: 'I1' | 'I5' | 'I9'; readonly text: string }[] = [];

  sent(call: Omit<SentCall, 'steps' | 'sentAt'>): SentCall {
    const entry: SentCall = { ...call, sentAt: Date.now(), steps: [] };
    if (this.calls.has(call.nonce)) throw new Error(`${call.nonce} is no nonce`);
    this.calls.set(call.nonce, entry);
    return entry;
  }

  ended(entry: SentCall, outcome: Outcome | undefined, more: Pick<SentCall, 'answered' | 'told'> = {}): void {
    if (outcome === undefined) Object.assign(entry, more);
    else Object.assign(entry, { outcome, endedAt: Date.now(), ...more });
  }

  /** How many of each outcome. */
  tally(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { outcome = 'none' } of this.calls.values()) counts[outcome] = (counts[outcome] ?? 0) + 1;
    return counts;
  }
}
