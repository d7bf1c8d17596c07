// One client, two eras: whoever serves it sees two clients, one of each era, both on the transport of the first. A request
// that carries a modern envelope belongs to the modern one, everything else to the legacy one (specification 2026-07-28,
// versioning "Backward Compatibility"). A lane is opened by its first message.

import { faultReply } from '../faults.ts';
import { stringifyExact } from '../json-exact.ts';
import type { Fault, Message } from '../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';
import { claimsModern, type Era, mayClaimModern, paramsOf } from './envelope.ts';
import { CANCELLED } from './methods.ts';

/** Takes the client of one era; called once for each that is spoken. */
export type Lanes = Readonly<Record<Era, (client: Transport) => void>>;

export interface SplitHooks {
  /** Neither lane was ever opened: whoever owns the client learns that it is gone. */
  readonly onClosed?: (reason: CloseReason) => void;
  /** The client is gone, whatever was opened. */
  readonly onGone?: () => void;
}

export function splitEras(client: Transport, lanes: Lanes, hooks: SplitHooks = {}): void {
  new Splitter(client, lanes, hooks).begin();
}

class Splitter {
  readonly client: Transport;
  readonly #open: Lanes;
  readonly #hooks: SplitHooks;
  readonly #lanes = new Map<Era, Lane>();
  /** Open requests of the modern lane, for what takes one back. */
  readonly #modern = new Set<string>();
  #legacyBegan = false;
  #closed: CloseReason | undefined;

  constructor(client: Transport, lanes: Lanes, hooks: SplitHooks) {
    this.client = client;
    this.#open = lanes;
    this.#hooks = hooks;
  }

  begin(): void {
    this.client.start({
      message: (message) => this.#lane(this.#eraOf(message)).deliver(message),
      fault: (fault) => this.#fault(fault),
      closed: (reason) => {
        this.#closed = reason;
        this.#hooks.onGone?.();
        for (const lane of this.#lanes.values()) lane.over(reason);
        if (this.#lanes.size === 0) this.#hooks.onClosed?.(reason);
      },
    });
  }

  send(era: Era, message: Message): boolean {
    if (era === 'modern' && message.kind === 'response' && message.id !== undefined) this.#modern.delete(message.id);
    return this.client.send(message);
  }

  /** Read while every lane takes. */
  flow(): void {
    if ([...this.#lanes.values()].some(({ paused }) => paused)) this.client.pause();
    else this.client.resume();
  }

  #lane(era: Era): Lane {
    const known = this.#lanes.get(era);
    if (known !== undefined) return known;
    const lane = new Lane(this, era);
    this.#lanes.set(era, lane);
    this.#open[era](lane);
    if (this.#closed !== undefined) lane.over(this.#closed);
    return lane;
  }

  #eraOf(message: Message): Era {
    if (message.kind === 'request') {
      // A legacy client may quote the words; where there is none yet, nothing has to be parsed.
      const sure = !this.#legacyBegan && message.method !== 'initialize';
      const modern = mayClaimModern(message) && (sure || claimsModern(message));
      if (modern && message.id !== undefined) this.#modern.add(message.id);
      else this.#legacyBegan = true;
      return modern ? 'modern' : 'legacy';
    }
    if (message.kind === 'response') return 'legacy';
    if (this.#lanes.size === 1) return this.#lanes.has('modern') ? 'modern' : 'legacy';
    if (message.method !== CANCELLED) return claimsModern(message) ? 'modern' : 'legacy';
    return this.#modern.has(stringifyExact(paramsOf(message).requestId ?? null)) ? 'modern' : 'legacy';
  }

  #fault(fault: Fault): void {
    const lane = this.#lanes.get('legacy') ?? this.#lanes.get('modern');
    const reply = lane === undefined ? faultReply(fault) : undefined;
    lane?.fault(fault);
    if (reply) this.client.send(reply);
  }
}

/** The client of one era. */
class Lane implements Transport {
  readonly #splitter: Splitter;
  readonly #era: Era;
  #handlers: TransportHandlers | undefined;
  #waiting: Message[] = [];
  paused = false;

  constructor(splitter: Splitter, era: Era) {
    this.#splitter = splitter;
    this.#era = era;
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    if (this.#waiting.length === 0) return;
    // transport.ts: never from inside `start`.
    queueMicrotask(() => this.#flush());
  }

  send(message: Message): boolean {
    return this.#splitter.send(this.#era, message);
  }

  drained(): Promise<void> {
    return this.#splitter.client.drained();
  }

  pause(): void {
    this.paused = true;
    this.#splitter.flow();
  }

  resume(): void {
    this.paused = false;
    this.#splitter.flow();
  }

  /** One end ends the client. */
  close(reason: CloseReason = DONE): Promise<void> {
    return this.#splitter.client.close(reason);
  }

  deliver(message: Message): void {
    if (this.#handlers === undefined || this.#waiting.length > 0) this.#waiting.push(message);
    else this.#handlers.message(message);
  }

  fault(fault: Fault): void {
    this.#handlers?.fault(fault);
  }

  over(reason: CloseReason): void {
    this.#flush();
    this.#handlers?.closed(reason);
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const message of waiting) this.#handlers?.message(message);
  }
}
