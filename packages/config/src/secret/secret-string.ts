// A secret's value, which shows itself to nobody by accident: every way of turning it into text gives its address.

import { inspect } from 'node:util';

export class SecretString {
  readonly #value: Buffer;
  readonly #from: string;

  /** `from`: its address, for messages. */
  constructor(value: Buffer, from: string) {
    this.#value = value;
    this.#from = from;
  }

  /** The only way to the value. What `fn` returns must not be kept longer than needed. */
  use<T>(fn: (value: Buffer) => T): T {
    return fn(this.#value);
  }

  toString(): string {
    return `[secret ${this.#from}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
