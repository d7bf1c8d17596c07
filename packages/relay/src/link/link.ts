// Both ends of a link after the handshake: numbers, delivery, acknowledgements, and a life longer than any connection.
// A connection comes with `attach` and goes with a Breakage; what was not acknowledged waits for the next one.
// Invariant: each message is delivered above exactly once and in order, or handed back by `renew`, or the link is closed.

import type { Duplex } from 'node:stream';
import type { LongLine } from '../json-rpc.ts';
import type { Limits } from '../limits.ts';
import type { Fault, Message } from '../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';
import { Ack } from './ack.ts';
import type { Clock, LinkLog } from './clock.ts';
import { readLine, readLongLine, standIn } from './lines.ts';
import type { PeerProof } from './preamble.ts';
import { chargeOf, ResendBuffer } from './resend-buffer.ts';
import { type Breakage, Wire } from './wire.ts';

export type LinkPhase = 'connecting' | 'up' | 'down' | 'closed';

export interface LinkStats {
  readonly state: LinkPhase;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly sent: number;
  readonly received: number;
  /** Of those sent. */
  readonly acked: number;
  /** Written again after a break. */
  readonly resent: number;
  readonly breaks: number;
  readonly bytesHeld: number;
  readonly lastBreak: { readonly at: number; readonly reason: string } | undefined;
}

export interface Link extends Transport {
  /** Chosen at the agent's end, handed on hop by hop. */
  readonly session: string;
  /** The peer's program and version: a claim. */
  readonly by: string;
  /** What the peer's preamble offered as proof; carried, not judged. */
  readonly peer: PeerProof | null;
  /** Ids of requests that the peer before this one had not taken when it said goodbye: they have not run. */
  readonly notRun: readonly string[];
  stats(): LinkStats;
}

export interface LinkEndOptions {
  readonly session: string;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: LinkLog;
  /** The connection is gone and the link lives on. */
  onBreak(breakage: Breakage): void;
  /** After the handlers were told. */
  onClosed(reason: CloseReason): void;
  /** Whether a close by the peer is only the end of this connection. */
  survives(reason: CloseReason): boolean;
}

/** How long `close` waits for the peer to take what is queued. */
const FINISH_MS = 1000;

export class LinkEnd implements Link {
  readonly session: string;
  by = 'unknown';
  peer: PeerProof | null = null;
  notRun: readonly string[] = [];
  readonly #options: LinkEndOptions;
  readonly #outbox = new ResendBuffer();
  readonly #ack: Ack;
  #wire: Wire | undefined;
  #handlers: TransportHandlers | undefined;
  #phase: LinkPhase = 'connecting';
  #since: number;
  /** Arrived and not delivered: nobody started us, or we are paused. */
  #inbox: (Message | Fault)[] = [];
  #inboxBytes = 0;
  #paused = false;
  #delivering = false;
  /** The peer ended the connection in order: it acknowledged all that it took. */
  #goodbye = false;
  /** Set once the end is certain; nothing is accepted or begun after. */
  #ending: CloseReason | undefined;
  #closing: Promise<void> | undefined;
  #told = false;
  #onTold: (() => void) | undefined;
  #waiters: (() => void)[] = [];
  /** Sums over earlier numberings. */
  #sentBefore = 0;
  #ackedBefore = 0;
  #received = 0;
  #resent = 0;
  #breaks = 0;
  #lastBreak: LinkStats['lastBreak'];

  constructor(options: LinkEndOptions) {
    this.session = options.session;
    this.#options = options;
    this.#since = options.clock.wall();
    this.#ack = new Ack(options.clock, (number) => this.#wire?.ack(number));
  }

  get phase(): LinkPhase {
    return this.#phase;
  }

  stats(): LinkStats {
    return {
      state: this.#phase,
      since: this.#since,
      sent: this.#sentBefore + this.#outbox.highestSent,
      received: this.#received,
      acked: this.#ackedBefore + this.#outbox.acked,
      resent: this.#resent,
      breaks: this.#breaks,
      bytesHeld: this.#outbox.heldBytes + this.#inboxBytes,
      lastBreak: this.#lastBreak,
    };
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#deliverSoon();
  }

  send(message: Message): boolean {
    if (this.#ending) return true;
    if (message.bytes.length > this.#options.limits.messageBytes) return this.#sendTooLarge(message);
    const { resendBytes, hardQueueBytes } = this.#options.limits;
    if (this.#outbox.heldBytes >= resendBytes + hardQueueBytes) {
      this.fail({ code: 'queue_full', reason: 'the peer takes nothing and too much is waiting for it' });
      return true;
    }
    this.#outbox.push(message);
    this.#ack.ride();
    this.#wire?.wake();
    return !this.#aboveMark();
  }

  drained(): Promise<void> {
    if (!this.#aboveMark()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#deliverSoon();
  }

  /** Drops what arrived and was not delivered. */
  close(reason: CloseReason = DONE): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#onTold = resolve;
      this.#dropInbox();
      if (this.#told) resolve();
      if (this.#ending) return this.#deliverSoon();
      this.#ending = reason;
      this.#ack.flush();
      if (this.#wire) this.#wire.finish(reason, FINISH_MS);
      else this.#over(reason);
    });
    return this.#closing;
  }

  /** Ends at once, telling the peer why if it can be told. Handlers hear of it later, never from inside this call. */
  fail(reason: CloseReason): void {
    if (this.#phase === 'closed') return;
    this.#options.log.warn({ code: reason.code, reason: reason.reason }, 'link failed');
    this.#detach(reason);
    this.#over(reason);
  }

  /** Ends without a word to the peer: there is none. */
  abandon(reason: CloseReason): void {
    this.#detach();
    this.#over(reason);
  }

  /** Resolves when it is known whether it still has a peer: `phase` says so then. */
  doubt(withinMs: number): Promise<void> {
    return this.#wire?.doubt(withinMs) ?? Promise.resolve();
  }

  /** The same, for another link that takes its place: what the peer never acknowledged is handed back. */
  protected giveWay(reason: CloseReason): Message[] {
    this.#detach();
    this.#dropInbox();
    const unacknowledged = this.#forgetSent();
    this.#over(reason);
    return unacknowledged;
  }

  canResume(peerGot: number): boolean {
    return this.#outbox.canResume(peerGot);
  }

  /** Number of the last message delivered; what arrived beyond it is dropped, for the peer will send it again. */
  takeGot(): number {
    this.#detach();
    this.#dropInbox();
    return this.#ack.got;
  }

  /** Goes on over a new connection whose preambles were exchanged. `peerGot` passed `canResume`. */
  attach(connection: Duplex, peerGot: number, rest: Buffer): void {
    this.#detach();
    const { limits, clock } = this.#options;
    this.#resent += this.#outbox.highestSent - peerGot;
    this.#outbox.resume(peerGot);
    const wire: Wire = new Wire(connection, this.#outbox, limits, clock, {
      line: (line) => this.#onLine(line),
      tooLong: (line) => this.#onTooLong(line),
      ack: (number) => this.#onAck(number),
      closed: (reason) => this.#onClosed(reason),
      violated: (reason) => this.fail({ code: 'link_protocol', reason }),
      broke: (breakage) => this.#onBroke(breakage),
      wrote: () => this.#releaseWaiters(),
    });
    this.#wire = wire;
    this.#goodbye = false;
    this.#enter('up');
    wire.open(rest);
    this.#releaseWaiters();
  }

  /** The peer forgot this link: numbers start again, what it never acknowledged is handed back. */
  renew(): Message[] {
    this.#detach();
    this.#dropInbox();
    this.#ack.reset();
    const lost = this.#forgetSent();
    this.notRun = this.#goodbye ? lost.flatMap(({ kind, id }) => (kind === 'request' && id ? [id] : [])) : [];
    this.#releaseWaiters();
    return lost;
  }

  #onLine(line: Buffer): void {
    this.#take(readLine(line, this.#options.limits), line.length);
  }

  #onTooLong(line: LongLine): void {
    this.#take(readLongLine(line), 0);
  }

  #take(item: Message | Fault, bytes: number): void {
    if (this.#ending) return;
    if (this.#handlers && !this.#paused && this.#inbox.length === 0) {
      this.#deliver(item, bytes);
      return;
    }
    this.#inbox.push(item);
    this.#inboxBytes += chargeOf(bytes);
    // Only a peer that ignores its window comes here: the others keep their control lines readable.
    const { softQueueBytes, messageBytes } = this.#options.limits;
    if (this.#inboxBytes > softQueueBytes + chargeOf(messageBytes)) this.#wire?.read(false);
  }

  #deliver(item: Message | Fault, bytes: number): void {
    this.#received += 1;
    this.#ack.took(bytes);
    if ('code' in item) this.#handlers?.fault(item);
    else this.#handlers?.message(item);
  }

  #deliverInbox(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    let count = 0;
    while (this.#handlers && !this.#paused && count < this.#inbox.length) {
      const item = this.#inbox[count];
      count += 1;
      if (item) this.#deliver(item, sizeOf(item));
    }
    this.#delivering = false;
    for (const item of this.#inbox.splice(0, count)) this.#inboxBytes -= chargeOf(sizeOf(item));
    if (this.#inboxBytes < this.#options.limits.softQueueBytes) this.#wire?.read(true);
    if (this.#inbox.length === 0) this.#tell();
  }

  #onAck(number: number): void {
    const acked = this.#outbox.ack(number);
    if (acked < 0) this.fail({ code: 'link_protocol', reason: 'more was acknowledged than sent' });
    if (acked <= 0) return;
    this.#releaseWaiters();
    // The window may have opened.
    if (this.#outbox.unsentBytes > 0) this.#wire?.wake();
  }

  #onClosed(reason: CloseReason): void {
    // While we are closing too, both have said so and the connection is about to end.
    if (this.#ending) return;
    if (this.#options.survives(reason)) {
      this.#goodbye = true;
      this.#onBroke({ kind: 'closed', reason: reason.reason || 'the peer goes away' });
      return;
    }
    this.#detach(reason);
    this.#over(reason);
  }

  #onBroke(breakage: Breakage): void {
    this.#detach();
    if (this.#ending) {
      this.#over(this.#ending);
      return;
    }
    this.#breaks += 1;
    this.#lastBreak = { at: this.#options.clock.wall(), reason: breakage.reason };
    this.#enter('down');
    this.#releaseWaiters();
    this.#options.onBreak(breakage);
  }

  /** Nothing goes in or out any more; what arrived before is delivered first, however long that takes. */
  #over(reason: CloseReason): void {
    if (this.#phase === 'closed') return;
    this.#ending = reason;
    this.#enter('closed');
    this.#forgetSent();
    this.#releaseWaiters();
    this.#options.onClosed(reason);
    this.#deliverSoon();
  }

  #deliverSoon(): void {
    process.nextTick(() => this.#deliverInbox());
  }

  #tell(): void {
    if (this.#phase !== 'closed' || !this.#ending) return;
    if (this.#handlers && !this.#told) {
      this.#told = true;
      this.#handlers.closed(this.#ending);
    }
    this.#onTold?.();
  }

  #sendTooLarge(message: Message): boolean {
    const { answer, toUs } = standIn(message, this.#options.limits.messageBytes);
    this.#options.log.warn({ kind: message.kind, bytes: message.bytes.length }, 'message over the cap not sent');
    if (answer && !toUs) return this.send(answer);
    // The request never left: its error is ours to give, from a later turn.
    if (answer) process.nextTick(() => this.#ending ?? this.#handlers?.message(answer));
    return !this.#aboveMark();
  }

  #detach(reason?: CloseReason): void {
    this.#wire?.detach(reason);
    this.#wire = undefined;
    this.#ack.settled();
  }

  #forgetSent(): Message[] {
    this.#sentBefore += this.#outbox.highestSent;
    this.#ackedBefore += this.#outbox.acked;
    return this.#outbox.renew();
  }

  #dropInbox(): void {
    this.#inbox = [];
    this.#inboxBytes = 0;
  }

  #aboveMark(): boolean {
    if (this.#phase === 'closed') return false;
    const { resendBytes, softQueueBytes } = this.#options.limits;
    if (this.#outbox.heldBytes >= resendBytes) return true;
    return this.#wire !== undefined && this.#outbox.unsentBytes >= softQueueBytes;
  }

  #releaseWaiters(): void {
    if (this.#waiters.length === 0 || this.#aboveMark()) return;
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  #enter(phase: LinkPhase): void {
    this.#phase = phase;
    this.#since = this.#options.clock.wall();
  }
}

function sizeOf(item: Message | Fault): number {
  return 'code' in item ? 0 : item.bytes.length;
}
