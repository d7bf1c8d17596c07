// The one line a serving program writes to stdout, and tables for people. Everything else goes to stderr. Secrets are
// taken out of both here (./output-filter.ts).

import { withoutSecrets } from './output-filter.ts';

/** Names and reasons come from servers: what would steer the terminal or turn its reading direction is not shown. */
const STEERING = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/gu;

/** For a reader on stdout, as it is. */
export function print(text: string): void {
  process.stdout.write(withoutSecrets(text));
}

export function announce(fact: Readonly<Record<string, string>>): void {
  print(`${JSON.stringify(fact)}\n`);
}

export function printJson(value: unknown): void {
  print(`${JSON.stringify(value, null, 2)}\n`);
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
  process.stderr.write(`${withoutSecrets(lines).replace(STEERING, '?')}\n`);
}

function oneLine(cell: string): string {
  return withoutSecrets(cell).replaceAll('\n', ' ').replace(STEERING, '?');
}
