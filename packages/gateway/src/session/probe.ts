// Once at start, or when it is new in the configuration, each backend is tried without a client, so that the operator learns at
// once which one fails and why, and a first `npx` has downloaded before anybody waits for it. A failing one is tried again
// until it answers.

import type { BackendSession } from '../backend/backend-session.ts';
import { ALONE, openAlone } from './alone.ts';
import type { SessionSettings } from './settings.ts';

/** Servers that start at the same time: each costs a third of a second of a core. */
const AT_ONCE = 4;

type Probed = SessionSettings['backends'][number];

export interface Probes {
  /** From now on these, with what else is said now; of those that are tried already nothing changes. */
  use(settings: SessionSettings): Promise<void>;
  close(): Promise<void>;
}

export function openProbes(settings: SessionSettings): Probes {
  const open = new Map<BackendSession, Probed['backend']>();
  let known: readonly Probed['backend'][] = [];
  let waiting: { readonly one: Probed; readonly settings: SessionSettings }[] = [];
  let working = 0;
  let closed = false;
  const probe = async ({ one, settings }: (typeof waiting)[number]): Promise<void> => {
    one.health.saw('starting');
    const session = openAlone(one, settings, (joined) => {
      void joined.close().then(() => open.delete(joined));
    });
    open.set(session, one.backend);
    await session.settled;
  };
  const work = async (): Promise<void> => {
    working += 1;
    for (let next = waiting.shift(); next && !closed; next = waiting.shift()) await probe(next);
    working -= 1;
  };
  const add = (settings: SessionSettings, those: readonly Probed[]): void => {
    // One that only serves identities with a credential of their own is not tried with none.
    for (const one of those) if (one.backend.serves(ALONE)) waiting.push({ one, settings });
    known = settings.backends.map(({ backend }) => backend);
    while (working < AT_ONCE && waiting.length > 0) void work();
  };
  add(settings, settings.backends);
  return {
    use: async (settings) => {
      const wanted = new Set(settings.backends.map(({ backend }) => backend));
      waiting = waiting.filter(({ one }) => wanted.has(one.backend));
      const gone = [...open].filter(([, backend]) => !wanted.has(backend)).map(([session]) => session);
      for (const session of gone) open.delete(session);
      add(
        settings,
        settings.backends.filter(({ backend }) => !known.includes(backend)),
      );
      await Promise.all(gone.map((session) => session.close()));
    },
    close: async () => {
      closed = true;
      await Promise.all([...open.keys()].map((session) => session.close()));
    },
  };
}
