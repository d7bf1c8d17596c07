// A server that runs each call with a key at most once: stands between whoever serves a client and the steady session of a
// server that this process owns. A key that comes again gets what its first asking got: the running call's answer, the
// stored one, or the truth that nobody knows. Calls without a key pass untouched.

import { crc32 } from 'node:zlib';
import { outcomeUnknown, type RpcErrorName } from '../errors.ts';
import { stringifyExact } from '../json-exact.ts';
import { memberAt } from '../json-members.ts';
import { errorMessage, isFault, notificationMessage, parseMessage, readMessage, withId } from '../json-rpc.ts';
import type { Message } from '../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';
import { type CallKey, callKey } from './key.ts';
import type { Found, Ledger, Run, Waiter } from './ledger.ts';
import { ONCE_LIMITS } from './limits.ts';
import { signed } from './record.ts';

export interface OnceOptions {
  readonly server: Transport;
  readonly ledger: Ledger;
  /** What keys of this client begin with (./key.ts callSession). */
  readonly session: string;
  /** Who runs it, in messages to people: `backend fs`. */
  readonly name: string;
  readonly facts?: Readonly<Record<string, unknown>>;
  /** Tools that the operator lets run again where nobody knows how they ended. */
  readonly mayRunTwice?: ((tool: string) => boolean) | undefined;
  /** The server is a host that does all this itself: then keys are its business. */
  readonly keepsOutcomes?: (() => boolean) | undefined;
}

/** One asking of ours. */
interface Asked {
  readonly message: Message;
  readonly run: Run;
  readonly waiter: Waiter;
  /** We sent it to our server; else it runs by another's asking. */
  readonly own: boolean;
  sent: boolean;
  again: number;
}

/** Errors of our own making that say so: it never reached the server. */
const NOT_RUN: ReadonlySet<RpcErrorName | undefined> = new Set<RpcErrorName>([
  'backend_unavailable',
  'share_unreachable',
  'busy',
  'ending',
  'invalid_request',
  'ledger_unavailable',
]);
/** How often a tool that may run twice is run again for one asking. */
const MOST_AGAIN = 2;
/** What an asking costs, whatever is kept of it. */
const ASKING_BYTES = 4096;
const NONE = Buffer.alloc(0);
/** What was stored had passed every limit. */
const NO_LIMITS = { jsonDepth: Number.MAX_SAFE_INTEGER, jsonTokens: Number.MAX_SAFE_INTEGER };

export class OnceSession implements Transport {
  readonly #o: OnceOptions;
  readonly #asked = new Map<string, Asked>();
  #handlers: TransportHandlers | undefined;
  #paused = false;
  #full = false;
  #closed = false;
  /** Bytes charged for askings that the server does not hear of. */
  #beside = 0;
  /** Stored answers that wait until they are taken; each is read only then. */
  #waiting: (() => void)[] = [];

  constructor(options: OnceOptions) {
    this.#o = options;
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#o.server.start({
      message: (message) => this.#fromServer(message),
      fault: (fault) => handlers.fault(fault),
      closed: (reason) => void this.#over(reason),
    });
  }

  send(message: Message): boolean {
    if (this.#closed) return true;
    const { id = 'null' } = message;
    // A second one under an id that is open would take the first one's answer, or its refusal would end the first.
    if (message.kind === 'request' && this.#asked.has(id)) {
      this.#soon(() => this.#deliver(inUse(id)));
      return !this.#full;
    }
    if (message.kind === 'request' && message.call !== undefined && this.#o.keepsOutcomes?.() !== true) {
      this.#ask(message, message.call);
      return !this.#full;
    }
    if (message.method === 'notifications/cancelled' && this.#asked.size > 0 && this.#cancelled(message)) return true;
    return this.#o.server.send(message);
  }

  drained(): Promise<void> {
    return this.#o.server.drained();
  }

  pause(): void {
    this.#paused = true;
    this.#o.server.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#o.server.resume();
    queueMicrotask(() => this.#flush());
  }

  async close(reason: CloseReason = DONE): Promise<void> {
    await this.#o.server.close(reason);
    // Whoever ends a session on purpose asks no more.
    if (reason.code === 'done') this.#o.ledger.end(this.#o.session);
  }

  async #over(reason: CloseReason): Promise<void> {
    // Answers that wait for the disk are on their way.
    if (this.#o.ledger.waits) await this.#o.ledger.settled();
    this.#leave(reason.reason);
    this.#closed = true;
    this.#handlers?.closed(reason);
  }

  // --- asking ---------------------------------------------------------------------------------------------------------

  #ask(message: Message, number: number): void {
    const key = callKey(this.#o.session, number);
    const digest = digestOf(message);
    const found = this.#o.ledger.find(key, digest);
    if (found.is === 'new') this.#run(message, key, digest);
    else if (found.is === 'unknown' && this.#mayRunTwice(message)) this.#run(message, key, digest);
    else this.#askBeside(message, key, digest, found);
  }

  /** Its server does not hear of it. */
  #askBeside(message: Message, key: CallKey, digest: number, found: Exclude<Found, { is: 'new' }>): void {
    // Asked of the server only if it did not run elsewhere: all others need no more than their id.
    const kept = found.is === 'elsewhere' ? message : { ...message, bytes: NONE };
    const charge = ASKING_BYTES + kept.bytes.length;
    if (this.#beside + charge > ONCE_LIMITS.askingBytes) {
      queueMicrotask(() =>
        this.#deliver(this.#unknown(message.id ?? 'null', key, 'too much that was asked waits here')),
      );
      return;
    }
    this.#beside += charge;
    if (found.is === 'running') this.#attach(kept, found.run);
    else if (found.is !== 'done') this.#soon(() => this.#answer(kept, key, found));
    else {
      // Not kept while it waits: it is read when it is taken.
      this.#soon(() => {
        const now = this.#o.ledger.find(key, digest);
        if (now.is === 'running') this.#attach(kept, now.run);
        else this.#answer(kept, key, now.is === 'new' ? { is: 'unknown', why: 'it is not kept', digest } : now);
      });
    }
  }

  #run(message: Message, key: CallKey, digest: number): void {
    const id = message.id ?? 'null';
    if (this.#asked.has(id)) {
      this.#soon(() => this.#deliver(inUse(id)));
      return;
    }
    let run: Run;
    try {
      run = this.#o.ledger.start(key, digest);
    } catch (error) {
      this.#soon(() => this.#deliver(this.#refused(id, error)));
      return;
    }
    const asked: Asked = { message, run, waiter: this.#waiterOf(id, key), own: true, sent: false, again: 0 };
    run.waiters.add(asked.waiter);
    run.cancel = (said) => this.#cancelRun(id, asked, said);
    this.#asked.set(id, asked);
    if (run.safe === undefined) this.#sendOn(asked);
    else {
      run.safe.then(
        () => this.#sendOn(asked),
        (error: unknown) => {
          for (const tell of run.waiters) tell(this.#refused(id, error));
        },
      );
    }
  }

  #sendOn(asked: Asked): void {
    // It may have been taken back while its start was on the way to the disk.
    if (this.#asked.get(asked.message.id ?? 'null') !== asked || this.#closed) {
      this.#o.ledger.notRun(asked.run, undefined);
      return;
    }
    asked.sent = true;
    if (this.#o.server.send(asked.message)) return;
    this.#full = true;
    void this.#o.server.drained().then(() => {
      this.#full = false;
    });
  }

  #attach(message: Message, run: Run): void {
    const id = message.id ?? 'null';
    if (this.#asked.has(id)) {
      this.#beside -= ASKING_BYTES;
      this.#soon(() => this.#deliver(inUse(id)));
      return;
    }
    const waiter = this.#waiterOf(id, run.key);
    run.waiters.add(waiter);
    this.#asked.set(id, { message, run, waiter, own: false, sent: true, again: 0 });
  }

  #answer(message: Message, key: CallKey, found: Exclude<Found, { is: 'new' | 'running' }>): void {
    const id = message.id ?? 'null';
    const charge = ASKING_BYTES + message.bytes.length;
    if (found.is !== 'elsewhere') this.#beside -= charge;
    switch (found.is) {
      case 'done':
        this.#deliver(this.#stored(id, key, found.bytes));
        break;
      case 'unknown':
        this.#deliver(this.#unknown(id, key, found.why));
        break;
      case 'other':
        this.#deliver(errorMessage(id, 'invalid_request', `the key ${shown(key)} belongs to another call`));
        break;
      case 'elsewhere':
        void found.ended.then(({ state, bytes }) => {
          this.#beside -= charge;
          if (state === 'done' && bytes !== undefined) this.#deliver(this.#stored(id, key, bytes));
          else if (state === 'not run') this.#ask(message, key.number);
          else this.#deliver(this.#unknown(id, key, bytes?.toString('utf8') ?? 'the process that ran it is gone'));
        });
    }
  }

  // --- answers --------------------------------------------------------------------------------------------------------

  #fromServer(message: Message): void {
    const asked = message.kind === 'response' ? this.#asked.get(message.id ?? 'null') : undefined;
    if (asked === undefined || !asked.own) {
      this.#handlers?.message(message);
      return;
    }
    const { ledger } = this.#o;
    if (message.ours === 'outcome_unknown' && this.#runAgain(asked)) return;
    // Its own asking may have been taken back, and then nobody tells us.
    if (!asked.run.waiters.has(asked.waiter)) this.#asked.delete(message.id ?? 'null');
    if (NOT_RUN.has(message.ours)) ledger.notRun(asked.run, message);
    else if (message.ours !== 'outcome_unknown') ledger.settle(asked.run, 'done', message.bytes, message);
    else ledger.settle(asked.run, 'unknown', wordsOf(message), message);
  }

  #runAgain(asked: Asked): boolean {
    if (this.#closed || asked.again >= MOST_AGAIN || !this.#mayRunTwice(asked.message)) return false;
    asked.again += 1;
    queueMicrotask(() => this.#sendOn(asked));
    return true;
  }

  #waiterOf(id: string, key: CallKey): Waiter {
    return (answer) => {
      this.#forget(id);
      this.#deliver(answer === undefined ? this.#unknown(id, key, 'its end was not seen') : withId(answer, id));
    };
  }

  #forget(id: string): void {
    if (this.#asked.get(id)?.own === false) this.#beside -= ASKING_BYTES;
    this.#asked.delete(id);
  }

  #stored(id: string, key: CallKey, bytes: Buffer): Message {
    const read = readMessage(bytes, NO_LIMITS);
    return isFault(read) ? this.#unknown(id, key, 'its outcome cannot be read any more') : withId(read, id);
  }

  #unknown(id: string, key: CallKey, why: string): Message {
    const text = outcomeUnknown(`the call ${shown(key)} was begun at ${this.#o.name} before: ${why}`);
    return errorMessage(id, 'outcome_unknown', text, { ...this.#o.facts, key: shown(key) });
  }

  #refused(id: string, error: unknown): Message {
    const { message, hint = '' } = error as { message: string; hint?: string };
    const text = `${message}, so this call was not run (${hint})`;
    return errorMessage(id, 'ledger_unavailable', text, { ...this.#o.facts, ran: false });
  }

  #mayRunTwice(message: Message): boolean {
    const { mayRunTwice } = this.#o;
    if (mayRunTwice === undefined || message.method !== 'tools/call') return false;
    const { params } = parseMessage(message) as { params?: { name?: unknown } };
    return typeof params?.name === 'string' && mayRunTwice(params.name);
  }

  #deliver(message: Message): void {
    if (!this.#closed) this.#handlers?.message(message);
  }

  /** Not from inside `send`, and not while nothing is taken. */
  #soon(deliver: () => void): void {
    this.#waiting.push(deliver);
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    while (!this.#paused && !this.#closed) {
      const deliver = this.#waiting.shift();
      if (deliver === undefined) return;
      deliver();
    }
  }

  // --- taken back -----------------------------------------------------------------------------------------------------

  /** true: the server need not hear of it. */
  #cancelled(message: Message): boolean {
    const { params } = parseMessage(message) as { params?: { requestId?: unknown; reason?: unknown } };
    const id = stringifyExact(params?.requestId ?? null);
    const asked = this.#asked.get(id);
    if (asked === undefined) return false;
    this.#forget(id);
    asked.run.waiters.delete(asked.waiter);
    if (asked.run.waiters.size > 0) {
      // Somebody else still wants it, and its answer comes to us.
      if (asked.own) this.#asked.set(id, asked);
      return true;
    }
    asked.run.cancel?.(typeof params?.reason === 'string' ? params.reason : undefined);
    return true;
  }

  #cancelRun(id: string, asked: Asked, reason: string | undefined): void {
    this.#asked.delete(id);
    if (!asked.sent) {
      this.#o.ledger.notRun(asked.run, undefined);
      return;
    }
    this.#o.ledger.settle(asked.run, 'unknown', CANCELLED, undefined);
    const said = reason === undefined ? {} : { reason };
    this.#o.server.send(notificationMessage('notifications/cancelled', { requestId: rawIdOf(asked.message), ...said }));
  }

  /** What is still open of ours ends here; what others run is theirs. */
  #leave(reason: string): void {
    for (const { own, run, waiter } of [...this.#asked.values()]) {
      if (own) this.#o.ledger.settle(run, 'unknown', Buffer.from(reason), undefined);
      else run.waiters.delete(waiter);
    }
    this.#asked.clear();
    this.#waiting = [];
  }
}

const CANCELLED = Buffer.from('it was taken back by who had asked for it');

/** Method, tool and arguments: what a repeated asking has in common, whatever stood between changed in its envelope. */
function digestOf({ bytes, method = '' }: Message): number {
  let sum = crc32(method);
  if (method !== 'tools/call') return signed(sum);
  const params = memberAt(bytes, bytes.indexOf(OPEN_OBJECT), 'params');
  if (params === undefined || bytes[params.start] !== OPEN_OBJECT) return signed(sum);
  for (const member of ['name', 'arguments']) {
    const span = memberAt(bytes, params.start, member);
    sum = crc32(span === undefined ? member : bytes.subarray(span.start, span.end), sum);
  }
  return signed(sum);
}

const OPEN_OBJECT = 0x7b;

/** As it is told to people: enough to ask about it, and not the whole secret-looking hash. */
function shown({ session, number }: CallKey): string {
  return `${session.slice(0, 8)}:${number}`;
}

function inUse(id: string): Message {
  return errorMessage(id, 'invalid_request', `request id ${id} is already in use`);
}

function rawIdOf(message: Message): unknown {
  return parseMessage(message).id;
}

/** Why it is unknown, without the words that are always around it. */
function wordsOf(message: Message): Buffer {
  const { error } = parseMessage(message) as { error?: { message?: string } };
  const text = error?.message ?? '';
  return Buffer.from(text.replace(/^outcome unknown: /, '').replace(/; it may or may not have run.*$/s, ''));
}
