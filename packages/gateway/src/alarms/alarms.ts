// Alarms of one gateway: what goes on record is looked at by detectors, what they find rings once for each cause. Nothing here
// holds up or fails a call; what is held up is the brake's.

import type { AlarmsConfig } from '@mcp-overlay/config';
import type { AuditEvent, AuditLog } from '../audit/audit-log.ts';
import type { GatewayLog } from '../call/log.ts';
import { type Alarm, alarmOf } from './alarm.ts';
import { Brake } from './brake.ts';
import { type Cause, Causes } from './causes.ts';
import { type Decoys, decoysOf } from './decoys.ts';
import type { Output } from './deliver.ts';
import { type Detectors, detectors } from './detectors.ts';
import { Habits } from './habits.ts';
import { heardLog, unkeptLog } from './heard-log.ts';
import { type Observed, observe } from './observed.ts';
import { type Silence, Silences } from './silences.ts';
import type { AlarmState } from './state.ts';

export interface AlarmClock {
  wall(): number;
  mono(): number;
}

export interface AlarmsOptions {
  readonly config: AlarmsConfig;
  readonly state: AlarmState;
  readonly outputs: readonly Output[];
  /** Of the gateway, for whoever is told. */
  readonly gateway: string;
  readonly log: GatewayLog;
  readonly clock?: AlarmClock;
}

export interface OpenAlarm extends Alarm {
  readonly since: string;
  readonly last: string;
  /** Until then nobody is told of it. */
  readonly silencedUntil?: string;
}

export interface AlarmsStatus {
  /** The newest first. */
  readonly open: readonly OpenAlarm[];
  /** Alarms that an output did not take, since the start. */
  readonly undelivered: number;
}

export class Alarms {
  readonly brake: Brake | undefined;
  readonly decoys: Decoys;
  private readonly options: AlarmsOptions;
  private readonly clock: AlarmClock;
  private readonly habits: Habits;
  private readonly silences: Silences;
  private readonly causes: Causes;
  private readonly detect: Detectors;
  /** Where alarms go on record; undefined: nowhere. */
  private audit: AuditLog | undefined;

  constructor(options: AlarmsOptions) {
    const { config, state } = options;
    const { known } = state;
    this.options = options;
    this.clock = options.clock ?? { wall: Date.now, mono: () => performance.now() };
    this.brake = Brake.of(config.loop);
    this.decoys = decoysOf(config.decoys);
    this.habits = new Habits(config.learnMs, known.habits);
    this.silences = new Silences(known.silences);
    this.causes = new Causes(config.holdMs, this.silences, known.causes);
    this.detect = detectors(config, this.habits);
    state.keep({ habits: this.habits, causes: this.causes, silences: this.silences });
  }

  /** The log whose events are heard. undefined: nothing is kept, and all is heard. */
  listen(log: AuditLog | undefined): AuditLog {
    this.audit = log;
    const hear = (event: AuditEvent, seq: number | undefined): void => {
      this.guarded(() => observe(event, seq, this.times()));
    };
    return log ? heardLog(log, hear) : unkeptLog(hear);
  }

  /** A share behind us is hosted by somebody else, or does not prove what it proved. */
  hostDoubted(backend: string, code: string): void {
    this.guarded(() => ({ what: 'host', backend, code, ...this.times() }));
  }

  status(): AlarmsStatus {
    const wall = this.clock.wall();
    const undelivered = this.options.outputs.reduce((sum, { lost }) => sum + lost, 0);
    return { open: this.causes.open(wall).map((cause) => this.row(cause, wall)), undelivered };
  }

  silenced(): readonly Silence[] {
    return this.silences.active(this.clock.wall());
  }

  /** Whether there was room. */
  silence(what: string, ident: string | undefined, forMs: number): boolean {
    const wall = this.clock.wall();
    const done = this.silences.add({ what, until: wall + forMs, ...(ident !== undefined && { ident }) }, wall);
    this.options.state.note();
    return done;
  }

  unsilence(what: string, ident: string | undefined): number {
    const ended = this.silences.end(what, ident, this.clock.wall());
    this.options.state.note();
    return ended;
  }

  knows(id: string): boolean {
    return this.causes.has(id);
  }

  /** What is known over restarts, where another process goes on with it. */
  get state(): Pick<AlarmState, 'flush' | 'stopWriting'> {
    return this.options.state;
  }

  async close(): Promise<void> {
    await Promise.all(this.options.outputs.map((output) => output.close()));
    await this.options.state.close();
  }

  private times() {
    return { wall: this.clock.wall(), mono: this.clock.mono() };
  }

  /** A detector that fails is a fault of ours, and no reason to fail the call it looks at. */
  private guarded(see: () => Observed | undefined): void {
    try {
      const seen = see();
      if (!seen) return;
      for (const finding of this.detect(seen)) {
        const heard = this.causes.hear(finding, seen.wall);
        if (heard) this.tell(alarmOf(heard.cause), heard.become === 'silenced', seen.wall);
      }
      this.options.state.note();
    } catch (error) {
      this.options.log.warn({ error: String(error) }, 'alarms failed to look at an event');
    }
  }

  private tell(alarm: Alarm, silenced: boolean, wall: number): void {
    const { log, outputs, gateway } = this.options;
    const { id, rule, ident, backend, target, count, seqs, why } = alarm;
    if (!silenced) {
      log.warn({ alarm: id, rule, ident, backend, target, count, seqs, why }, 'alarm');
      const envelope = { at: new Date(wall).toISOString(), gateway };
      for (const output of outputs) output.tell(alarm, envelope);
    }
    this.audit?.append({ type: 'alarm', ...alarm, ...(silenced && { silenced }) }).catch((error: unknown) => {
      log.warn({ alarm: id, error: String(error) }, 'alarm is not on record');
    });
  }

  private row(cause: Cause, wall: number): OpenAlarm {
    const until = this.silences.covers(cause, wall)?.until;
    return {
      ...alarmOf(cause),
      since: new Date(cause.first).toISOString(),
      last: new Date(cause.last).toISOString(),
      ...(until !== undefined && { silencedUntil: new Date(until).toISOString() }),
    };
  }
}
