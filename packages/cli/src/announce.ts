// The one line a serving program writes to stdout, and tables for people. Everything else goes to stderr.

import { displaySafe, displaySafeJson, displaySafeLines } from './display-safe.ts';

export function announce(fact: Readonly<Record<string, string>>): void {
  process.stdout.write(`${displaySafeJson(JSON.stringify(fact))}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${displaySafeJson(JSON.stringify(value, null, 2))}\n`);
}

/** Columns padded to their widest cell; the head in capitals. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = [head.map((cell) => cell.toUpperCase()), ...rows.map((row) => row.map(oneLine))];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  for (const line of lines) {
    const text = line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
    process.stdout.write(`${text.trimEnd()}\n`);
  }
}

/** A line for a person on stderr: lower-case, no final period, hints on lines of their own. */
export function say(text: string, hint?: string): void {
  const lines = hint === undefined ? text : `${text}\n  ${hint.replaceAll('\n', '\n  ')}`;
  process.stderr.write(`${displaySafeLines(lines)}\n`);
}

function oneLine(cell: string): string {
  return displaySafe(cell.replaceAll('\n', ' '));
}
