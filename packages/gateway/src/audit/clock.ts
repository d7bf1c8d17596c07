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

export function systemClock(): AuditClock {
  return {
    boot: bootId(),
    wall: Date.now,
    mono: () => Number(process.hrtime.bigint() / 1_000_000n),
  };
}

/** Linux tells boots apart; elsewhere each process is one of its own. */
function bootId(): string {
  try {
    const id = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    if (/^[0-9a-f-]{36}$/.test(id)) return id;
  } catch {
    // Not Linux, or not shown to us.
  }
  return randomUUID();
}

/** Years that ISO 8601 writes with four digits: a clock that is set to another must not break the form of a record. */
export function timestamp(wall: number): string {
  return new Date(Math.min(Math.max(wall, -62_167_219_200_000), 253_402_300_799_999)).toISOString();
}
