// What a steady session is told when it is made, what its transports tell it, and what it tells of itself.

import type { RpcErrorName } from '../errors.ts';
import type { HostTerms } from '../link/preamble.ts';
import type { Fault } from '../message.ts';
import type { Transport } from '../transport.ts';
import type { Backoff } from '../transports/child/backoff.ts';

/** What a transport that survives breaks by itself (a link) tells the session above. */
export interface SourceEvents {
  /** The way is broken and being mended: new requests wait here meanwhile. `error`: what the last attempt met. */
  suspended(reason: string, error?: unknown): void;
  /** Mended, nothing lost. */
  resumed(): void;
  /** What the other end keeps, said with each handshake and before anything else of it. A source that never says so keeps
   *  nothing. */
  agreed?(terms: HostTerms): void;
  /** The other end has forgotten us: same transport, new session. `notRun`: requests that it surely did not take. */
  renewed(notRun?: readonly string[]): void;
}

export interface SteadyOptions {
  /** Who failed, in messages to people: `backend fs`, `share build-box`. */
  readonly name: string;
  open(events: SourceEvents, signal: AbortSignal): Promise<Transport>;
  readonly backoff: Pick<Backoff, 'next' | 'note'> & Partial<Pick<Backoff, 'state'>>;
  /** How long a request waits while there is no way to the server. */
  readonly waitMs: number;
  /** From open to an answered initialize; longer counts as a failure. */
  readonly startMs: number;
  /** The error a request gets when it waited in vain. */
  readonly unavailable: Extract<RpcErrorName, 'backend_unavailable' | 'share_unreachable'>;
  /** Facts put into every error of ours. */
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Whether an opening error ends the session instead of being tried again. */
  readonly isFatal?: (error: unknown) => boolean;
  /** The code of an error that only a person can end: requests do not wait then, though the way is still looked for. */
  readonly refusedWith?: (error: unknown) => string | undefined;
  /** How long a session that failed for good waits for a first request, so that its client reads why. Default 0. */
  readonly failGraceMs?: number;
  /** The server is a host of ours: what it did not run because it is leaving waits for its successor. */
  readonly outlivesHosts?: boolean;
  /** The agent's end gives every call that must run once its number; hosts behind it only hand numbers on. */
  readonly numberCalls?: boolean;
  readonly onState?: (state: SteadyState) => void;
  /** A line of the server that was no message. */
  readonly onStray?: (fault: Fault) => void;
  readonly now?: () => number;
}

export interface SteadyState {
  readonly phase: 'opening' | 'up' | 'suspended' | 'waiting' | 'failed' | 'closed';
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly reason: string | undefined;
  /** How often the session was rebuilt. */
  readonly rebuilt: number;
  /** It failed too often: left alone for a while, and requests are refused at once. */
  readonly givenUp: boolean;
}
