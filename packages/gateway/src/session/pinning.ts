// How a session's lists and greetings are held against the pins. A server may list by who asks and what he can do: that is the
// kind of client its lists are compared for.

import { canonical, type Era, type ListKind } from '@mcp-overlay/relay';
import type { BackendSession } from '../backend/backend-session.ts';
import type { Caller } from '../backend/credentials.ts';
import { asString, type JsonObject } from '../call/json.ts';
import { clientKind, type Pins } from '../pins/open.ts';
import type { Pinned } from '../routing/catalog.ts';

/** What the client told, as far as servers may list by it. */
export interface Declared {
  readonly version: unknown;
  readonly capabilities: unknown;
}

export interface SessionPins extends Pinned {
  greeted(backend: BackendSession, welcome: JsonObject): JsonObject;
  /** How it greeted such a client before. */
  greeting(backend: BackendSession): JsonObject | undefined;
  /** It is still starting, and what is known answers in its place: for this list, or the greeting. */
  tells(backend: BackendSession, kind?: ListKind): boolean;
}

export function pinnedFor(
  pins: Pins | undefined,
  era: Era,
  caller: Caller,
  declared: () => Declared,
): SessionPins | undefined {
  if (!pins) return undefined;
  const kindOf = ({ backend }: BackendSession): string => {
    const { version, capabilities } = declared();
    return clientKind(backend.seat?.(caller), era, asString(version), canonical(capabilities ?? {}));
  };
  const greeting = (backend: BackendSession): JsonObject | undefined => pins.greeting(backend.id, kindOf(backend));
  const known: Pinned['known'] = (backend, kind) => pins.known(backend.id, kind.member, kindOf(backend));
  return {
    get strictCalls() {
      return pins.strictCalls;
    },
    judge: (backend, kind, entries) => {
      const items = entries.map(({ item }) => item);
      const verdicts = pins.judge(backend.id, kind.member, kindOf(backend), items);
      if (!verdicts) return entries;
      return entries.map((entry, at) => {
        const verdict = verdicts[at];
        if (verdict && 'serve' in verdict) return { ...entry, item: verdict.serve };
        return { ...entry, withheld: verdict?.withheld ?? 'unapproved' };
      });
    },
    known,
    greeting,
    tells: (backend, kind) => backend.starting && (kind ? known(backend, kind) : greeting(backend)) !== undefined,
    greeted: (backend, welcome) => pins.greeted(backend.id, kindOf(backend), welcome),
  };
}
