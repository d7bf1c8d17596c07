// What the tests of the link share: pairs of connections that can be cut at a byte, a clock that is turned by hand, and
// ends that remember what they got.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect as dialSocket, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, afterEach } from 'node:test';
import { notificationMessage, requestMessage } from '../../src/json-rpc.ts';
import type { Limits } from '../../src/limits.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Clock } from '../../src/link/clock.ts';
import { type DialLinkOptions, dialLink, type LinkDialer } from '../../src/link/dialer.ts';
import { LinkHost, type LinkHostOptions } from '../../src/link/host.ts';
import type { HostLink } from '../../src/link/hosted-link.ts';
import type { Link } from '../../src/link/link.ts';
import type { Fault, Message } from '../../src/message.ts';
import type { CloseReason } from '../../src/transport.ts';

// Memory pairs and background timers keep no process alive; a test that waits for them does.
const awake = setInterval(() => {}, 1000);
after(() => clearInterval(awake));

/** Hosts and dialers of the running test; a test that fails must not leave one redialing. */
const open = new Set<{ close(): Promise<void> }>();
afterEach(async () => {
  const closing = Promise.all([...open].map((end) => end.close()));
  open.clear();
  // Nobody waits for peers that were spoken by hand.
  for (const end of ends) end.destroy();
  ends.clear();
  await closing;
});

const ends = new Set<Duplex>();

export function tracked<T extends { close(): Promise<void> }>(end: T): T {
  open.add(end);
  return end;
}

export const SESSION = '0123456789abcdef0123456789abcdef';

export interface Cut {
  /** Bytes that may still pass from the first end to the second, and back. */
  readonly there?: number;
  readonly back?: number;
  /** How the connection dies: both ends see an orderly end, or an error. */
  readonly how?: 'end' | 'reset';
  /** Pieces of this size. */
  readonly pieceBytes?: number;
}

/** Two ends of one connection in memory, with back-pressure, that dies after so many bytes. */
export function duplexPair(cut: Cut = {}): [MemoryEnd, MemoryEnd] {
  const a = new MemoryEnd(cut.there, cut);
  const b = new MemoryEnd(cut.back, cut);
  a.other = b;
  b.other = a;
  ends.add(a).add(b);
  return [a, b];
}

export class MemoryEnd extends Duplex {
  other: MemoryEnd | undefined;
  /** Bytes that left this end. */
  passed = 0;
  /** While set, nothing arrives at the other end and nobody is told: a cable that was pulled. */
  silent = false;
  #left: number;
  readonly #cut: Cut;
  #resume: (() => void) | undefined;

  constructor(left: number | undefined, cut: Cut) {
    super({ allowHalfOpen: true, readableHighWaterMark: 4096, writableHighWaterMark: 4096 });
    this.#left = left ?? Number.POSITIVE_INFINITY;
    this.#cut = cut;
  }

  /** Both ends see the connection die now. */
  die(how: Cut['how'] = this.#cut.how): void {
    for (const end of [this, this.other]) {
      if (!end || end.destroyed) continue;
      if (how === 'reset') end.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
      else if (!end.readableEnded) end.push(null);
    }
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.silent) return;
    const { other } = this;
    const piece = chunk.subarray(0, Math.min(chunk.length, this.#left, this.#cut.pieceBytes ?? chunk.length));
    this.#left -= piece.length;
    this.passed += piece.length;
    const pushed =
      piece.length === 0 || (other && !other.readableEnded && !other.destroyed ? other.push(Buffer.from(piece)) : true);
    if (this.#left === 0) {
      // What arrived is read before the end is seen, as on a socket.
      setImmediate(() => this.die());
      return;
    }
    const next = (): void => {
      if (piece.length < chunk.length) this._write(chunk.subarray(piece.length), 'buffer', done);
      else done();
    };
    if (pushed) setImmediate(next);
    else if (other) other.#resume = next;
  }

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.silent && this.other && !this.other.destroyed && !this.other.readableEnded) this.other.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { other } = this;
    if (!this.silent && other && !other.destroyed && !other.silent) {
      setImmediate(() => {
        if (!other.destroyed && !other.readableEnded) other.push(null);
      });
    }
    done(error);
  }
}

/** Time that passes when it is told to. */
export class HandClock implements Clock {
  #now = 0;
  #timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Lets time pass, timer by timer; after each, everything that follows in memory happens first. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settle();
    }
    this.#now = until;
  }
}

/** Everything that memory pairs have under way has arrived. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** An end that remembers. `upTo` waits for an event, never for time. */
export class Recorder {
  readonly texts: string[] = [];
  readonly messages: Message[] = [];
  readonly faults: Fault[] = [];
  readonly closed: Promise<CloseReason>;
  closedWith: CloseReason | undefined;
  #waiting: { count: number; resolve: () => void }[] = [];
  #onClosed: (reason: CloseReason) => void = () => {};
  onMessage: (message: Message) => void = () => {};

  constructor(link?: Link) {
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve;
    });
    if (link) this.listen(link);
  }

  listen(link: Link): this {
    link.start({
      message: (message) => {
        if (this.closedWith) throw new Error('a message after the end');
        this.messages.push(message);
        this.texts.push(textOf(message));
        this.onMessage(message);
        this.#wake();
      },
      fault: (fault) => {
        this.faults.push(fault);
        this.#wake();
      },
      closed: (reason) => {
        if (this.closedWith) throw new Error('closed twice');
        this.closedWith = reason;
        this.#onClosed(reason);
        this.#wake();
      },
    });
    return this;
  }

  /** Resolves when so many messages and faults came. */
  async upTo(count: number): Promise<void> {
    if (this.texts.length + this.faults.length >= count) return;
    await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
  }

  #wake(): void {
    const due = this.#waiting.filter(({ count }) => this.texts.length + this.faults.length >= count);
    this.#waiting = this.#waiting.filter((waiting) => !due.includes(waiting));
    for (const { resolve } of due) resolve();
  }
}

/** A message in short: its call number and the text it was made with. */
export function textOf({ call, bytes }: Message): string {
  const { params } = JSON.parse(bytes.toString('utf8')) as { params?: { text: string } };
  const text = params?.text ?? '';
  return call === undefined ? text : `@${call} ${text}`;
}

export function note(text: string): Message {
  return notificationMessage('note', { text });
}

export function call(number: number, text: string): Message {
  return requestMessage(String(number), 'tools/call', { text }, number);
}

export interface Stage {
  readonly host: LinkHost;
  /** Every link that was opened, in order, and what it got. */
  readonly hosted: { link: HostLink; recorder: Recorder }[];
  /** Connections made so far, the dialer's ends. */
  readonly connections: MemoryEnd[];
  dial(options?: Partial<DialLinkOptions>): LinkDialer;
  opened(count: number): Promise<void>;
}

export interface StageOptions {
  readonly host?: Partial<LinkHostOptions>;
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  /** How the n-th connection dies. */
  readonly cuts?: readonly Cut[];
  /** Used for each connection beyond `cuts`. */
  readonly cut?: Cut;
  /** Bytes in front of the host: `recognise` is not part of these tests. */
  readonly onLink?: (link: HostLink, recorder: Recorder) => void;
}

/** A host and dialers in memory. */
export function stage(options: StageOptions = {}): Stage {
  const limits = { ...LIMITS, ...options.limits };
  const clock = options.clock;
  const hosted: Stage['hosted'] = [];
  const connections: MemoryEnd[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  const host = tracked(
    new LinkHost({
      by: 'host/1',
      judge: () => ({ principal: { id: 'owner' } }),
      limits,
      ...(clock && { clock }),
      onLink: (link) => {
        const recorder = new Recorder();
        hosted.push({ link, recorder });
        recorder.listen(link);
        options.onLink?.(link, recorder);
        for (const { count, resolve } of waiting) if (hosted.length >= count) resolve();
      },
      ...options.host,
    }),
  );
  return {
    host,
    hosted,
    connections,
    dial: (more = {}) =>
      tracked(
        dialLink({
          connect: async () => {
            const [near, far] = duplexPair(options.cuts?.[connections.length] ?? options.cut);
            connections.push(near);
            host.accept(far);
            return near;
          },
          session: SESSION,
          by: 'dialer/1',
          limits,
          ...(clock && { clock }),
          backoff: { minMs: 0, maxMs: 0 },
          ...more,
        }),
      ),
    opened: (count) => {
      if (hosted.length >= count) return Promise.resolve();
      return new Promise<void>((resolve) => waiting.push({ count, resolve }));
    },
  };
}

/** A host on a real Unix socket; each connection can be destroyed from here. */
export async function socketStage(
  host: LinkHost,
): Promise<AsyncDisposable & { connect(): Promise<Socket>; readonly accepted: Socket[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'link-'));
  const path = join(folder, 's');
  const accepted: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    accepted.push(socket);
    host.accept(socket);
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    accepted,
    connect: async () => {
      const socket = dialSocket({ path, allowHalfOpen: true });
      await once(socket, 'connect');
      return socket;
    },
    [Symbol.asyncDispose]: async () => {
      await host.close();
      for (const socket of accepted) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
}

/** The other end spoken by hand, line by line. */
export class Raw {
  readonly end: Duplex;
  #lines: (string | null)[] = [];
  #wanted: ((line: string | null) => void)[] = [];
  #partial = '';

  constructor(end: Duplex) {
    this.end = end;
    end.on('error', () => {});
    end.on('data', (chunk: Buffer) => {
      this.#partial += chunk.toString('utf8');
      const lines = this.#partial.split('\n');
      this.#partial = lines.pop() ?? '';
      for (const line of lines) this.#give(line);
    });
    end.on('end', () => this.#give(null));
    end.on('close', () => this.#give(null));
  }

  write(...lines: string[]): void {
    if (!this.end.destroyed && !this.end.writableEnded) this.end.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** The next line; null when the connection ended. */
  line(): Promise<string | null> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    return new Promise((resolve) => this.#wanted.push(resolve));
  }

  /** The JSON of the next line behind its first word(s). */
  async json(prefix: string): Promise<Record<string, unknown>> {
    const line = await this.line();
    if (!line?.startsWith(prefix)) throw new Error(`expected ${prefix} …, got ${line}`);
    return JSON.parse(line.slice(prefix.length)) as Record<string, unknown>;
  }

  #give(line: string | null): void {
    const wanted = this.#wanted.shift();
    if (wanted) wanted(line);
    else this.#lines.push(line);
  }
}

export function hello(more: Record<string, unknown> = {}): string {
  return `MCP-LINK/1 ${JSON.stringify({ link: null, got: 0, session: SESSION, by: 'raw/1', ...more })}`;
}

/** A dialer spoken by hand. */
export function rawDial(host: LinkHost): Raw {
  const [near, far] = duplexPair();
  host.accept(far);
  return new Raw(near);
}

export const WELCOME = 'MCP-LINK/1 ';
