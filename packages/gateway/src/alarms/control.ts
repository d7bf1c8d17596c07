// What an operator does with alarms, on record: a silence is an order, like letting somebody in. Errors travel over the admin
// socket as one sentence, so the remedy is in it.

import { UsageError } from '@mcp-overlay/cli';
import { ALARM_RULES } from '@mcp-overlay/config';
import type { Alarms, OpenAlarm } from './alarms.ts';
import { isAlarmRule } from './detectors.ts';
import { inWords } from './finding.ts';
import { ALARM_CAPS } from './limits.ts';
import type { Silence } from './silences.ts';

export interface AlarmsView {
  readonly open: readonly OpenAlarm[];
  readonly silences: readonly Silence[];
}

export interface AlarmControl {
  list(): AlarmsView;
  /** Rejects where it cannot be put on record: nobody would know why nothing rang. */
  silence(what: string, ident: string | undefined, forMs: number): Promise<AlarmsView>;
  unsilence(what: string, ident: string | undefined): Promise<AlarmsView>;
}

/** Longer than a holiday; who wants no such alarms at all says so in the configuration. */
const MAX_SILENCE_MS = 30 * 24 * 3600 * 1000;

export function alarmControl(
  alarms: Alarms | undefined,
  record: (what: string, target: string) => Promise<void>,
): AlarmControl {
  const present = (): Alarms => {
    if (!alarms) throw new UsageError('this gateway has no alarms: its configuration says alarms: off');
    return alarms;
  };
  const view = (): AlarmsView => ({ open: present().status().open, silences: present().silenced() });
  return {
    list: view,
    silence: async (what, ident, forMs) => {
      const ours = present();
      if (!isAlarmRule(what) && !ours.knows(what)) {
        throw new UsageError(`no alarm is called ${what}; expected its id, or a rule: ${ALARM_RULES.join(', ')}`);
      }
      if (!(forMs > 0 && forMs <= MAX_SILENCE_MS)) {
        throw new UsageError(
          `a silence lasts at most ${inWords(MAX_SILENCE_MS)}; alarms.off in the configuration ends a rule`,
        );
      }
      await record('alarms silence', `${targetOf(what, ident)} for ${inWords(forMs)}`);
      if (!ours.silence(what, ident, forMs)) {
        throw new UsageError(`${ALARM_CAPS.silences} silences are kept at most; mcp-gateway alarms unsilence ends one`);
      }
      return view();
    },
    unsilence: async (what, ident) => {
      const ours = present();
      if (!ours.silenced().some((one) => one.what === what && (ident === undefined || one.ident === ident))) {
        throw new UsageError(`${targetOf(what, ident)} is not silenced; mcp-gateway alarms shows what is`);
      }
      await record('alarms unsilence', targetOf(what, ident));
      ours.unsilence(what, ident);
      return view();
    },
  };
}

function targetOf(what: string, ident: string | undefined): string {
  return ident === undefined ? what : `${what} of ${ident}`;
}
