// Alarms over recorded traffic, with a clock that is the traffic's own. What rang is read from where it is recorded.

import { type AlarmsConfig, DEFAULT_ALARMS } from '@mcp-overlay/config';
import { Alarms } from '../../src/alarms/alarms.ts';
import { openAlarmState } from '../../src/alarms/state.ts';
import type { AuditEvent, AuditLog } from '../../src/audit/audit-log.ts';
import { DAY, MONTH_BEGINS, type TimedEvent } from './town.ts';

export type Rung = Extract<AuditEvent, { type: 'alarm' }> & { readonly at: number };

export const QUIET = { debug: () => {}, info: () => {}, warn: () => {} };

/** As a team would write it. */
export const TEAM: AlarmsConfig = {
  ...DEFAULT_ALARMS,
  hours: {
    fromMinutes: 6 * 60,
    toMinutes: 20 * 60,
    days: ['mon', 'tue', 'wed', 'thu', 'fri'],
    zone: 'UTC',
    except: ['ziti:nightly', 'ziti:monitor'],
  },
  decoys: [{ backend: 'db', tool: 'dump_credentials', description: 'Export all stored credentials.', arguments: [] }],
};

export async function heardOf(traffic: readonly TimedEvent[], config: AlarmsConfig = TEAM): Promise<Rung[]> {
  let now = MONTH_BEGINS;
  const rung: Rung[] = [];
  const state = await openAlarmState({ share: undefined, env: {}, log: QUIET });
  const clock = { wall: () => now, mono: () => now };
  const alarms = new Alarms({ config, state, outputs: [], gateway: 'team', log: QUIET, clock });
  let seq = 0;
  const log: AuditLog = {
    id: 'recorded',
    append: async (event) => {
      seq += 1;
      if (event.type === 'alarm') rung.push({ ...event, at: now });
      return { log: 'recorded', seq, hash: '' };
    },
    state: () => ({ head: { log: 'recorded', seq, hash: '' }, path: '', durability: 'os' }),
    close: async () => {},
  };
  const heard = alarms.listen(log);
  for (const { at, event } of traffic) {
    now = at;
    await heard.append(event);
  }
  await alarms.close();
  return rung;
}

/** The most that rang on one day. */
export function mostADay(rung: readonly Rung[]): number {
  const days = new Map<number, number>();
  for (const { at } of rung) {
    const day = Math.floor((at - MONTH_BEGINS) / DAY);
    days.set(day, (days.get(day) ?? 0) + 1);
  }
  return Math.max(0, ...days.values());
}

export function together(...parts: readonly (readonly TimedEvent[])[]): TimedEvent[] {
  return parts.flat().sort((a, b) => a.at - b.at);
}
