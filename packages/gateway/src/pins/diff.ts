// A definition as lines that are safe to show, and what differs between two of them. Each line names the way to its value, so
// that no text can pretend to be another member.

import { stringifyExact } from '@mcp-overlay/relay';
import { asObject } from '../call/json.ts';
import { inOrder } from './in-order.ts';

/** Above, the changed middle is shown as taken out and put in. */
const MAX_CELLS = 4_000_000;
const LINE_CHARS = 160;
const AROUND = 2;

export function linesOf(value: unknown): string[] {
  return flat('', value);
}

function flat(path: string, value: unknown): string[] {
  if (typeof value === 'string') return textLines(path, value);
  const members = Array.isArray(value)
    ? value.map((one, at) => [`[${at}]`, one] as const)
    : Object.entries(isPlain(value) ? (asObject(value) ?? {}) : {}).map(
        ([key, one]) => [stepOf(path, key), one] as const,
      );
  if (members.length === 0) return [`${path}: ${inOrder(stringifyExact(value))}`];
  return members.flatMap(([step, one]) => flat(`${path}${step}`, one));
}

/** Numbers as they were written are objects, and values. */
function isPlain(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function stepOf(path: string, key: string): string {
  if (/^[A-Za-z_$][\w$-]*$/.test(key)) return path === '' ? key : `.${key}`;
  return `[${inOrder(JSON.stringify(key))}]`;
}

function textLines(path: string, text: string): string[] {
  const parts = text.split('\n').flatMap((line) => line.match(new RegExp(`.{1,${LINE_CHARS}}`, 'gsu')) ?? ['']);
  return parts.map(
    (part, at) =>
      (at === 0 ? `${path}: "${inOrder(part)}` : `${path} … ${inOrder(part)}`) + (at === parts.length - 1 ? '"' : ''),
  );
}

/** Lines with `-`, `+` or a blank before them; `…` where equal ones are left out. */
export function diffOf(before: readonly string[], after: readonly string[]): string[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < Math.min(before.length, after.length) - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const [old, fresh] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)];
  const marked = [
    ...before.slice(0, head).map((line) => `  ${line}`),
    ...middle(old, fresh),
    ...before.slice(before.length - tail).map((line) => `  ${line}`),
  ];
  return around(marked);
}

function middle(old: readonly string[], fresh: readonly string[]): string[] {
  const all = [...old.map((line) => `- ${line}`), ...fresh.map((line) => `+ ${line}`)];
  if (old.length * fresh.length > MAX_CELLS) return all;
  const width = fresh.length + 1;
  const longest = new Uint32Array((old.length + 1) * width);
  for (let a = old.length - 1; a >= 0; a -= 1) {
    for (let b = fresh.length - 1; b >= 0; b -= 1) {
      const [down, right] = [longest[(a + 1) * width + b] ?? 0, longest[a * width + b + 1] ?? 0];
      longest[a * width + b] =
        old[a] === fresh[b] ? (longest[(a + 1) * width + b + 1] ?? 0) + 1 : Math.max(down, right);
    }
  }
  const lines: string[] = [];
  let [a, b] = [0, 0];
  while (a < old.length || b < fresh.length) {
    if (a < old.length && b < fresh.length && old[a] === fresh[b]) {
      lines.push(`  ${old[a]}`);
      a += 1;
      b += 1;
    } else if (
      b >= fresh.length ||
      (a < old.length && (longest[(a + 1) * width + b] ?? 0) >= (longest[a * width + b + 1] ?? 0))
    ) {
      lines.push(`- ${old[a]}`);
      a += 1;
    } else {
      lines.push(`+ ${fresh[b]}`);
      b += 1;
    }
  }
  return lines;
}

function around(lines: readonly string[]): string[] {
  const kept = new Set<number>();
  for (const [at, line] of lines.entries()) {
    if (line.startsWith(' ')) continue;
    for (let near = at - AROUND; near <= at + AROUND; near += 1) kept.add(near);
  }
  const shown: string[] = [];
  for (const [at, line] of lines.entries()) {
    if (kept.has(at)) shown.push(line);
    else if (shown.at(-1) !== '  …') shown.push('  …');
  }
  return shown;
}
