// Definitions as servers have them, made from a seed, and every way to change one byte of one.

import { parseExact } from '@mcp-overlay/relay';
import type { JsonObject } from '../../src/call/json.ts';
import { PinBook } from '../../src/pins/pin-book.ts';

/** Mulberry32: small, and the same everywhere. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const WORDS = [
  'read',
  'file',
  'the',
  'path',
  'of',
  'a',
  'Größe',
  '文件',
  '🙂',
  'line\nbreak',
  'list',
  'query',
  '0.1',
  'null',
];

export function definitions(count: number, random: () => number): JsonObject[] {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  const text = (words: number): string => Array.from({ length: words }, () => pick(WORDS)).join(' ');
  return Array.from({ length: count }, (_, at) => {
    const properties = Object.fromEntries(
      Array.from({ length: 1 + Math.floor(random() * 3) }, (_, p) => [
        `p${p}`,
        { type: pick(['string', 'number']), description: text(3), default: pick([0, 1.5, -0, true, null, 'x']) },
      ]),
    );
    return { name: `tool_${at}`, description: text(6), inputSchema: { type: 'object', properties, required: ['p0'] } };
  });
}

export interface Counts {
  hidden: number;
  /** Still the same definition: JSON of another spelling. */
  same: number;
  /** No JSON, or another tool. */
  other: number;
  wrong: string[];
}

/**
 * For each definition: unchanged once, then each byte of it changed to any other, and where that is no definition of this
 * tool any more, to a letter. `stride`: only every so many bytes.
 */
export function changeEveryByte(items: readonly JsonObject[], random: () => number, stride: number): Counts {
  const counts: Counts = { hidden: 0, same: 0, other: 0, wrong: [] };
  const book = new PinBook({ mode: () => 'first-use' });
  const judge = (all: readonly JsonObject[]) => book.judge({ backend: 'b', list: 'tools', client: 'c', items: all });
  judge(items);
  if (!judge(items.map((item) => structuredClone(item))).every((one) => 'serve' in one)) counts.wrong.push('unchanged');
  for (const item of items) {
    const bytes = Buffer.from(JSON.stringify(item));
    for (let at = Math.floor(random() * stride); at < bytes.length; at += stride) {
      const before = bytes[at] ?? 0;
      bytes[at] = (before + 1 + Math.floor(random() * 255)) % 256;
      if (!count(bytes, item, judge, counts)) {
        const letter = 97 + Math.floor(random() * 26);
        bytes[at] = letter === before ? 65 : letter;
        if (!count(bytes, item, judge, counts)) counts.other += 1;
      }
      bytes[at] = before;
    }
  }
  return counts;
}

/** false: no JSON, or another tool. */
function count(
  bytes: Buffer,
  item: JsonObject,
  judge: (items: readonly JsonObject[]) => readonly object[],
  counts: Counts,
): boolean {
  let changed: JsonObject;
  try {
    changed = parseExact(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown as JsonObject;
  } catch {
    return false;
  }
  if (changed.name !== item.name) return false;
  const [verdict = {}] = judge([changed]);
  const same = equal(changed, item);
  if ('serve' in verdict !== same) counts.wrong.push(bytes.toString());
  else if (same) counts.same += 1;
  else counts.hidden += 1;
  return true;
}

/** Another judge than the one that is tested: member by member. */
function equal(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(plain(a), plain(b));
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  return keys.length === others.length && keys.every((key) => equal((a as JsonObject)[key], (b as JsonObject)[key]));
}

/** -0 is written as 0. */
function plain(value: unknown): unknown {
  return value === 0 ? 0 : value;
}
