// Bindings of proofs that were good, for a while: a proof that comes a second time is told from one that comes from
// elsewhere. Only the words of the refusal depend on it; what refuses is the binding.

import { PROOF_LIMITS } from '../limits.ts';

export class SeenProofs {
  readonly #bindings = new Set<string>();
  readonly #max: number;

  constructor(max: number = PROOF_LIMITS.seenProofs) {
    this.#max = max;
  }

  add(binding: Buffer): void {
    this.#bindings.add(binding.toString('base64'));
    const [oldest] = this.#bindings;
    if (this.#bindings.size > this.#max && oldest !== undefined) this.#bindings.delete(oldest);
  }

  has(binding: Buffer): boolean {
    return this.#bindings.has(binding.toString('base64'));
  }
}
