// What nobody wants to hear for a while: one cause by its id, or a rule, for everybody or for one identity. Always with an end.

import type { AlarmRule } from '@mcp-overlay/config';
import { asArray, asObject } from '../call/json.ts';
import { ALARM_CAPS as CAPS } from './limits.ts';

export interface Silence {
  /** Id of a cause, or a rule. */
  readonly what: string;
  /** Only of this identity. */
  readonly ident?: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

interface Heard {
  readonly id: string;
  readonly rule: AlarmRule;
  readonly ident?: string;
}

export class Silences {
  private silences: readonly Silence[];
  dirty = false;

  constructor(silences: readonly Silence[] = []) {
    this.silences = silences;
  }

  covers({ id, rule, ident }: Heard, wall: number): Silence | undefined {
    return this.silences.find(
      (one) =>
        wall < one.until && (one.what === id || one.what === rule) && (one.ident === undefined || one.ident === ident),
    );
  }

  /** Whether there was room. The same again takes the place of what was. */
  add(silence: Silence, wall: number): boolean {
    const others = this.active(wall).filter((one) => !same(one, silence));
    if (others.length >= CAPS.silences) return false;
    this.silences = [...others, silence];
    this.dirty = true;
    return true;
  }

  /** How many ended. */
  end(what: string, ident: string | undefined, wall: number): number {
    const active = this.active(wall);
    const left = active.filter((one) => one.what !== what || (ident !== undefined && one.ident !== ident));
    this.silences = left;
    this.dirty = true;
    return active.length - left.length;
  }

  active(wall: number): readonly Silence[] {
    return this.silences.filter(({ until }) => wall < until);
  }

  toJSON(): unknown {
    return this.silences;
  }
}

function same(a: Silence, b: Silence): boolean {
  return a.what === b.what && a.ident === b.ident;
}

/** undefined: it is no list of silences. */
export function readSilences(value: unknown): readonly Silence[] | undefined {
  const list = asArray(value);
  const silences = list?.flatMap((one) => {
    const { what, ident, until } = asObject(one) ?? {};
    if (typeof what !== 'string' || typeof until !== 'number') return [];
    return [{ what, until, ...(typeof ident === 'string' && { ident }) }];
  });
  return silences && silences.length === list?.length && silences.length <= CAPS.silences ? silences : undefined;
}
