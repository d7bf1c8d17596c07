// What a server says of one tool, prompt or resource, as one text: members sorted, numbers as they were written where a
// double cannot carry them, strings untouched. Two definitions are the same if these texts are.

import { createHash } from 'node:crypto';
import { RawJson } from '@mcp-overlay/relay';
import type { JsonObject } from '../call/json.ts';

/** How long a list may be kept: of the answer, not of the definition. */
const NOT_PART = new Set(['ttlMs', 'cacheScope']);

export interface Definition {
  readonly text: string;
  /** `sha256:` and 64 hex digits of the text. */
  readonly hash: string;
}

export function definitionOf(item: JsonObject): Definition {
  const text = sorted(Object.fromEntries(Object.entries(item).filter(([key]) => !NOT_PART.has(key))));
  return { text, hash: `sha256:${createHash('sha256').update(text).digest('hex')}` };
}

function sorted(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map(sorted).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    // By code units, as Array.prototype.sort does without a locale.
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${sorted(member)}`);
  return `{${members.join(',')}}`;
}
