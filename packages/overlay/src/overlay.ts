// The network as our programs see it: shares are offered, dialled and hosted through this contract only.
// Every driver (local, zrok, ziti) runs the one suite in ./testing/compliance.ts.
//
// Half-close: `end()` finishes our direction only; the peer reads EOF and may go on writing. A connection is over when
// both directions ended, or when one side called `abort`/`destroy`.
// Back-pressure: `write()` returning false means wait for 'drain'; a reader that stops makes the writer stop, with
// bounded memory on both ends.
// Abort: `abort(reason)` destroys at once in both directions. The peer sees its stream close with an error
// (code `connection_aborted`, or `connection_lost` where the driver cannot tell); the reason itself is not promised to travel.
// Errors: every rejection and every 'error' event is an OverlayError (./errors.ts).

import type { Duplex } from 'node:stream';
import type { ProofSettings } from './proof/settings.ts';

export type OverlayKind = 'local' | 'zrok' | 'ziti';

/** What the network says of the other end. A claim for display, never a basis of a decision. */
export interface PeerHint {
  readonly overlay: OverlayKind;
  /** Claimed identity of the caller or host, where the network has one. */
  readonly claimed?: string;
}

/** One bidirectional byte stream to a peer. */
export interface Connection extends Duplex {
  readonly peer: PeerHint;
  /** 32 bytes that both ends compute alike and that no other connection ever has; null where there is none. */
  readonly binding: Uint8Array | null;
  /** Ends both directions at once. Idempotent. */
  abort(reason: string): void;
}

export interface ListenOptions {
  /** Called once per connection. Connections are delivered paused: nothing is read before the handler attaches. */
  readonly onConnection: (connection: Connection) => void;
  /** Callers cannot reach us for a while, or can again; of networks, which mend themselves. */
  readonly onReach?: (reached: boolean, error: Error | undefined) => void;
  /** Told when the listener is lost for good without `close` having been called. */
  readonly onLost?: (error: Error) => void;
  /** E-mail addresses of accounts that the network shall let dial, where it has accounts (zrok). Who then comes in is
   *  decided by proofs. */
  readonly grants?: readonly string[];
  /** Another process of this user hosts the share and has agreed to lose it (`Listener.yield`): whoever dials finds one of
   *  the two at every moment. */
  readonly takeOver?: boolean;
}

/** A share being hosted by this process. */
export interface Listener {
  readonly share: string;
  /** Agrees to lose the share to another process of this user. Throws `not_permitted` where it goes with this listener. */
  yield(): Yielding;
  /** Stops accepting; existing connections live on. An ephemeral share vanishes with it. Idempotent. */
  close(): Promise<void>;
}

/** From the agreement to `close`; this listener goes on accepting what comes to it. */
export interface Yielding {
  /** The other one came to nothing: what leads to the share leads here again. Idempotent. */
  takeBack(): Promise<void>;
}

export interface DialOptions {
  readonly signal?: AbortSignal;
  /** Default 15,000. */
  readonly timeoutMs?: number;
}

export interface ShareOptions {
  /** As in `ListenOptions`. */
  readonly grants?: readonly string[];
  /** zrok: every account of the instance may dial. Knowingly; shares are closed. */
  readonly open?: boolean;
}

export interface ShareInfo {
  readonly token: string;
  /** false: made by a running host, gone with it. */
  readonly persistent: boolean;
  /** Whether somebody hosts it now; undefined when the network cannot tell. */
  readonly hosted: boolean | undefined;
  readonly createdAt: Date;
  /** What we may do with it, on networks that decide that. */
  readonly may?: readonly ('dial' | 'host')[];
}

export interface Overlay {
  readonly kind: OverlayKind;
  /** How the ends of its connections prove who they are. Absent: nobody proves anything here. */
  readonly proofs?: ProofSettings | undefined;
  /** Principal ids that own this user's shares besides the identity in `proofs`: the other environments of a zrok account. */
  ownIdentities?(): Promise<readonly string[]>;
  /** Makes an ephemeral share with a random token and hosts it. Rejects `not_permitted` where only others make shares. */
  listenEphemeral(options: ListenOptions): Promise<Listener>;
  /** Hosts a share made by `createShare`. Rejects `share_unknown`, `share_in_use`, `not_permitted`. */
  listen(token: string, options: ListenOptions): Promise<Listener>;
  /** Rejects `share_unknown`, `share_not_hosted`, `not_permitted`, `bad_token`, `dial_timeout`, `dial_aborted`. */
  dial(token: string, options?: DialOptions): Promise<Connection>;
  /** Tells when somebody may just have begun to host the share, so that who waits to dial it need not wait longer. Returns what
   *  ends it. Absent: the network gives no such sign. */
  onSign?(token: string, tell: () => void): () => void;
  /** Makes a persistent share; a random name when none is given. Rejects `share_exists`, `bad_token`, `not_permitted`. */
  createShare(name?: string, options?: ShareOptions): Promise<ShareInfo>;
  /** Rejects `share_unknown`, `not_permitted`; `share_in_use` while somebody hosts it. */
  deleteShare(token: string): Promise<void>;
  /** Sorted by token. Sweeps what dead hosts left behind. */
  listShares(): Promise<ShareInfo[]>;
  /** Closes every listener of this object. Idempotent. */
  close(): Promise<void>;
}
