// The contract of a backend: one MCP server behind the gateway, as the configuration names it. Its kinds (stdio, share,
// http) differ only in how a transport for one client session is opened.

import type { BackendConfig } from '@mcp-overlay/config';
import type { Backoff, CloseReason, Era, EraKnown, SourceEvents, Transport } from '@mcp-overlay/relay';
import type { ServersState } from './children.ts';
import type { Caller } from './credentials.ts';

export interface SessionOrigin {
  /** Handed on hop by hop: a hash of who the client is and its session, so that nobody takes another's. */
  readonly session: string;
  /** Gateways this session came through, nearest last: a cycle is refused. */
  readonly via: readonly string[];
  /** What the client speaks; the server is made to speak it too. */
  readonly era: Era;
  readonly principal: string;
  readonly caller: Caller;
  /** No client is behind it: see EraWay. */
  readonly alone?: boolean;
}

export interface Backend {
  readonly id: string;
  readonly config: BackendConfig;
  /** When a session that failed is tried again. */
  backoff(caller: Caller): Backoff;
  /** false: there is no credential for this caller, so it gets no session. */
  serves(caller: Caller): boolean;
  /** Tools that may run again where nobody knows how a call ended. Absent: none. */
  readonly mayRunTwice?: ((tool: string) => boolean) | undefined;
  /** By whose credential it serves a caller: '' is what all share. */
  seat?(caller: Caller): string | undefined;
  /** A new session with the server. Rejects with an error that names what failed. */
  open(origin: SessionOrigin, events: SourceEvents, signal: AbortSignal): Promise<Transport>;
  /** What it speaks, as far as that is known. */
  era?(): EraKnown | undefined;
  /** Those that run on this machine; absent: it is reached over a network. */
  servers?(): ServersState;
  /** Told when a server that slept was started again: it may list something else. Returns how to be told no more. */
  onWoken?(listener: () => void): () => void;
  /** Ends what sessions have in common, where they have. */
  close?(reason: CloseReason): Promise<void>;
}
