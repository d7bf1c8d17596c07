// Once at start each backend is tried without a client, so that the operator learns at once which one fails and why, and
// a first `npx` has downloaded before anybody waits for it. A failing one is tried again until it answers.

import type { BackendSession } from '../backend/backend-session.ts';
import { ALONE, openAlone } from './alone.ts';
import type { SessionSettings } from './settings.ts';

/** Servers that start at the same time: each costs a third of a second of a core. */
const AT_ONCE = 4;

export interface Probes {
  close(): Promise<void>;
}

export function openProbes(settings: SessionSettings): Probes {
  const open = new Set<BackendSession>();
  // One that only serves identities with a credential of their own is not tried with none.
  const waiting = settings.backends.filter(({ backend }) => backend.serves(ALONE));
  let closed = false;
  const probe = async (one: (typeof waiting)[number]): Promise<void> => {
    one.health.saw('starting');
    const session = openAlone(one, settings, (joined) => {
      void joined.close().then(() => open.delete(joined));
    });
    open.add(session);
    await session.settled;
  };
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next && !closed; next = waiting.shift()) await probe(next);
  };
  for (let worker = 0; worker < AT_ONCE; worker += 1) void work();
  return {
    close: async () => {
      closed = true;
      await Promise.all([...open].map((session) => session.close()));
    },
  };
}
