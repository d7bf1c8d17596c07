// Which methods each era has. What stands in neither table is an extension's: it passes as it is.
// Source: specification 2026-07-28, changelog and schema; 2025-11-25, schema.

import type { ListKind } from '../methods.ts';

/** Removed by 2026-07-28: a modern client that asks for one is told that there is no such method. */
export const LEGACY_ONLY: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
  'tasks/list',
  'tasks/result',
]);

/** Both eras have tasks, under the same names and with nothing in common: neither kind is shown to a client of the other. */
export function isTaskMethod(method: string): boolean {
  return method.startsWith('tasks/');
}

export const LISTEN = 'subscriptions/listen';
export const DISCOVER = 'server/discover';
export const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';
export const CANCELLED = 'notifications/cancelled';
export const PROGRESS = 'notifications/progress';
export const LOG = 'notifications/message';
export const UPDATED = 'notifications/resources/updated';

/** Only these may be answered with `input_required` (specification 2026-07-28, MRTR "Supported Requests"). */
export const ASKING: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

/** Complete results of these carry `ttlMs` and `cacheScope` (server/utilities/caching). */
export const CACHEABLE: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

/** What a result is taken for that says nothing itself: stale at once, and nobody else's. */
export const UNCACHED = { ttlMs: 0, cacheScope: 'private' } as const;

/** Members of the filter of `subscriptions/listen`, by the notification that each asks for. */
export const FILTERS: Readonly<Record<ListKind['changed'], string>> = {
  'notifications/tools/list_changed': 'toolsListChanged',
  'notifications/prompts/list_changed': 'promptsListChanged',
  'notifications/resources/list_changed': 'resourcesListChanged',
};

export const TASKS = 'io.modelcontextprotocol/tasks';

/** Least first (RFC 5424). */
export const LOG_LEVELS: readonly string[] = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
];
