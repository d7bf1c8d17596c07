// One session at its host, longer than any of its links: when its client loses link and id, as a gateway that was killed
// does, the link that it opens next takes the place of the lost one, and whoever serves the session sees one client that
// never went. The new client's handshake is answered from memory, open questions are asked again, and requests of the old
// one that have no key are taken back; those with a key go on, and the new one asks for them under the same key.
// Invariant: an answer reaches the client that asked, never its successor; a question is answered once.

import { type JsonObject, paramsOf } from '../eras/envelope.ts';
import { CANCELLED } from '../eras/methods.ts';
import { stringifyExact } from '../json-exact.ts';
import { errorMessage, notificationMessage, rawId, withId } from '../json-rpc.ts';
import type { Clock } from '../link/clock.ts';
import type { HostLink, OpenCall } from '../link/hosted-link.ts';
import type { Fault, Message } from '../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';
import { ClientIds } from './client-ids.ts';
import { Greeting } from './greeting.ts';
import { answerUnder, whatIsNamed } from './named.ts';
import { Untold } from './untold.ts';

export interface HeldOptions {
  readonly clock: Clock;
  /** How long a session waits for a client that said it would be back. */
  readonly awayMs: number;
  /** Its link is started already: it was another session's. */
  readonly started: boolean;
  /** Whether a client that goes away may come back here. */
  returns(): boolean;
  /** The client on this link means another session than this one. */
  anew(link: HostLink): HeldSession;
  onOver(): void;
}

const INITIALIZED = 'notifications/initialized';
const REPLACED = { code: 'link_expired', reason: 'the session was taken up over another link' };
const LEFT = 'the client that asked is gone';

export class HeldSession implements Transport {
  readonly #options: HeldOptions;
  readonly #ids = new ClientIds();
  readonly #greeting = new Greeting();
  readonly #untold = new Untold();
  #link: HostLink | undefined;
  #handlers: TransportHandlers | undefined;
  /** No link was lost yet: everything passes as it is. */
  #first = true;
  /** The client has not shaken hands yet, or there is none: it is told nothing by itself. */
  #deaf = false;
  #paused = false;
  /** Requests of the client that went away; empty while there is one. */
  #left = new Map<string, OpenCall>();
  /** Calls that clients before this one asked, by the number of their key: as the layers above know each asking. */
  readonly #running = new Map<number, readonly string[]>();
  /** Requests of this client that ask for one of those. */
  readonly #again = new Map<string, number>();
  #cancelAway: () => void = () => {};
  #closing: Promise<void> | undefined;
  #over = false;
  #heir: HeldSession | undefined;

  constructor(link: HostLink, options: HeldOptions) {
    this.#link = link;
    this.#options = options;
  }

  /** undefined while it waits for one. */
  get link(): HostLink | undefined {
    return this.#link;
  }

  /** A new link may take the place of what it has. */
  get claimable(): boolean {
    return !this.#over && this.#closing === undefined && (this.#link === undefined || this.#link.broken);
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    if (!this.#options.started && this.#link) this.#listen(this.#link);
  }

  send(message: Message): boolean {
    if (message.kind === 'response') return this.#answer(message);
    if (message.kind === 'notification') return this.#news(message);
    this.#untold.asked(message);
    return this.#deaf || this.#pass(message);
  }

  drained(): Promise<void> {
    return this.#link?.drained() ?? Promise.resolve();
  }

  pause(): void {
    this.#paused = true;
    this.#link?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#link?.resume();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    this.#closing ??= this.#closeNow(reason);
    return this.#closing;
  }

  /** The next client is here. Nothing that was meant for the last one reaches it. */
  take(link: HostLink): void {
    this.#cancelAway();
    const old = this.#link;
    const open = old ? old.openCalls() : [...this.#left.values()];
    this.#left.clear();
    this.#link = link;
    const unheard = old?.retire(REPLACED) ?? [];
    for (const { id, call } of open) {
      if (call === undefined) this.#takeBack(this.#ids.up(id));
      else this.#running.set(call, [...(this.#running.get(call) ?? []), this.#ids.up(id)]);
    }
    this.#again.clear();
    this.#giveUpOn(this.#untold.unaskable());
    this.#ids.next();
    this.#greeting.waits(undefined);
    this.#first = false;
    this.#untold.keep(unheard.filter((message) => this.#named(message) !== 'gone'));
    this.#deaf = this.#greeting.known;
    this.#listen(link);
    if (this.#paused) link.pause();
    if (!this.#deaf) this.#tell();
  }

  #listen(link: HostLink): void {
    // What it hears belongs to the session that has it then; to none if another link took its place.
    const toOwner = (tell: (session: HeldSession) => void): void => {
      let session: HeldSession = this;
      while (session.#heir) session = session.#heir;
      if (session.#link === link) tell(session);
    };
    link.start({
      message: (message) => toOwner((session) => session.#fromClient(message)),
      fault: (fault) => toOwner((session) => session.#fault(fault)),
      closed: (reason) => toOwner((session) => session.#lost(reason)),
    });
  }

  // --- from the client ----------------------------------------------------------------------------------------------

  #fromClient(message: Message): void {
    if (message.kind === 'request') this.#request(message);
    else if (message.kind === 'notification') this.#notification(message);
    // Somebody answered before; whoever asked would choke on a second one.
    else if (this.#untold.answered(message) || this.#first) this.#handlers?.message(message);
  }

  #request(message: Message): void {
    const id = this.#ids.up(message.id ?? '');
    if (message.method === 'initialize' && !this.#greet(message, id)) return;
    if (message.call !== undefined && this.#running.has(message.call)) this.#again.set(id, message.call);
    this.#handlers?.message(withId(message, id));
  }

  /** Whether the server is to hear it. */
  #greet(initialize: Message, id: string): boolean {
    const greeting = this.#greeting;
    if (this.#first || !greeting.known) {
      greeting.begin(initialize, id);
      return true;
    }
    if (!greeting.same(initialize)) {
      this.#beginAnew(initialize);
      return false;
    }
    const answer = greeting.answerFor(initialize.id ?? '');
    if (answer) this.#link?.send(answer);
    else greeting.waits(initialize.id ?? '');
    return false;
  }

  #notification(message: Message): void {
    if (message.method === INITIALIZED) {
      const heard = this.#greeting.initialized;
      this.#greeting.initialized = true;
      if (!heard) this.#handlers?.message(message);
      if (this.#deaf) this.#tell();
      return;
    }
    if (this.#first || message.method !== CANCELLED) this.#handlers?.message(message);
    else this.#cancelled(paramsOf(message));
  }

  /** Nobody wants the answer, neither this client nor those that asked before it. */
  #cancelled(params: JsonObject): void {
    const id = this.#ids.up(stringifyExact(params.requestId ?? null));
    const call = this.#again.get(id);
    const before = call === undefined ? [] : (this.#running.get(call) ?? []);
    this.#settled(id);
    for (const asked of [...before, id])
      this.#handlers?.message(notificationMessage(CANCELLED, { ...params, requestId: rawId(asked) }));
  }

  /** A call that was asked again has its end. */
  #settled(id: string): void {
    const call = this.#again.get(id);
    if (call !== undefined) this.#running.delete(call);
    this.#again.delete(id);
  }

  #fault(fault: Fault): void {
    this.#handlers?.fault(fault.id === undefined ? fault : { ...fault, id: this.#ids.up(fault.id) });
  }

  /** It is another session that the client means: this one ends, a new one has the link. */
  #beginAnew(initialize: Message): void {
    const link = this.#link;
    if (!link) return;
    this.#link = undefined;
    const heir = this.#options.anew(link);
    this.#heir = heir;
    this.#end({ code: 'link_expired', reason: 'its client began another session' });
    heir.#fromClient(initialize);
  }

  // --- to the client ------------------------------------------------------------------------------------------------

  #answer(message: Message): boolean {
    const greeted = this.#greeting.heard(message);
    if (this.#again.size > 0) this.#settled(message.id ?? '');
    if (this.#first && this.#link) return this.#pass(message);
    const id = greeted ? this.#greeting.waiting : this.#asker(message.id ?? 'null');
    if (id === undefined) return this.#late(message.id ?? '');
    this.#left.delete(id);
    return this.#pass(answerUnder(id, message));
  }

  /** Whoever asked is gone. */
  #late(id: string): true {
    for (const [call, asked] of this.#running) {
      if (!asked.includes(id)) continue;
      const others = asked.filter((other) => other !== id);
      if (others.length > 0) this.#running.set(call, others);
      else this.#running.delete(call);
    }
    return true;
  }

  #news(message: Message): boolean {
    this.#untold.takenBack(message);
    const named = this.#first ? 'nothing' : this.#named(message);
    if (named === 'gone') return true;
    // What belongs to a request of this client needs no handshake.
    if (named !== 'nothing') return this.#pass(named);
    if (!this.#deaf) return this.#pass(message);
    this.#untold.keep([message]);
    return true;
  }

  #named(message: Message): ReturnType<typeof whatIsNamed> {
    return whatIsNamed(message, (id) => this.#ids.down(id));
  }

  #pass(message: Message): boolean {
    return this.#link?.send(message) ?? true;
  }

  /** 'null': it is the answer to what could not be read. */
  #asker(id: string): string | undefined {
    return id === 'null' ? id : this.#ids.down(id);
  }

  #tell(): void {
    this.#deaf = false;
    this.#giveUpOn(this.#untold.unaskable());
    for (const message of this.#untold.take()) this.#pass(message);
  }

  #giveUpOn(questions: readonly string[]): void {
    for (const id of questions) this.#handlers?.message(errorMessage(id, 'internal_error', LEFT));
  }

  #takeBack(id: string): void {
    if (this.#greeting.asked === id) return;
    this.#handlers?.message(notificationMessage(CANCELLED, { requestId: rawId(id), reason: LEFT }));
  }

  // --- the end ------------------------------------------------------------------------------------------------------

  #lost(reason: CloseReason): void {
    const open = this.#link?.openCalls() ?? [];
    this.#link = undefined;
    const worth = this.#greeting.answered || open.some(({ call }) => call !== undefined);
    if (reason.code !== 'away' || !worth || this.#closing !== undefined || !this.#options.returns()) {
      this.#end(reason);
      return;
    }
    this.#deaf = true;
    this.#left = new Map(open.map((call) => [call.id, call]));
    this.#wait();
  }

  /** As long as calls run, and then as long as a client may need to come back. */
  #wait(): void {
    const { clock, awayMs } = this.#options;
    const reason = `its client went away and did not come back within ${Math.round(awayMs / 1000)} s`;
    this.#cancelAway = clock.after(
      awayMs,
      () => {
        if ([...this.#left.values()].some(({ call }) => call !== undefined)) this.#wait();
        else this.#end({ code: 'link_expired', reason });
      },
      true,
    );
  }

  async #closeNow(reason: CloseReason): Promise<void> {
    if (this.#link) await this.#link.close(reason);
    else this.#end(reason);
  }

  #end(reason: CloseReason): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelAway();
    this.#options.onOver();
    this.#handlers?.closed(reason);
  }
}
