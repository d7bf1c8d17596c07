// How long a list may be kept, and by whom, where it is put together from several.

import { UNCACHED } from '@mcp-overlay/relay';
import type { JsonObject } from '../call/json.ts';

export interface CacheHints {
  readonly ttlMs: number;
  readonly cacheScope: 'public' | 'private';
}

export function hintsOf({ ttlMs, cacheScope }: JsonObject): CacheHints {
  const ms = typeof ttlMs === 'number' && Number.isSafeInteger(ttlMs) && ttlMs > 0 ? ttlMs : 0;
  return { ttlMs: ms, cacheScope: cacheScope === 'public' ? 'public' : 'private' };
}

export function mergeHints(hints: readonly CacheHints[]): CacheHints {
  if (hints.length === 0) return UNCACHED;
  return {
    ttlMs: Math.min(...hints.map(({ ttlMs }) => ttlMs)),
    cacheScope: hints.every(({ cacheScope }) => cacheScope === 'public') ? 'public' : 'private',
  };
}
