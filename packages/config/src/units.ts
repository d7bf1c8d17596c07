// Durations and sizes as people write them. A bare number is refused: nobody remembers which unit was meant.

/** Longer ones overflow a timer, which then fires at once. */
const MAX_DURATION_MS = 2 ** 31 - 1;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 1024, MiB: 1024 * 1024 };

export const DURATION_FORM = 'a duration such as 30s, 500ms, 1m30s or 2h';

/** `30s`, `500ms`, `1m30s`, `1.5h` to milliseconds; undefined when it is none, is zero, or is longer than 24 days. */
export function parseDuration(text: string): number | undefined {
  const part = /([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)/y;
  let total = 0;
  let offset = 0;
  while (offset < text.length) {
    part.lastIndex = offset;
    const match = part.exec(text);
    if (!match) return undefined;
    total += Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 0);
    offset = part.lastIndex;
  }
  const ms = Math.round(total);
  return ms >= 1 && ms <= MAX_DURATION_MS ? ms : undefined;
}

export const LIFETIME_FORM = 'a lifetime such as 8h, 30m or 7d, at most 366d';
const DAY_MS = 24 * 3600 * 1000;
const MAX_LIFETIME_MS = 366 * DAY_MS;

/** As `parseDuration`, in whole units and with days: of tokens, which no timer waits for. */
export function parseLifetime(text: string): number | undefined {
  const match = /^(?:([0-9]{1,3})d)?(?:([0-9]{1,4})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,8})s)?$/.exec(text);
  if (!match) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  const ms = days * DAY_MS + ((hours * 60 + minutes) * 60 + seconds) * 1000;
  return ms >= 1000 && ms <= MAX_LIFETIME_MS ? ms : undefined;
}

/** `65536`, `64KiB`, `18 MiB` to bytes. */
export function parseSize(text: string): number | undefined {
  const match = /^([0-9]{1,12}) ?(B|KiB|MiB)?$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * (UNIT_BYTES[match[2] ?? ''] ?? 1);
}
