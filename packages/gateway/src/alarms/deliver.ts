// Hands alarms to outputs that may be slow or broken: a few at a time, a few waiting, and nothing of it holds up a call. What
// was not delivered is logged and counted.

import { within } from '@mcp-overlay/relay';
import type { GatewayLog } from '../call/log.ts';
import type { Alarm } from './alarm.ts';
import { ALARM_CAPS as CAPS } from './limits.ts';

/** As JSON; ends itself when the signal says so. */
export type Send = (text: string, signal: AbortSignal) => Promise<void>;

/** What a receiver gets, besides the alarm itself. */
export interface Envelope {
  readonly at: string;
  readonly gateway: string;
}

/** How long whoever closes waits for what is under way. */
const CLOSE_MS = 1500;

export class Output {
  readonly name: string;
  private readonly send: Send;
  private readonly log: GatewayLog;
  private readonly abort = new AbortController();
  private readonly waiting: string[] = [];
  private readonly open = new Set<Promise<void>>();
  /** Alarms that nobody got. */
  lost = 0;

  constructor(name: string, send: Send, log: GatewayLog) {
    this.name = name;
    this.send = send;
    this.log = log;
  }

  tell(alarm: Alarm, envelope: Envelope): void {
    if (this.waiting.length >= CAPS.waiting) {
      this.lose(`${CAPS.waiting} alarms wait already`);
      return;
    }
    this.waiting.push(JSON.stringify({ ...envelope, ...alarm }));
    this.next();
  }

  async close(): Promise<void> {
    await within(CLOSE_MS, this.idle());
    this.abort.abort();
    await Promise.all(this.open);
  }

  private async idle(): Promise<void> {
    while (this.open.size > 0) await Promise.all(this.open);
  }

  private next(): void {
    if (this.open.size >= CAPS.sending || this.abort.signal.aborted) return;
    const text = this.waiting.shift();
    if (text === undefined) return;
    const sending: Promise<void> = this.send(text, this.abort.signal)
      .catch((error: unknown) => this.lose(error instanceof Error ? error.message : String(error)))
      .finally(() => {
        this.open.delete(sending);
        this.next();
      });
    this.open.add(sending);
  }

  private lose(why: string): void {
    this.lost += 1;
    this.log.warn({ output: this.name, why }, 'alarm was not delivered');
  }
}
