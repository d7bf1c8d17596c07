// A Streamable HTTP session as the transport of one client: each request's answer travels on the stream of its POST, what
// belongs to no call on the stream of a GET (./event-stream). ./server.ts checks requests and hands them in here.
// Invariant: every message goes to exactly one stream; a connection that breaks cancels nothing.

import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { BATCH_VERSION } from '../../batches.ts';
import { outcomeUnknown } from '../../errors.ts';
import { stringifyExact } from '../../json-exact.ts';
import { errorMessage, parseMessage } from '../../json-rpc.ts';
import type { Limits } from '../../limits.ts';
import type { Message } from '../../message.ts';
import { isRepeatable } from '../../methods.ts';
import type { CloseReason } from '../../transport.ts';
import { EventStream, readEventId } from './event-stream.ts';
import { HttpSession } from './session.ts';
import { type HttpLog, PRIMED_VERSION, SESSION_HEADER } from './wire.ts';

/** How long an ended or broken stream can be taken up again. */
const RESUMABLE_MS = 60_000;
/** Ended streams kept for it: a client that missed an answer is back before this many later calls. */
const ENDED_STREAMS = 256;
/** GET streams of one session; the oldest goes. A client needs one, and a second while the first is a dead connection. */
const LISTENERS = 4;
/** Messages that wait for a GET when no stream can take them. */
const HOMELESS_MESSAGES = 256;
const HOMELESS_BYTES = 1024 * 1024;

export interface StreamableSessionOptions {
  readonly limits: Limits;
  readonly log: HttpLog;
  readonly jsonResponse: boolean;
  readonly onClosed: (session: StreamableSession) => void;
  readonly now?: () => number;
}

interface OpenCall {
  readonly stream: EventStream;
  /** Calls whose answers the stream still waits for: those of one POST. */
  readonly post: { open: number };
  readonly method: string;
  readonly token: string | undefined;
}

export class StreamableSession extends HttpSession {
  /** 128 bits from the system: whoever knows it can take part in the session. */
  readonly id = randomBytes(16).toString('hex');
  readonly #options: StreamableSessionOptions;
  readonly #now: () => number;
  readonly #streams = new Map<string, EventStream>();
  readonly #listeners: EventStream[] = [];
  readonly #calls = new Map<string, OpenCall>();
  readonly #tokens = new Map<string, EventStream>();
  #homeless: Message[] = [];
  #homelessBytes = 0;
  #initializeId: string | undefined;
  #version = '';
  #count = 0;
  #lastUse: number;

  constructor(options: StreamableSessionOptions) {
    super(options.limits, () => {
      this.#lastUse = this.#now();
    });
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#lastUse = this.#now();
  }

  // --- the client's side: requests that ./server.ts has checked ---------------------------------------------------

  /** Since when no connection is open; undefined while one is. */
  get idleSince(): number | undefined {
    return this.outflow.responses.size > 0 ? undefined : this.#lastUse;
  }

  has(id: string): boolean {
    return this.#calls.has(id);
  }

  /** Whether this client's revision has batches. */
  get batches(): boolean {
    return this.#version === BATCH_VERSION;
  }

  get full(): boolean {
    return this.#calls.size >= this.#options.limits.callsPerSession + this.#options.limits.callsQueued;
  }

  /** A request, or the messages of a batch: `response` becomes the stream of their answers. */
  request(messages: readonly Message[], response: ServerResponse, version: string | undefined): void {
    const [{ id = 'null', method = '' } = {} as Partial<Message>] = messages;
    const initialize = method === 'initialize';
    if (initialize) {
      this.#initializeId = id;
      this.#version = versionAskedFor(messages[0] as Message);
    }
    const stream = this.#newStream('c', version ?? this.#version);
    const requests = messages.filter(({ kind }) => kind === 'request');
    const post = { open: requests.length };
    for (const request of requests) {
      const token = progressTokenOf(request);
      this.#calls.set(request.id ?? 'null', { stream, post, method: request.method ?? '', token });
      if (token !== undefined) this.#tokens.set(token, stream);
    }
    this.outflow.add(response);
    stream.open(response, { wait: initialize, json: this.#options.jsonResponse && messages.length === 1 });
    for (const message of messages) {
      if (message.kind === 'request') this.inbox.push(message);
      else this.accept(message);
    }
  }

  /** A notification, or the answer to a request of the server. */
  accept(message: Message): void {
    this.#lastUse = this.#now();
    if (message.method === 'notifications/cancelled') this.#takenBack(message);
    this.inbox.push(message);
  }

  /** A GET. false: the stream its client wants to take up is gone. */
  listen(response: ServerResponse, lastEventId: string | undefined, version: string | undefined): boolean {
    const last = lastEventId === undefined ? undefined : readEventId(lastEventId);
    const known = last === undefined ? undefined : this.#streams.get(last.stream);
    // A call's answer comes on its own stream only: a new one would leave the client waiting for ever.
    if (lastEventId !== undefined && known === undefined && last?.stream.startsWith('g') !== true) return false;
    this.outflow.add(response);
    if (known !== undefined && last !== undefined) {
      known.resume(response, last.sequence);
      if (known.name.startsWith('g')) this.#listenWith(known);
      return true;
    }
    const stream = this.#newStream('g', version ?? this.#version);
    stream.open(response, { wait: false, json: false });
    this.#listenWith(stream);
    return true;
  }

  keepAlive(): void {
    this.#sweep();
    for (const stream of this.#streams.values()) stream.keepAlive();
  }

  // --- the owner's side -------------------------------------------------------------------------------------------

  override send(message: Message): boolean {
    if (this.ended) return true;
    if (message.kind === 'response') this.#answer(message);
    else this.#pass(message);
    return this.flow();
  }

  // --- which stream -----------------------------------------------------------------------------------------------

  #answer(message: Message): void {
    const id = message.id ?? 'null';
    const call = this.#calls.get(id);
    if (call === undefined) {
      this.#options.log.debug({ id }, 'answer to no open request dropped');
      return;
    }
    this.#settle(id, call);
    if (id === this.#initializeId) this.#initialized(message, call.stream);
    this.#last(call, message);
    this.#sweep();
  }

  /** Its answer, with which the stream ends unless others are still to come. */
  #last({ stream, post }: OpenCall, message: Message): void {
    post.open -= 1;
    if (post.open === 0) stream.finish(message);
    else stream.write(message);
  }

  /** No server answers it any more, but its stream would stay open, and a client comes back to one that only ends. */
  #takenBack(cancelled: Message): void {
    const { params } = parseMessage(cancelled) as { params?: { requestId?: unknown } | null };
    const id = stringifyExact(params?.requestId ?? null);
    const call = this.#calls.get(id);
    // MCP: initialize cannot be cancelled.
    if (call === undefined || call.method === 'initialize') return;
    this.#settle(id, call);
    this.#last(call, errorMessage(id, 'internal_error', 'the client took this request back'));
    this.#sweep();
  }

  /** A session id belongs on an InitializeResult only; a refused `initialize` leaves no session. */
  #initialized(message: Message, stream: EventStream): void {
    this.#initializeId = undefined;
    const { result } = parseMessage(message) as { result?: { protocolVersion?: unknown } | null };
    if (typeof result !== 'object' || result === null) {
      queueMicrotask(() => void this.end({ code: 'done', reason: 'initialize was refused' }));
      return;
    }
    if (typeof result.protocolVersion === 'string') this.#version = result.protocolVersion;
    stream.setHeaders({ [SESSION_HEADER]: this.id });
  }

  #pass(message: Message): void {
    const stream = this.#streamOf(message);
    if (stream !== undefined) stream.write(message);
    else this.#keepForListener(message);
  }

  /** On stdio nothing says which call a server's request belongs to. Progress says it by its token; what servers send in
   *  the course of a call belongs to the only open one. The rest goes to the listener, which exists for it. */
  #streamOf(message: Message): EventStream | undefined {
    if (message.method === 'notifications/progress') {
      const token = tokenText((parseMessage(message) as ProgressParams).params?.progressToken);
      const stream = token === undefined ? undefined : this.#tokens.get(token);
      if (stream !== undefined) return stream;
    }
    const calls = [...this.#calls.values()].filter(({ method }) => method !== 'initialize');
    const [only] = calls;
    if (only !== undefined && calls.length === 1 && isPartOfCalls(message)) return only.stream;
    const listener = this.#listeners.findLast((stream) => stream.connected);
    return listener ?? calls.findLast(({ stream }) => stream.connected)?.stream;
  }

  #keepForListener(message: Message): void {
    this.#homeless.push(message);
    this.#homelessBytes += message.bytes.length;
    while (this.#homeless.length > HOMELESS_MESSAGES || this.#homelessBytes > HOMELESS_BYTES) {
      const dropped = this.#homeless.shift();
      if (dropped === undefined) return;
      this.#homelessBytes -= dropped.bytes.length;
      this.#options.log.warn({ method: dropped.method }, 'message dropped, the client has no stream open');
      if (dropped.kind !== 'request' || dropped.id === undefined) continue;
      const text = 'the client has no stream open that could carry this request';
      this.inbox.pushSoon(errorMessage(dropped.id, 'internal_error', text));
    }
  }

  #listenWith(stream: EventStream): void {
    const at = this.#listeners.indexOf(stream);
    if (at >= 0) this.#listeners.splice(at, 1);
    this.#listeners.push(stream);
    if (this.#listeners.length > LISTENERS) this.#listeners.shift()?.end();
    const waiting = this.#homeless;
    this.#homeless = [];
    this.#homelessBytes = 0;
    for (const message of waiting) stream.write(message);
  }

  // --- the life of streams ----------------------------------------------------------------------------------------

  #newStream(kind: 'c' | 'g', version: string): EventStream {
    this.#count += 1;
    const primed = version >= PRIMED_VERSION;
    const stream = new EventStream({ name: `${kind}${this.#count}`, primed, headers: {}, now: this.#now });
    this.#streams.set(stream.name, stream);
    return stream;
  }

  #settle(id: string, call: OpenCall): void {
    this.#calls.delete(id);
    if (call.token !== undefined && this.#tokens.get(call.token) === call.stream) this.#tokens.delete(call.token);
  }

  /** Forgets streams that nobody will take up again: the too old, the too many, and beyond a byte budget the oldest. */
  #sweep(): void {
    const tooOld = this.#now() - RESUMABLE_MS;
    let ended = 0;
    let bytes = 0;
    for (const stream of [...this.#streams.values()].reverse()) {
      bytes += stream.keptBytes;
      if (stream.connected) continue;
      const over = bytes > this.#options.limits.hardQueueBytes;
      const gone = (stream.lostAt ?? Number.POSITIVE_INFINITY) < tooOld;
      if (stream.ended || stream.name.startsWith('g')) {
        ended += 1;
        if (gone || over || ended > ENDED_STREAMS) this.#forget(stream);
      } else if (over) {
        stream.forget();
      }
    }
  }

  #forget(stream: EventStream): void {
    this.#streams.delete(stream.name);
    const at = this.#listeners.indexOf(stream);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  protected override finish(reason: CloseReason): void {
    this.#options.onClosed(this);
    for (const [id, call] of this.#calls) {
      const what = `the session ended while this request was open: ${reason.reason}`;
      this.#last(
        call,
        isRepeatable(call.method)
          ? errorMessage(id, 'backend_unavailable', what)
          : errorMessage(id, 'outcome_unknown', outcomeUnknown(what)),
      );
    }
    this.#calls.clear();
    for (const stream of this.#streams.values()) stream.end();
    this.#streams.clear();
  }
}

interface ProgressParams {
  readonly params?: { readonly progressToken?: unknown };
}

/** Requests to the client and log lines come, on nearly every server, out of a running call. */
function isPartOfCalls(message: Message): boolean {
  return (
    message.kind === 'request' ||
    message.method === 'notifications/message' ||
    message.method === 'notifications/cancelled'
  );
}

function versionAskedFor(message: Message): string {
  const { params } = parseMessage(message) as { params?: { protocolVersion?: unknown } | null };
  return typeof params?.protocolVersion === 'string' ? params.protocolVersion : '';
}

/** The token a request gives for its progress, as text that keeps its type. Most requests have none: not parsed. */
function progressTokenOf(message: Message): string | undefined {
  if (!message.bytes.includes('"progressToken"')) return undefined;
  const { params } = parseMessage(message) as { params?: { _meta?: { progressToken?: unknown } | null } | null };
  return tokenText(params?._meta?.progressToken);
}

function tokenText(token: unknown): string | undefined {
  return token === undefined ? undefined : JSON.stringify(token);
}
