// A child's stderr: kept (a ring of the last bytes), cleaned (a server must not steer our operator's terminal) and
// shown at a bounded rate. It never reaches our stdout, and a child that floods it slows down nobody but itself.

import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Clock } from './rate.ts';
import { RateWindow } from './rate.ts';

/** Longer lines are cut in pieces: a line is for a person. */
const MAX_LINE_CHARS = 2000;
/** A line without an end is waited for as long as this, so that what is hidden in it is found whole. */
const MAX_PARTIAL_CHARS = 64 * 1024;
/** Shown per window; a stack trace of a start that failed fits many times. */
const SHOWN_LINES = 200;
const SHOWN_BYTES = 64 * 1024;
const SHOWN_WINDOW_MS = 10_000;
/** Read without a pause in between: cleaning 1 MiB costs about 10 ms of our one thread. */
const BURST_BYTES = 256 * 1024;
const BURST_PAUSE_MS = 250;

export interface DiagnosticsOptions {
  readonly input: Readable;
  readonly name: string;
  readonly maxBytes: number;
  readonly now: Clock;
  readonly onLine?: ((line: string) => void) | undefined;
  /** Takes out what must not be shown. */
  readonly hide?: ((text: string) => string) | undefined;
}

export interface Diagnostics {
  /** The last `maxBytes` of it, cleaned, lines ended by newlines. */
  tail(): string;
  /** The child is dead: reads the rest without pauses and resolves at the end. */
  readRest(): Promise<void>;
}

export function readDiagnostics(options: DiagnosticsOptions): Diagnostics {
  const { input, name, maxBytes, now, onLine, hide = (text: string) => text } = options;
  const decoder = new StringDecoder('utf8');
  const rate = new RateWindow(SHOWN_WINDOW_MS, now);
  let kept = '';
  let partial = '';
  let hidden = 0;
  let burst = 0;
  let pause: NodeJS.Timeout | undefined;
  let unbounded = false;

  function line(text: string): void {
    if (text === '') return;
    kept += `${text}\n`;
    if (kept.length > 2 * maxBytes) kept = lastBytes(kept, maxBytes);
    if (onLine === undefined) return;
    const sums = rate.add(text.length);
    if (sums.events > SHOWN_LINES || sums.bytes > SHOWN_BYTES) {
      hidden += 1;
      return;
    }
    tellHidden();
    onLine(`[${name}] ${text}`);
  }

  function tellHidden(): void {
    if (hidden > 0) onLine?.(`[${name}] (${hidden} more lines not shown)`);
    hidden = 0;
  }

  function take(text: string): void {
    // A carriage return alone redraws a progress bar: each state is a line of its own.
    const lines = (partial + text).split(/[\r\n]+/);
    partial = lines.pop() ?? '';
    for (const whole of lines) pieces(whole);
    if (partial.length > MAX_PARTIAL_CHARS) {
      pieces(partial);
      partial = '';
    }
  }

  function pieces(raw: string): void {
    const whole = hide(cleanLine(raw));
    for (let at = 0; at < whole.length; at += MAX_LINE_CHARS) line(whole.slice(at, at + MAX_LINE_CHARS).trimEnd());
  }

  function goOn(): void {
    if (pause !== undefined) clearTimeout(pause);
    pause = undefined;
    burst = 0;
    input.resume();
  }

  input.on('data', (chunk: Buffer) => {
    take(decoder.write(chunk));
    burst += chunk.length;
    if (burst < BURST_BYTES || pause !== undefined || unbounded) return;
    // The pipe fills up and the child waits in its own write: back-pressure is the only thing a flood understands.
    input.pause();
    pause = setTimeout(goOn, BURST_PAUSE_MS);
    pause.unref();
  });
  const ended = new Promise<void>((resolve) => {
    input.on('error', () => {});
    input.once('close', () => {
      if (pause !== undefined) clearTimeout(pause);
      take(`${decoder.end()}\n`);
      tellHidden();
      resolve();
    });
  });
  return {
    tail: () => lastBytes(kept + hide(cleanLine(partial)), maxBytes),
    readRest() {
      unbounded = true;
      goOn();
      return ended;
    },
  };
}

/** Terminal sequences are removed, other control characters, direction marks and line separators made visible. */
export function cleanLine(raw: string): string {
  return raw
    .replace(/\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)?|[@-Z\\-_])/g, '')
    .replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, '\ufffd')
    .trimEnd();
}

/** The line of a dead child's stderr that says why: the last that looks like an error, else the last that is no footer.
 *  Node ends every crash report with its version, below a stack trace. */
export function tellingLine(tail: string): string | undefined {
  const last = saying(tail).slice(-40);
  const telling =
    last.findLast((line) => /error|exception|panic|fatal|cannot|not found|denied|no such|usage/i.test(line)) ??
    last.at(-1);
  return telling?.trim().slice(0, 300);
}

/** The last lines, for people; each is cut. */
export function lastLines(tail: string, count: number): string[] {
  return saying(tail)
    .slice(-count)
    .map((line) => line.trim().slice(0, 300));
}

/** Without stack traces, and what stands below them. */
function saying(tail: string): string[] {
  return tail.split('\n').filter((line) => line.trim() !== '' && !/^(Node\.js v|\s+at |\})/.test(line));
}

function lastBytes(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const cut = bytes.subarray(bytes.length - maxBytes);
  // From the first whole line on, so that no character and no line is cut in two.
  return cut.subarray(cut.indexOf(10) + 1).toString();
}
