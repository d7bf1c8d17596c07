// One connection of a link after the handshake: lines in, batched writes out of the resend buffer, pings. It knows no
// numbers and no session; it ends in exactly one `broke`, and when detached it says nothing any more.
// Order on the wire: control lines go out first, never inside a message.

import type { Duplex } from 'node:stream';
import type { LongLine } from '../json-rpc.ts';
import type { Limits } from '../limits.ts';
import type { Message } from '../message.ts';
import type { CloseReason } from '../transport.ts';
import { LineReader } from '../transports/line-reader.ts';
import type { Clock } from './clock.ts';
import { BANG, closeLine, readControl } from './control.ts';
import { farewell } from './first-bytes.ts';
import type { ResendBuffer } from './resend-buffer.ts';

/** How a connection ended. 'silent': nothing says that the peer is gone. 'closed': it, or its system, closed. */
export interface Breakage {
  readonly kind: 'silent' | 'closed';
  readonly reason: string;
}

export interface WireEvents {
  /** A line that is no control line. */
  line(line: Buffer): void;
  tooLong(line: LongLine): void;
  ack(number: number): void;
  closed(reason: CloseReason): void;
  /** The peer broke the rules of the wire. */
  violated(reason: string): void;
  broke(breakage: Breakage): void;
  /** Fewer messages wait to be written. */
  wrote(): void;
}

export type WireLimits = Pick<
  Limits,
  'messageBytes' | 'preambleBytes' | 'pingMs' | 'pingsUnanswered' | 'softQueueBytes'
>;

/** `@` + 16 digits + space. */
const PREFIX_BYTES = 18;
/** Small messages of one turn are copied into one write of about this size. */
const BATCH_BYTES = 64 * 1024;
/** A message from this size on is not copied but written in pieces. Each piece that the system takes shows that the
 *  connection lives: an 18 MiB message on a slow line takes longer than the pings would wait. */
const PIECE_BYTES = 64 * 1024;
/** Errors of a connection that was closed by the other end's system rather than lost on the way. */
const CLOSED_BY_PEER = new Set(['ECONNRESET', 'EPIPE', 'connection_aborted']);
const NEWLINE = Buffer.from('\n');

export class Wire {
  readonly #connection: Duplex;
  readonly #outbox: ResendBuffer;
  readonly #limits: WireLimits;
  readonly #clock: Clock;
  readonly #events: WireEvents;
  readonly #reader: LineReader;
  #over = false;
  #reading = true;
  #blocked = false;
  #scheduled = false;
  /** Message that is being written in pieces, and how far. */
  #large: Message | undefined;
  #largeOffset = 0;
  /** One slot for each control word: a peer cannot make a queue of them. -1: nothing to say. */
  #ackDue = -1;
  #pingDue = -1;
  #pongDue = -1;
  #closeDue: CloseReason | undefined;
  #aliveAt: number;
  #pings = 0;
  #unanswered = 0;
  /** Somebody waits to hear whether anything still comes. */
  readonly #doubters = new Set<() => void>();
  #cancelPing: () => void;

  constructor(connection: Duplex, outbox: ResendBuffer, limits: WireLimits, clock: Clock, events: WireEvents) {
    this.#connection = connection;
    this.#outbox = outbox;
    this.#limits = limits;
    this.#clock = clock;
    this.#events = events;
    this.#reader = new LineReader(limits.messageBytes + PREFIX_BYTES, {
      onLine: (line) => this.#onLine(line),
      onTooLong: (line) => this.#onTooLong(line),
    });
    this.#aliveAt = clock.now();
    this.#cancelPing = clock.after(limits.pingMs, this.#onQuiet, true);
    connection.on('data', this.#onData).on('drain', this.#onDrain);
    connection.on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onEnd);
  }

  /** Begins to read, `rest` first: it came with the peer's first line. */
  open(rest: Buffer): void {
    if (rest.length > 0) this.#connection.unshift(rest);
    this.#connection.resume();
    // It may have ended while its first line was judged: nobody would tell us again.
    if (this.#connection.readableEnded || this.#connection.destroyed) process.nextTick(this.#onEnd);
    this.wake();
  }

  /** There may be messages to write. They leave at the end of this turn, all in one write. */
  wake(): void {
    if (this.#scheduled || this.#blocked || this.#over) return;
    this.#scheduled = true;
    process.nextTick(this.#flushDue);
  }

  ack(number: number): void {
    this.#ackDue = number;
    this.wake();
  }

  /** Stops and continues reading. While stopped the peer is not expected to answer pings, but still gets ours. */
  read(on: boolean): void {
    if (on === this.#reading || this.#over) return;
    this.#reading = on;
    if (on) this.#connection.resume();
    else this.#connection.pause();
  }

  /** Resolves when something comes from the peer, or the connection is over: at the latest after so long, for a peer that says
   *  nothing to a ping is gone. One that is not read cannot be asked. */
  doubt(withinMs: number): Promise<void> {
    if (this.#over || !this.#reading) return Promise.resolve();
    this.#pings += 1;
    this.#pingDue = this.#pings;
    this.wake();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(withinMs, () => {
        this.#break({ kind: 'silent', reason: 'it says nothing while another link of its session is here' });
      });
      this.#doubters.add(() => {
        cancel();
        resolve();
      });
    });
  }

  /** Writes what is waiting as far as the peer takes it, then the close line, and ends. `broke` tells when it is over. */
  finish(reason: CloseReason, withinMs: number): void {
    if (this.#over) return;
    this.#closeDue = reason;
    this.read(true);
    this.#clock.after(withinMs, () => this.#break({ kind: 'closed', reason: 'not finished in time' }), true);
    this.wake();
  }

  /** Leaves the connection without another word to the events. With a reason: says it to the peer, at once. */
  detach(reason?: CloseReason): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelPing();
    this.#believe();
    const connection = this.#connection;
    connection.off('data', this.#onData).off('drain', this.#onDrain);
    connection.off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onEnd);
    connection.on('error', () => {});
    // In the middle of a message another word would only be a part of it.
    if (reason && !this.#large) farewell(connection, closeLine(reason), this.#clock);
    else connection.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#alive();
    this.#reader.push(chunk);
  };

  readonly #onDrain = (): void => {
    this.#alive();
    this.#blocked = false;
    this.#flush();
  };

  readonly #onEnd = (): void => this.#break({ kind: 'closed', reason: 'the peer closed the connection' });

  readonly #onError = (error: Error & { code?: unknown }): void => {
    const kind = typeof error.code === 'string' && CLOSED_BY_PEER.has(error.code) ? 'closed' : 'silent';
    this.#break({ kind, reason: error.message });
  };

  readonly #onQuiet = (): void => {
    const { pingMs, pingsUnanswered } = this.#limits;
    const quiet = this.#clock.now() - this.#aliveAt;
    if (this.#unanswered === 0 && quiet < pingMs) {
      this.#cancelPing = this.#clock.after(pingMs - quiet, this.#onQuiet, true);
      return;
    }
    if (this.#unanswered >= pingsUnanswered) {
      this.#break({ kind: 'silent', reason: `nothing was heard for ${Math.round(quiet / 1000)} s` });
      return;
    }
    if (this.#reading) this.#unanswered += 1;
    this.#pings += 1;
    this.#pingDue = this.#pings;
    this.wake();
    // After the first silence the rest of the patience is shared out, so that a dead peer is known after
    // pingMs * pingsUnanswered: 15, 25, 35 and over at 45 s.
    const next = this.#reading ? (pingMs * (pingsUnanswered - 1)) / pingsUnanswered : pingMs;
    this.#cancelPing = this.#clock.after(next, this.#onQuiet, true);
  };

  #alive(): void {
    this.#aliveAt = this.#clock.now();
    this.#unanswered = 0;
    if (this.#doubters.size > 0) this.#believe();
  }

  #believe(): void {
    for (const settle of this.#doubters) settle();
    this.#doubters.clear();
  }

  #onLine(line: Buffer): void {
    if (this.#over) return;
    if (line[0] !== BANG) {
      this.#events.line(line);
      return;
    }
    if (line.length > this.#limits.preambleBytes) {
      this.#events.violated('a control line is too long');
      return;
    }
    const control = readControl(line);
    if (control.word === 'ack') this.#events.ack(control.n);
    else if (control.word === 'ping') this.#answerPing(control.n);
    else if (control.word === 'close') this.#events.closed(control.reason);
    else if (control.word === 'malformed') this.#events.violated('a control line is malformed');
  }

  #onTooLong(line: LongLine): void {
    if (this.#over) return;
    if (line.head[0] === BANG) this.#events.violated('a control line is too long');
    else this.#events.tooLong(line);
  }

  #answerPing(n: number): void {
    this.#pongDue = n;
    this.wake();
  }

  readonly #flushDue = (): void => {
    this.#scheduled = false;
    this.#flush();
  };

  #flush(): void {
    let wrote = false;
    while (!this.#blocked && !this.#over) {
      if (this.#large) {
        wrote = this.#writePiece(this.#large) || wrote;
        continue;
      }
      const batch: Message[] = [];
      let bytes = 0;
      let next = this.#mayWrite();
      while (next && next.bytes.length < PIECE_BYTES && bytes < BATCH_BYTES) {
        batch.push(next);
        bytes += next.bytes.length + 1 + (next.call === undefined ? 0 : PREFIX_BYTES);
        this.#outbox.advance();
        next = this.#mayWrite();
      }
      const control = this.#takeControl();
      const prefix = next && next.bytes.length >= PIECE_BYTES && bytes < BATCH_BYTES ? prefixOf(next) : undefined;
      if (prefix !== undefined) this.#large = next;
      wrote ||= batch.length > 0;
      if (control !== '' || batch.length > 0) this.#write(joined(control, batch, bytes));
      if (prefix) this.#write(Buffer.from(prefix, 'latin1'));
      if (!next) break;
    }
    if (wrote) this.#events.wrote();
    if (!this.#closeDue || this.#over || this.#blocked || this.#outbox.peek()) return;
    this.#blocked = true;
    this.#connection.end(closeLine(this.#closeDue));
    this.#closeDue = undefined;
  }

  /** The next message, unless so much is under way that a peer which stopped delivering could not hold it. */
  #mayWrite(): Message | undefined {
    return this.#outbox.inFlightBytes < this.#limits.softQueueBytes ? this.#outbox.peek() : undefined;
  }

  /** Returns whether that was the last piece. */
  #writePiece(message: Message): boolean {
    const piece = message.bytes.subarray(this.#largeOffset, this.#largeOffset + PIECE_BYTES);
    this.#largeOffset += piece.length;
    if (this.#largeOffset < message.bytes.length) {
      this.#write(piece);
      return false;
    }
    this.#connection.cork();
    this.#write(piece);
    this.#write(NEWLINE);
    this.#connection.uncork();
    this.#large = undefined;
    this.#largeOffset = 0;
    this.#outbox.advance();
    return true;
  }

  #write(bytes: Buffer): void {
    if (!this.#connection.write(bytes)) this.#blocked = true;
  }

  #takeControl(): string {
    let text = '';
    if (this.#ackDue >= 0) text += `!ack ${this.#ackDue}\n`;
    if (this.#pongDue >= 0) text += `!pong ${this.#pongDue}\n`;
    if (this.#pingDue >= 0) text += `!ping ${this.#pingDue}\n`;
    this.#ackDue = this.#pongDue = this.#pingDue = -1;
    return text;
  }

  #break(breakage: Breakage): void {
    if (this.#over) return;
    this.detach();
    this.#events.broke(breakage);
  }
}

function prefixOf(message: Message): string {
  return message.call === undefined ? '' : `@${message.call} `;
}

function joined(control: string, batch: readonly Message[], maxBytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(control.length + maxBytes);
  let at = control === '' ? 0 : buffer.write(control, 0, 'latin1');
  for (const message of batch) {
    if (message.call !== undefined) at += buffer.write(prefixOf(message), at, 'latin1');
    buffer.set(message.bytes, at);
    at += message.bytes.length;
    buffer[at] = 0x0a;
    at += 1;
  }
  return at === buffer.length ? buffer : buffer.subarray(0, at);
}
