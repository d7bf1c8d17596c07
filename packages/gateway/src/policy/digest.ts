// One number for what rules mean: the same rules, wherever they stand in a file, have the same digest.

import { createHash } from 'node:crypto';
import type { PolicyConfig } from '@mcp-overlay/config';

export function digestOf({ file: _file, ...meaning }: PolicyConfig): string {
  return `sha256:${createHash('sha256')
    .update(JSON.stringify(plain(meaning)))
    .digest('hex')}`;
}

/** Keys in order, maps as lists, places left out. */
function plain(value: unknown): unknown {
  if (value instanceof Map) return [...value].map(([key, inner]) => [key, plain(inner)]);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key, inner]) => key !== 'spot' && inner !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, plain(inner)]));
}
