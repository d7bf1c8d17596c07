// What is wrong at a router or at one of its channels at the moment. A channel suffers both.

import type { Faults, ObservedFrame } from '../types.ts';

export interface WriteShape {
  readonly splitBytes?: number;
  readonly joinMs?: number;
}

/** What one channel has to obey. */
export interface Suffered {
  readonly delayMs: number;
  readonly reorder: boolean;
  readonly halfOpen: boolean;
  readonly bytesPerSecond: number;
  readonly writes: WriteShape | undefined;
  readonly drops: (frame: ObservedFrame) => boolean;
}

export class FaultSwitches implements Faults {
  readonly #onChange: () => void;
  #delayMs = 0;
  #drop: ((frame: ObservedFrame) => boolean) | undefined;
  #reorder = false;
  #writes: WriteShape | undefined;
  #halfOpen = false;
  #bytesPerSecond = Number.POSITIVE_INFINITY;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  delay(ms: number): void {
    this.#delayMs = ms;
    this.#onChange();
  }

  drop(which: ((frame: ObservedFrame) => boolean) | undefined): void {
    this.#drop = which;
    this.#onChange();
  }

  reorder(on: boolean): void {
    this.#reorder = on;
    this.#onChange();
  }

  writes(shape: WriteShape | undefined): void {
    this.#writes = shape;
    this.#onChange();
  }

  halfOpen(on: boolean): void {
    this.#halfOpen = on;
    this.#onChange();
  }

  slow(bytesPerSecond: number | undefined): void {
    this.#bytesPerSecond = bytesPerSecond ?? Number.POSITIVE_INFINITY;
    this.#onChange();
  }

  clear(): void {
    this.#delayMs = 0;
    this.#drop = undefined;
    this.#reorder = false;
    this.#writes = undefined;
    this.#halfOpen = false;
    this.#bytesPerSecond = Number.POSITIVE_INFINITY;
    this.#onChange();
  }

  with(other: FaultSwitches): Suffered {
    return {
      delayMs: this.#delayMs + other.#delayMs,
      reorder: this.#reorder || other.#reorder,
      halfOpen: this.#halfOpen || other.#halfOpen,
      bytesPerSecond: Math.min(this.#bytesPerSecond, other.#bytesPerSecond),
      writes: this.#writes ?? other.#writes,
      drops: (frame) => this.#drop?.(frame) === true || other.#drop?.(frame) === true,
    };
  }
}
