// Notifications of clients that say how they are, not what shall be done: they pass unjudged and unrecorded.

const HARMLESS: ReadonlySet<string> = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
  'notifications/tasks/status',
]);

export function isHarmless(method: string): boolean {
  return HARMLESS.has(method);
}
