// One channel to one edge router as its users see it: messages out and in, answers matched to requests, back-pressure both
// ways, one end with one reason. `openChannel` (./open-channel.ts) makes one; it is open from then on until `closed`.
// Invariants: messages leave in the order of `send`; they arrive in order, each exactly once, either as the result of one
// `request` or through `onMessage`; after `closed` nothing arrives and every request has been rejected.

import type { ZitiError } from '../errors.ts';
import type { Headers } from './headers.ts';
import type { Message } from './message.ts';

export interface RouterVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** Why a channel is over. */
export interface CloseReason {
  /** us: `close()` was called. router: it ended the connection. fault: a broken frame, silence, a socket error, a cap. */
  readonly by: 'us' | 'router' | 'fault';
  /** What requests were rejected with: `channel_closed`, `channel_lost`, `channel_silent`, `channel_overflow`, `frame_…`,
   * `ws_message_too_large`. */
  readonly error: ZitiError;
  /** Since the Hello was answered. A router that refuses a token answers the Hello first and closes up to 5 s later, */
  readonly ageMs: number;
  /** without having sent anything: then this is 0. */
  readonly received: number;
}

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with the answer before any later message is delivered: the promise resolves some microtasks after that. */
  readonly onReply?: ((reply: Message) => void) | undefined;
}

export interface Channel {
  /** As given to `openChannel`. */
  readonly url: string;
  /** Hello answer, header 8; empty if the router named none. */
  readonly routerId: string;
  readonly routerVersion: RouterVersion | null;
  /** All headers of the Hello answer. */
  readonly headers: Headers;
  /** The last round trip of a latency probe, which begin with the channel. */
  readonly rttMs: number | undefined;

  /** Queues one message and returns its sequence. Never blocks and is always allowed, `writable` or not; a channel whose
   * queue passes the hard cap (LIMITS.channelQueueBytes) closes with `channel_overflow`. After the end: throws
   * `channel_closed`. A message that is too large to be sent throws `frame_…` and sends nothing. The body is not copied:
   * it must not be changed afterwards. */
  send(type: number, headers: Headers, body?: Uint8Array): number;
  /** False: bulk data should wait for `onDrain`. */
  readonly writable: boolean;
  /** Bytes queued and not yet taken by the operating system. */
  readonly bufferedBytes: number;
  /** Calls once, when there is room again or the channel is over; waiters are called in the order they came, as long as
   * there is room. The returned function cancels. */
  onDrain(callback: () => void): () => void;

  /** Sends, and resolves with the message whose ReplyFor names it. Rejects with `request_timeout`, `aborted`,
   * `too_many_requests`, or the error of the end. A reply that comes too late goes to `onMessage`. */
  request(type: number, headers: Headers, body: Uint8Array | undefined, options: RequestOptions): Promise<Message>;

  /** Every message of an application that answers no open request, unknown types included. Messages wait until it is set.
   * Must not throw. */
  onMessage: ((message: Message) => void) | undefined;
  /** Stops reading the socket; delivers nothing until `resume`, answers included. A paused channel is never judged silent. */
  pause(): void;
  resume(): void;

  /** Sends what is queued, then ends the connection; at once if the router does not take it within a second. Idempotent. */
  close(reason?: string): Promise<CloseReason>;
  /** Resolves once, at the end, whoever caused it. Never rejects. */
  readonly closed: Promise<CloseReason>;
}
