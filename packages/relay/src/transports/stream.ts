// Newline-delimited JSON-RPC over a pair of streams: an agent's stdio, a child's pipes, a bare stream on a share.
// In: bytes -> ./line-reader -> ../json-rpc -> handlers; out: messages of one turn -> one write.
// Invariant: nothing a peer does (EPIPE, reset, garbage, no reading) becomes an uncaught exception or unbounded memory.

import type { Readable, Writable } from 'node:stream';
import { isFault, longLineFault, readMessage } from '../json-rpc.ts';
import type { Limits } from '../limits.ts';
import type { Fault, Message } from '../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';
import { LineReader } from './line-reader.ts';

export interface StreamOptions {
  readonly input: Readable;
  /** May be the same Duplex. */
  readonly output: Writable;
  readonly limits: Pick<Limits, 'messageBytes' | 'jsonDepth' | 'jsonTokens' | 'softQueueBytes' | 'hardQueueBytes'>;
  /** For reasons: whose stream it is. Default 'the peer'. */
  readonly name?: string;
  /** Gets the faults of lines that were no message at all (kind 'unknown'), instead of `handlers.fault`. */
  readonly onStray?: (fault: Fault) => void;
  /** How long after the input's end the answers to its open requests are still waited for, so that
   *  `echo '{…}' | program` shows one. Default 0. */
  readonly answersAfterEndMs?: number;
}

/** What is queued gets this long to leave when we close. */
const FLUSH_MS = 1000;
/** Messages up to this size are gathered into one buffer; larger ones are written as they are. */
const GATHER_BYTES = 64 * 1024;
const NEWLINE = Buffer.from('\n');

export function streamTransport(options: StreamOptions): Transport {
  return new StreamTransport(options);
}

class StreamTransport implements Transport {
  readonly #options: StreamOptions;
  readonly #name: string;
  readonly #lines: LineReader;
  #handlers: TransportHandlers | undefined;
  /** Read, but not delivered: we are paused. */
  #inbox: (Message | Fault)[] = [];
  #paused = false;
  #delivering = false;
  #ended = false;
  /** Requests delivered minus responses sent. A cancelled request is never answered, so it only ever delays the end. */
  #open = 0;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #flushing = false;
  /** The output asked us to wait for its `drain`. */
  #blocked = false;
  #waiting: (() => void)[] = [];
  #closing: Promise<void> | undefined;
  #told = false;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#name = options.name ?? 'the peer';
    this.#lines = new LineReader(options.limits.messageBytes, {
      onLine: (line) => this.#arrived(readMessage(line, options.limits)),
      onTooLong: (line) => this.#arrived(longLineFault(line)),
    });
    const { input, output } = options;
    // From now on, for a stream may break before we are started, and after we are closed.
    input.on('error', (error) => this.#broke(error));
    if (output !== (input as unknown)) output.on('error', (error) => this.#broke(error));
    output.on('close', () => this.#broke(undefined));
    output.on('drain', () => {
      this.#blocked = false;
      this.#flush();
    });
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    const { input } = this.#options;
    input.on('data', (chunk: Buffer) => this.#lines.push(chunk));
    input.once('end', () => {
      this.#lines.end();
      this.#ended = true;
      this.#deliver();
    });
    input.once('close', () => this.#broke(undefined));
    if (this.#paused) input.pause();
    if (input.destroyed || input.readableEnded || this.#closing !== undefined) {
      process.nextTick(() => this.#broke(input.errored ?? undefined));
    }
  }

  send(message: Message): boolean {
    if (this.#closing !== undefined) return true;
    const { softQueueBytes, hardQueueBytes } = this.#options.limits;
    if (message.kind === 'response') this.#open--;
    const waiting = this.#waitingBytes();
    if (waiting > 0 && waiting + message.bytes.length > hardQueueBytes) {
      void this.close({
        code: 'queue_full',
        reason: `${this.#name} does not read: ${waiting} bytes are waiting for it`,
      });
      return true;
    }
    this.#queue.push(message.bytes);
    this.#queuedBytes += message.bytes.length + 1;
    if (!this.#flushing && !this.#blocked) {
      this.#flushing = true;
      process.nextTick(() => {
        this.#flushing = false;
        this.#flush();
      });
    }
    if (this.#ended && this.#open <= 0) void this.close();
    return waiting + message.bytes.length < softQueueBytes;
  }

  drained(): Promise<void> {
    if (this.#isBelowMark()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  pause(): void {
    this.#paused = true;
    this.#options.input.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    process.nextTick(() => this.#deliver());
  }

  close(reason: CloseReason = DONE): Promise<void> {
    this.#closing ??= this.#end(reason);
    return this.#closing;
  }

  #arrived(read: Message | Fault): void {
    if (this.#closing !== undefined) return;
    this.#inbox.push(read);
    this.#deliver();
  }

  #deliver(): void {
    if (this.#delivering || this.#handlers === undefined) return;
    this.#delivering = true;
    try {
      while (!this.#paused && this.#closing === undefined) {
        const read = this.#inbox.shift();
        if (read === undefined) break;
        this.#hand(read);
      }
    } finally {
      this.#delivering = false;
    }
    if (this.#paused || this.#inbox.length > 0 || this.#closing !== undefined) return;
    if (this.#ended) this.#afterEnd();
    else if (this.#options.input.isPaused()) this.#options.input.resume();
  }

  #hand(read: Message | Fault): void {
    const { onStray } = this.#options;
    if (!isFault(read)) {
      if (read.kind === 'request') this.#open++;
      this.#handlers?.message(read);
    } else if (read.kind === 'unknown' && onStray !== undefined) {
      onStray(read);
    } else {
      this.#handlers?.fault(read);
    }
  }

  #afterEnd(): void {
    const { answersAfterEndMs = 0 } = this.#options;
    if (this.#open <= 0 || answersAfterEndMs === 0) void this.close();
    else setTimeout(() => void this.close(), answersAfterEndMs);
  }

  #flush(): void {
    const { output } = this.#options;
    while (this.#queue.length > 0 && !this.#blocked && output.writable) {
      this.#blocked = !this.#writeSome(output);
    }
    if (this.#isBelowMark()) for (const wake of this.#waiting.splice(0)) wake();
  }

  /** One write: small messages together, or a large one as it is. */
  #writeSome(output: Writable): boolean {
    let count = 0;
    let bytes = 0;
    for (const message of this.#queue) {
      if (count > 0 && bytes + message.length + 1 > GATHER_BYTES) break;
      bytes += message.length + 1;
      count++;
    }
    const batch = this.#queue.splice(0, count);
    this.#queuedBytes -= bytes;
    const [first] = batch;
    if (count === 1 && first !== undefined && bytes > GATHER_BYTES) {
      output.cork();
      output.write(first);
      const goOn = output.write(NEWLINE);
      output.uncork();
      return goOn;
    }
    const joined = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const message of batch) {
      at += message.copy(joined, at);
      joined[at++] = 0x0a;
    }
    return output.write(joined);
  }

  #waitingBytes(): number {
    return this.#queuedBytes + this.#options.output.writableLength;
  }

  #isBelowMark(): boolean {
    return this.#closing !== undefined || this.#waitingBytes() < this.#options.limits.softQueueBytes;
  }

  #broke(error: Error | undefined): void {
    const code = error === undefined ? '' : ` (${(error as NodeJS.ErrnoException).code ?? error.message})`;
    void this.close({ code: 'connection_lost', reason: `the connection to ${this.#name} broke${code}` });
  }

  async #end(reason: CloseReason): Promise<void> {
    const { input, output } = this.#options;
    this.#flush();
    for (const wake of this.#waiting.splice(0)) wake();
    await new Promise<void>((resolve) => {
      if (!output.writable) return resolve();
      const timer = setTimeout(resolve, FLUSH_MS);
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      output.once('close', done).once('error', done);
      output.end(done);
    });
    if (input === (output as unknown)) input.destroy();
    if (!this.#told) this.#handlers?.closed(reason);
    this.#told = true;
  }
}
