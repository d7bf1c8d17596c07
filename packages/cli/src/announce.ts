// The one line a serving program writes to stdout, and tables for people. Everything else goes to stderr. Secrets are
// taken out of both here (./output-filter.ts).

import { displaySafe, displaySafeJson, displaySafeLines } from './display-safe.ts';
import { withoutSecrets } from './output-filter.ts';

/** For a reader on stdout, as it is. */
export function print(text: string): void {
  process.stdout.write(withoutSecrets(text));
}

export function announce(fact: Readonly<Record<string, string>>): void {
  print(`${displaySafeJson(JSON.stringify(fact))}\n`);
}

export function printJson(value: unknown): void {
  print(`${displaySafeJson(JSON.stringify(value, null, 2))}\n`);
}

/** Columns padded to their widest cell; the head in capitals. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = [head.map((cell) => cell.toUpperCase()), ...rows.map((row) => row.map(oneLine))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  for (const line of lines) {
    const text = line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
    print(`${text.trimEnd()}\n`);
  }
}

/** A line for a person on stderr: lower-case, no final period, hints on lines of their own. */
export function say(text: string, hint?: string): void {
  const lines = hint === undefined ? text : `${text}\n  ${hint.replaceAll('\n', '\n  ')}`;
  process.stderr.write(`${displaySafeLines(withoutSecrets(lines))}\n`);
}

function oneLine(cell: string): string {
  return displaySafe(withoutSecrets(cell).replaceAll('\n', ' '));
}
