// What an access token and everybody who narrowed it let through. They bind whatever the rules say, in shadow mode too: the
// holder relies on them, and they are no rules of this gateway.

import type { Restriction } from '@mcp-overlay/overlay';
import type { PolicyRequest } from './policy.ts';
import { type Covers, compileSelection, targetOf } from './target.ts';

const known = new WeakMap<Restriction, Covers>();

/** Whether every one lets it through. */
export function withinAll(restrictions: readonly Restriction[], request: PolicyRequest): boolean {
  return restrictions.every((one) => lets(one, request));
}

function lets(restriction: Restriction, { backend, kind, name }: PolicyRequest): boolean {
  const covers = coversOf(restriction);
  if (!covers.backend(backend)) return false;
  // What concerns a task goes with the tools.
  if (kind === 'task') return covers.kind('tool');
  return covers.all(targetOf(kind, name));
}

export function restrictionReaches(restriction: Restriction, backend: string): boolean {
  return coversOf(restriction).backend(backend);
}

function coversOf(restriction: Restriction): Covers {
  const covers = known.get(restriction) ?? compileSelection(restriction, { methods: true });
  known.set(restriction, covers);
  return covers;
}
