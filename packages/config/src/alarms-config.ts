// What a file says of alarms: when they ring, where they are heard, and what only looks like a tool.

export const ALARM_RULES = [
  'loop',
  'rate',
  'refusals',
  'new_tool',
  'new_backend',
  'hours',
  'decoy',
  'host_changed',
] as const;
export type AlarmRule = (typeof ALARM_RULES)[number];

export interface WindowConfig {
  readonly calls: number;
  readonly withinMs: number;
}

export interface LoopConfig extends WindowConfig {
  /** From so many on, each is held up longer than the one before. */
  readonly slow?: number;
  /** From so many on, they are refused. */
  readonly refuse?: number;
}

export interface HoursConfig {
  /** Minutes since midnight; from later than to is over midnight. */
  readonly fromMinutes: number;
  readonly toMinutes: number;
  readonly days: readonly ('mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun')[];
  /** Of the IANA database. */
  readonly zone: string;
  /** Principal ids that work at any time. */
  readonly except: readonly string[];
}

/** Listed like a tool of its backend; nobody has a reason to call it. */
export interface DecoyConfig {
  readonly backend: string;
  readonly tool: string;
  readonly description: string;
  /** Names of its arguments, all texts. */
  readonly arguments: readonly string[];
}

export interface AlarmsConfig {
  readonly off: readonly AlarmRule[];
  readonly loop: LoopConfig;
  readonly rate: WindowConfig;
  readonly refusals: WindowConfig;
  /** How long habits are learned. */
  readonly learnMs: number;
  readonly hours?: HoursConfig;
  readonly decoys: readonly DecoyConfig[];
  /** How long it must be quiet before the same cause rings again. */
  readonly holdMs: number;
  /** Gets each alarm as JSON on stdin; no shell. */
  readonly command?: readonly string[];
  /** Gets each alarm as JSON by POST. */
  readonly webhook?: { readonly url: string } | { readonly share: string };
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Without an `alarms` key: what no normal agent does is logged and recorded, and nothing is held up. */
export const DEFAULT_ALARMS: AlarmsConfig = {
  off: [],
  loop: { calls: 20, withinMs: MINUTE_MS },
  rate: { calls: 600, withinMs: MINUTE_MS },
  refusals: { calls: 30, withinMs: 5 * MINUTE_MS },
  learnMs: 7 * 24 * HOUR_MS,
  decoys: [],
  holdMs: HOUR_MS,
};
