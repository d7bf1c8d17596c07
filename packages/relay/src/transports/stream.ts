// Newline-delimited JSON-RPC over a pair of streams: an agent's stdio, a child's pipes, a bare stream on a share.
// In: bytes -> ./line-reader -> ../json-rpc -> handlers; out: messages of one turn -> ./write-queue.
// Invariant: nothing a peer does (EPIPE, reset, garbage, no reading) becomes an uncaught exception or unbounded memory.

import type { Readable, Writable } from 'node:stream';
import { Batches } from '../batches.ts';
import { isFault, longLineFault, readMessage } from '../json-rpc.ts';
import type { Limits } from '../limits.ts';
import type { Fault, Message } from '../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';
import { LineReader } from './line-reader.ts';
import { WriteQueue } from './write-queue.ts';

export interface StreamOptions {
  readonly input: Readable;
  /** May be the same Duplex. */
  readonly output: Writable;
  readonly limits: Pick<
    Limits,
    'messageBytes' | 'jsonDepth' | 'jsonTokens' | 'batchMessages' | 'softQueueBytes' | 'hardQueueBytes'
  >;
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
/** Whoever does not read us any more may still have written: its last words get this long. */
const LAST_WORDS_MS = 1000;

export function streamTransport(options: StreamOptions): Transport {
  return new StreamTransport(options);
}

class StreamTransport implements Transport {
  readonly #options: StreamOptions;
  readonly #name: string;
  readonly #lines: LineReader;
  readonly #queue: WriteQueue;
  readonly #batches: Batches;
  #handlers: TransportHandlers | undefined;
  /** Read, but not delivered: we are paused. At most what one chunk holds. `#next` is the first. */
  #inbox: (Message | Fault)[] = [];
  #next = 0;
  #paused = false;
  #delivering = false;
  #ended = false;
  /** Requests delivered minus responses sent. A cancelled request is never answered: it can only delay the end. */
  #open = 0;
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  /** Why it ended, once all is released. */
  #final: CloseReason | undefined;

  constructor(options: StreamOptions) {
    const { input, output, limits, name = 'the peer' } = options;
    this.#options = options;
    this.#name = name;
    this.#queue = new WriteQueue(output);
    this.#batches = new Batches({
      limits,
      maxHeldBytes: limits.softQueueBytes,
      write: (bytes) => this.#queue.add(bytes),
    });
    this.#lines = new LineReader(limits.messageBytes, {
      onLine: (line) => {
        if (this.#closing !== undefined) return;
        const read = readMessage(line, limits);
        if (isFault(read) && read.code === 'batch' && this.#batches.allowed) {
          for (const part of this.#batches.take(line)) this.#arrived(part);
        } else this.#arrived(read);
      },
      onTooLong: (line) => {
        if (this.#closing === undefined) this.#arrived(longLineFault(line));
      },
    });
    // From now on and for ever: a stream may break before we are started, and after we are closed.
    input.on('error', (error) => this.#broke(error));
    input.on('close', () => {
      if (!this.#ended && !input.readableEnded) this.#broke();
    });
    if (output === (input as unknown)) return;
    output.on('error', (error) => this.#outputBroke(error));
    output.on('close', () => this.#queue.drop());
  }

  start(handlers: TransportHandlers): void {
    if (this.#handlers !== undefined) throw new TypeError('a transport is started once');
    this.#handlers = handlers;
    const { input } = this.#options;
    if (this.#closing !== undefined) {
      void this.#closing.then(() => this.#tell());
    } else if (input.destroyed || input.readableEnded) {
      process.nextTick(() => (input.readableEnded ? this.#inputEnded() : this.#broke(input.errored ?? undefined)));
    } else {
      input.on('data', (chunk: Buffer) => {
        if (this.#closing === undefined) this.#lines.push(chunk);
      });
      input.once('end', () => this.#inputEnded());
      if (this.#paused) input.pause();
      else input.resume();
    }
  }

  send(message: Message): boolean {
    if (this.#closing !== undefined) return true;
    const { softQueueBytes, hardQueueBytes } = this.#options.limits;
    const waiting = this.#queue.bytes;
    // One message always finds room, however large: otherwise it could never leave.
    if (waiting > 0 && waiting + message.bytes.length > hardQueueBytes) {
      const reason = `${this.#name} does not read: ${waiting} bytes are waiting for it`;
      void this.close({ code: 'queue_full', reason });
      return true;
    }
    this.#batches.see(message, false);
    if (!this.#batches.answer(message)) this.#queue.add(message.bytes);
    if (message.kind === 'response' && this.#open > 0) this.#open--;
    if (this.#ended && this.#open === 0 && this.#next === this.#inbox.length) void this.close();
    return this.#queue.bytes < softQueueBytes;
  }

  drained(): Promise<void> {
    return this.#queue.below(this.#options.limits.softQueueBytes);
  }

  pause(): void {
    this.#paused = true;
    if (this.#handlers !== undefined && this.#closing === undefined) this.#options.input.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    // Not from here: whoever resumes does not expect a message before it has returned.
    process.nextTick(() => this.#deliver());
  }

  close(reason: CloseReason = DONE): Promise<void> {
    this.#closing ??= this.#end(reason);
    return this.#closing;
  }

  #arrived(read: Message | Fault): void {
    this.#inbox.push(read);
    this.#deliver();
  }

  #inputEnded(): void {
    this.#lines.end();
    this.#ended = true;
    this.#deliver();
  }

  #deliver(): void {
    if (this.#delivering || this.#handlers === undefined) return;
    this.#delivering = true;
    try {
      while (!this.#paused && this.#closing === undefined) {
        const read = this.#inbox[this.#next];
        if (read === undefined) break;
        this.#next++;
        this.#hand(read);
      }
    } finally {
      this.#delivering = false;
    }
    if (this.#paused || this.#closing !== undefined) return;
    this.#inbox.length = 0;
    this.#next = 0;
    if (this.#ended) this.#afterEnd();
    else if (this.#options.input.isPaused()) this.#options.input.resume();
  }

  #hand(read: Message | Fault): void {
    const { onStray } = this.#options;
    if (!isFault(read)) {
      if (read.kind === 'request') this.#open++;
      this.#batches.see(read, true);
      this.#handlers?.message(read);
    } else if (read.kind === 'unknown' && onStray !== undefined) {
      onStray(read);
    } else {
      this.#handlers?.fault(read);
    }
  }

  #afterEnd(): void {
    const { answersAfterEndMs = 0 } = this.#options;
    if (this.#open === 0 || answersAfterEndMs === 0) void this.close();
    else this.#timer ??= setTimeout(() => void this.close(), answersAfterEndMs);
  }

  #broke(error?: Error): void {
    const why = error === undefined ? '' : ` (${(error as NodeJS.ErrnoException).code ?? error.message})`;
    void this.close({ code: 'connection_lost', reason: `the connection to ${this.#name} broke${why}` });
  }

  /** A child that exits closes its stdin first; what it wrote before still stands in its stdout. */
  #outputBroke(error: Error): void {
    this.#queue.drop();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#paused) this.#outputBroke(error);
      else this.#broke(error);
    }, LAST_WORDS_MS);
  }

  async #end(reason: CloseReason): Promise<void> {
    const { input, output } = this.#options;
    clearTimeout(this.#timer);
    await this.#queue.end(FLUSH_MS);
    if (input === (output as unknown)) {
      input.destroy();
    } else {
      // Read on without looking, so that a child that still talks can end by itself; but nobody lives for that alone.
      input.resume();
      if ('unref' in input && typeof input.unref === 'function') input.unref();
    }
    this.#inbox = [];
    this.#final = reason;
    this.#tell();
  }

  #tell(): void {
    if (this.#final === undefined || this.#handlers === undefined) return;
    const reason = this.#final;
    this.#final = undefined;
    this.#handlers.closed(reason);
  }
}
