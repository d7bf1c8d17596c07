// Values that keep where they stand, for whoever finds out later that one is wrong.

import type { Spot } from './errors.ts';
import { isNothing } from './node.ts';
import type { Located } from './policy-config.ts';
import { join, type Shape, wrong } from './shape.ts';

export function located<T>(shape: Shape<T>): Shape<Located<T>> {
  return {
    form: shape.form,
    read: (node, spot, reading) => {
      const value = shape.read(node, spot, reading);
      return value === undefined ? undefined : { value, spot };
    },
  };
}

export interface KeyForm {
  readonly form: string;
  readonly fits: (key: string) => boolean;
  readonly hint?: string;
}

/** A mapping whose keys are the user's words, each with its place. */
export function named<T>(keys: KeyForm, value: Shape<T>, form: string): Shape<ReadonlyMap<string, Located<T>>> {
  return {
    form,
    read: (node, spot, reading) => {
      if (node.kind !== 'map') return wrong(node, spot, form, reading);
      const read = new Map<string, Located<T>>();
      for (const [key, entry] of node.entries) {
        const at: Spot = { ...entry.at, key: join(spot.key, key) };
        if (!keys.fits(key)) reading.report.problem(at, `expected ${keys.form} as the key`, keys.hint);
        const where = isNothing(entry.value) ? entry.at : entry.value.at;
        const inner = value.read(entry.value, { ...where, key: at.key }, reading);
        if (inner !== undefined) read.set(key, { value: inner, spot: at });
      }
      return read;
    },
  };
}
