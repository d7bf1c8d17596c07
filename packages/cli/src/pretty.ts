// One JSON log line as a line for a person: time, level, event, fields.

import { displaySafe, displaySafeLines } from './display-safe.ts';

const LEVELS: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };
const HIDDEN = new Set(['level', 'time', 'pid', 'program', 'msg', 'hint']);

export function prettyLine(line: string): string {
  const record = JSON.parse(line) as Record<string, unknown>;
  const time = typeof record.time === 'string' ? record.time.slice(11, 23) : '';
  const level = LEVELS[record.level as number] ?? String(record.level);
  const fields = Object.entries(record)
    .filter(([key]) => !HIDDEN.has(key))
    .map(
      ([key, value]) =>
        `${key}=${typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : displaySafe(JSON.stringify(value))}`,
    );
  const hint = typeof record.hint === 'string' ? `\n  ${displaySafeLines(record.hint)}` : '';
  return `${[time, level.padEnd(5), displaySafe(String(record.msg)), ...fields].join(' ')}${hint}\n`;
}
