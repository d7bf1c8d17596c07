// The definitions that were seen or approved, and what becomes of one that a server shows now. Pure: what is kept where is
// the lock file's business. Clients are served the approved copy, never the live text; a changed one is hidden until it is
// approved, and its old hash stays what it was, however often the server shows the new one.

import { parseExact } from '@mcp-overlay/relay';
import { asObject, type JsonObject } from '../call/json.ts';
import { type Definition, definitionOf } from './definition.ts';

export type PinMode = 'tofu' | 'strict';

export interface PinKey {
  readonly backend: string;
  /** `tools`, `prompts`, `resources`, `resourceTemplates`. */
  readonly list: string;
  /** The server's own name, or URI. */
  readonly name: string;
}

export interface Pin extends PinKey, Definition {
  readonly state: 'approved' | 'denied';
  /** ISO time. */
  readonly at: string;
  /** `first use`, or who approved it. */
  readonly by: string;
}

export type PinVerdict =
  /** `recorded`: it was seen for the first time, and is to be kept. */
  | { readonly serve: JsonObject; readonly recorded?: Pin }
  | { readonly hide: 'changed' | 'denied' | 'unapproved'; readonly shown: Definition; readonly pin?: Pin };

/** Definitions that wait for a decision; a server that makes up new ones all the time does not fill the memory. */
export const MAX_WAITING = 10_000;
const FIRST_USE = 'first use';

export class PinBook {
  readonly #mode: PinMode;
  readonly #now: () => Date;
  readonly #pins = new Map<string, Pin>();
  /** What is shown now and hidden, by the same key: what `approve` can take. */
  readonly #waiting = new Map<string, PinKey & Definition>();

  constructor(mode: PinMode, pins: Iterable<Pin> = [], now: () => Date = () => new Date()) {
    this.#mode = mode;
    this.#now = now;
    for (const pin of pins) this.#pins.set(keyOf(pin), pin);
  }

  judge(key: PinKey, item: JsonObject): PinVerdict {
    const shown = definitionOf(item);
    const pin = this.#pins.get(keyOf(key));
    if (pin === undefined) {
      if (this.#mode === 'strict') return this.#hide('unapproved', key, shown);
      const recorded = this.#keep(key, shown, 'approved', FIRST_USE);
      return { serve: copyOf(recorded), recorded };
    }
    if (pin.state === 'denied') return this.#hide('denied', key, shown, pin);
    if (pin.hash !== shown.hash) return this.#hide('changed', key, shown, pin);
    // It is what it was again.
    this.#waiting.delete(keyOf(key));
    return { serve: copyOf(pin) };
  }

  /** undefined: nothing with this hash waits there, so nobody can have seen it. */
  decide(key: PinKey, hash: string, state: Pin['state'], by: string): Pin | undefined {
    const waiting = this.#waiting.get(keyOf(key));
    const pin = this.#pins.get(keyOf(key));
    const seen = waiting?.hash === hash ? waiting : pin?.hash === hash ? pin : undefined;
    if (seen === undefined) return undefined;
    this.#waiting.delete(keyOf(key));
    return this.#keep(key, { text: seen.text, hash: seen.hash }, state, by);
  }

  waiting(): readonly (PinKey & Definition & { readonly pin?: Pin })[] {
    return [...this.#waiting.values()].map((one) => {
      const pin = this.#pins.get(keyOf(one));
      return pin === undefined ? one : { ...one, pin };
    });
  }

  pins(): readonly Pin[] {
    return [...this.#pins.values()];
  }

  #keep({ backend, list, name }: PinKey, { text, hash }: Definition, state: Pin['state'], by: string): Pin {
    const pin: Pin = { backend, list, name, text, hash, state, at: this.#now().toISOString(), by };
    this.#pins.set(keyOf(pin), pin);
    return pin;
  }

  #hide(hide: 'changed' | 'denied' | 'unapproved', key: PinKey, shown: Definition, pin?: Pin): PinVerdict {
    const { backend, list, name } = key;
    const id = keyOf(key);
    if (this.#waiting.has(id) || this.#waiting.size < MAX_WAITING) {
      this.#waiting.set(id, { backend, list, name, ...shown });
    }
    return { hide, shown, ...(pin && { pin }) };
  }
}

function keyOf({ backend, list, name }: PinKey): string {
  return JSON.stringify([backend, list, name]);
}

/** A new value each time: whoever renames it changes nobody else's. */
function copyOf({ text }: Pin): JsonObject {
  return asObject(parseExact(text)) ?? {};
}
