// Detector: a call outside the hours in which people work, in their own time zone.

import type { HoursConfig } from '@mcp-overlay/config';
import { type Finding, seqsOf } from './finding.ts';
import type { ObservedCall } from './observed.ts';

const MINUTE_MS = 60_000;
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
type Day = (typeof DAYS)[number];

export interface LocalTime {
  readonly day: Day;
  /** Since midnight. */
  readonly minutes: number;
}

export function hoursDetector(hours: HoursConfig): (seen: ObservedCall) => Finding | undefined {
  const local = localTime(hours.zone);
  const except = new Set(hours.except);
  return ({ ident, backend, target, wall, seq }) => {
    if (except.has(ident)) return undefined;
    const { day, minutes } = local(wall);
    if (within(hours, day, minutes)) return undefined;
    const why = `a call on ${day} at ${clockText(minutes)} (${hours.zone})${whereTo(backend, target)}, outside the hours`;
    return { rule: 'hours', ident, count: 1, seqs: seqsOf(seq), why };
  };
}

/** A shift over midnight belongs to the day on which it begins. */
export function within({ fromMinutes, toMinutes, days }: HoursConfig, day: Day, minutes: number): boolean {
  if (fromMinutes < toMinutes) return days.includes(day) && minutes >= fromMinutes && minutes < toMinutes;
  if (minutes >= fromMinutes) return days.includes(day);
  return minutes < toMinutes && days.includes(DAYS[(DAYS.indexOf(day) + 6) % 7] as Day);
}

/** Asked for every call, and the answer is that of its minute. */
export function localTime(zone: string): (wallMs: number) => LocalTime {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  let known: { readonly minute: number; readonly time: LocalTime } | undefined;
  return (wallMs) => {
    const minute = Math.floor(wallMs / MINUTE_MS);
    if (known?.minute === minute) return known.time;
    const parts = new Map(format.formatToParts(wallMs).map(({ type, value }) => [type, value]));
    const day = (parts.get('weekday') ?? '').toLowerCase().slice(0, 3) as Day;
    const time = { day, minutes: Number(parts.get('hour')) * 60 + Number(parts.get('minute')) };
    known = { minute, time };
    return time;
  };
}

function clockText(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
}

function whereTo(backend: string | undefined, target: string | undefined): string {
  if (backend === undefined) return '';
  return target === undefined ? `, to ${backend}` : `, to ${target} of ${backend}`;
}
