// Time as records carry it: the wall clock for people, and beside it a clock that nobody sets with the boot it counts from,
// because the first may jump.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface AuditClock {
  readonly boot: string;
  /** Milliseconds since 1970. */
  wall(): number;
  /** Milliseconds, never less than before. */
  mono(): number;
}

/** `bootFile`: where Linux tells which boot this is. */
export function systemClock(bootFile = '/proc/sys/kernel/random/boot_id'): AuditClock {
  return {
    boot: bootId(bootFile),
    wall: Date.now,
    mono: () => Number(process.hrtime.bigint() / 1_000_000n),
  };
}

/** Elsewhere, or where it is not shown to us, each process is a boot of its own. */
function bootId(file: string): string {
  try {
    const id = readFileSync(file, 'latin1').trim();
    if (/^[0-9a-f-]{36}$/.test(id)) return id;
  } catch {
    // Then nobody can compare it with another's.
  }
  return randomUUID();
}

/** Years that ISO 8601 writes with four digits: a clock that is set to another must not break the form of a record. */
export function timestamp(wall: number): string {
  return new Date(Math.min(Math.max(wall, -62_167_219_200_000), 253_402_300_799_999)).toISOString();
}

/** The same for many events one after the other: what happens within a millisecond is written with one text. */
export function timestamps(): (wall: number) => string {
  let last = Number.NaN;
  let text = '';
  return (wall) => {
    if (wall !== last) {
      text = timestamp(wall);
      last = wall;
    }
    return text;
  };
}
