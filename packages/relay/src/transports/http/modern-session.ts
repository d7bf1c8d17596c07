// The modern clients of an HTTP door, all on one session upstream: each POST stands alone, its answer and what belongs to it
// travel on its own response, and a response that is closed takes its request back (specification 2026-07-28,
// streamable-http). ./server.ts checks requests and hands them in here; ids are told apart by ../../eras/modern-calls.ts.

import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { asString, endOfListen, envelopeOf, type JsonObject, resultOf, withEnvelope } from '../../eras/envelope.ts';
import { LISTEN } from '../../eras/methods.ts';
import { ModernCalls } from '../../eras/modern-calls.ts';
import { faultReply } from '../../faults.ts';
import { requestMessage } from '../../json-rpc.ts';
import type { Limits } from '../../limits.ts';
import type { Message } from '../../message.ts';
import { lost } from '../../shared/calls.ts';
import type { CloseReason } from '../../transport.ts';
import { mismatch, type ParamHeader } from './modern-headers.ts';
import { ModernStream } from './modern-stream.ts';
import { HttpSession } from './session.ts';
import { ToolHeaders } from './tool-headers.ts';
import type { HttpLog } from './wire.ts';

/** A tool that is in no list is looked for, but not for each call of one that does not exist. */
const LOOK_AGAIN_MS = 10_000;
const LOOK_MS = 30_000;
const MAX_PAGES = 1000;
/** What may name header parameters, in the bytes of a list. */
const TOOLS = Buffer.from('"tools"');

export interface ModernSessionOptions {
  readonly limits: Limits;
  readonly log: HttpLog;
  readonly onClosed: (session: ModernSession) => void;
}

export class ModernSession extends HttpSession {
  readonly #options: ModernSessionOptions;
  readonly #calls: ModernCalls;
  readonly #streams = new Set<ModernStream>();
  readonly #tools = new ToolHeaders();
  #lastUse = performance.now();
  #looked = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;

  constructor(options: ModernSessionOptions) {
    super(options.limits);
    this.#options = options;
    this.#calls = new ModernCalls((message) => this.inbox.pushSoon(message));
  }

  /** Since when no request is open; undefined while one is. */
  get idleSince(): number | undefined {
    return this.#streams.size > 0 ? undefined : this.#lastUse;
  }

  get full(): boolean {
    return this.#calls.open >= this.#options.limits.callsInAll + this.#options.limits.callsQueued;
  }

  /** What the headers of a call say otherwise than its body, by what its server's tools declare. */
  async mismatch(headers: IncomingHttpHeaders, method: string, params: JsonObject): Promise<string | undefined> {
    if (method !== 'tools/call') return undefined;
    const name = asString(params.name) ?? '';
    if (this.#tools.of(name) === undefined) await this.#look(params);
    const wrong = mismatch(headers, method, params, this.#declared(name));
    if (wrong === undefined || !(await this.#look(params))) return wrong;
    return mismatch(headers, method, params, this.#declared(name));
  }

  request(message: Message, response: ServerResponse): void {
    const { id = 'null', method = '' } = message;
    this.outflow.add(response);
    const stream = new ModernStream(response);
    this.#lastUse = performance.now();
    this.#streams.add(stream);
    const own = this.#calls.forward(message, {
      notification: (notification) => stream.write(notification),
      answer: (answer) => {
        this.#streams.delete(stream);
        if (method === 'tools/list') this.#learn(answer);
        stream.finish(answer);
      },
      fault: (fault) => {
        this.#streams.delete(stream);
        stream.finish(faultReply({ ...fault, id, kind: 'request' }) ?? lost(id, method, 'its answer was no message'));
      },
    });
    response.on('close', () => {
      this.#lastUse = performance.now();
      if (!this.#streams.delete(stream)) return;
      this.#calls.cancel(own, 'the client closed the response stream');
    });
  }

  accept(message: Message): void {
    this.inbox.push(message);
  }

  keepAlive(): void {
    for (const stream of this.#streams) stream.keepAlive();
  }

  override send(message: Message): boolean {
    if (!this.ended) this.#calls.fromServer(message);
    return this.outflow.clear;
  }

  protected override finish(reason: CloseReason): void {
    this.#options.onClosed(this);
    this.#calls.end((id, method) =>
      method === LISTEN ? endOfListen(id) : lost(id, method, `the session ended (${reason.reason})`),
    );
    for (const stream of this.#streams) stream.end();
    this.#streams.clear();
  }

  #declared(name: string): readonly ParamHeader[] {
    return this.#tools.of(name) ?? [];
  }

  #learn(answer: Message): void {
    if (!answer.bytes.includes(TOOLS)) return;
    for (const { name, why } of this.#tools.learn(resultOf(answer) ?? {})) {
      this.#options.log.warn({ tool: name, why }, 'tool cannot be called over http');
    }
  }

  /** Walks the list of the tools on behalf of this client. false: it was looked at just now. */
  async #look(params: JsonObject): Promise<boolean> {
    if (this.#looking === undefined) {
      if (performance.now() - this.#looked < LOOK_AGAIN_MS) return false;
      this.#looked = performance.now();
      this.#looking = this.#walk(params).finally(() => {
        this.#looking = undefined;
      });
    }
    await this.#looking;
    return true;
  }

  async #walk(params: JsonObject): Promise<void> {
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const answer = await this.#ask(
        'tools/list',
        withEnvelope(cursor === undefined ? {} : { cursor }, envelopeOf(params)),
      );
      if (answer === undefined) return;
      this.#learn(answer);
      cursor = asString(resultOf(answer)?.nextCursor);
      if (cursor === undefined) return;
    }
  }

  #ask(method: string, params: JsonObject): Promise<Message | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#calls.cancel(own, 'the list took too long');
        resolve(undefined);
      }, LOOK_MS);
      const done = (answer: Message | undefined): void => {
        clearTimeout(timer);
        resolve(answer);
      };
      const own = this.#calls.forward(requestMessage('"list"', method, params), {
        notification: () => {},
        answer: done,
        fault: () => done(undefined),
      });
    });
  }
}
