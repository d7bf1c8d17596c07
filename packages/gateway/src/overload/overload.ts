// The monitor of a running gateway: reads every 250 ms, says each change of level in the log, and answers those who ask
// before they take something new. Nothing that is being done is given up.

import type { Refusal } from '@mcp-overlay/relay';
import type { GatewayLog } from '../call/log.ts';
import { OverloadMeter, type OverloadState } from './meter.ts';
import { openVitals, type VitalsReader } from './vitals.ts';

export interface Overload {
  state(): OverloadState;
  /** Why no new session is taken. One that comes back is none, as long as there is memory for it: all do after a restart,
   *  which is the very moment when a process is slow. */
  turnAway(returning?: boolean): Refusal | undefined;
  /** When a refused call may come again; undefined: it is taken. */
  retryCallMs(): number | undefined;
  /** Whether to make anything ready that nobody asked for yet. */
  mayPrepare(): boolean;
  /** Memory or files are short at level 2: what is idle should give back what it has. Called with each reading. */
  whenShort(give: () => void): void;
  close(): void;
}

export interface OverloadOptions {
  readonly log: GatewayLog;
  readonly vitals?: VitalsReader;
  readonly everyMs?: number;
}

const EVERY_MS = 250;
const RETRY_SESSION_MS = 2000;
const RETRY_CALL_MS = 1000;

export function openOverload(options: OverloadOptions): Overload {
  const { log, vitals = openVitals(), everyMs = EVERY_MS } = options;
  let give: () => void = () => {};
  const meter = new OverloadMeter();
  const timer = setInterval(() => {
    const before = meter.state.level;
    const news = meter.feed(vitals.read());
    const { level, worst, value } = meter.state;
    if (news) log[level > before ? 'warn' : 'info']({ level, worst, value: Number(value.toFixed(3)) }, 'overload');
    // Sessions that are closed cost the loop more than they give back.
    if (level === 2 && worst !== 'lag') give();
  }, everyMs);
  timer.unref();
  return {
    state: () => meter.state,
    turnAway: (returning = false) => (meter.state.level > (returning ? 1 : 0) ? TURNED_AWAY : undefined),
    retryCallMs: () => (meter.state.level > 1 ? RETRY_CALL_MS : undefined),
    mayPrepare: () => meter.state.level === 0,
    whenShort: (then) => {
      give = then;
    },
    close: () => {
      clearInterval(timer);
      vitals.close();
    },
  };
}

const TURNED_AWAY: Refusal = {
  code: 'busy',
  reason: 'this gateway is overloaded and takes no new sessions now',
  retryMs: RETRY_SESSION_MS,
};
