// A month of a team's traffic, made from a seed: people in office hours with their own tools, a few evenings, two machines that
// work at any time, a newcomer, polling, retries, refusals, an afternoon of a broken server, a tool that is new to everybody.
// Events are those of the audit log, with their time; nothing else is known to whoever looks at them.

import type { AuditEvent, CallFacts } from '../../src/audit/audit-log.ts';

export interface TimedEvent {
  readonly at: number;
  readonly event: AuditEvent;
}

/** A Monday, 00:00 UTC. */
export const MONTH_BEGINS = Date.parse('2026-06-01T00:00:00Z');
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const TOOLS: Readonly<Record<string, readonly string[]>> = {
  fs: ['read_file', 'list_directory', 'search_files', 'write_file', 'get_file_info', 'edit_file'],
  github: [
    'get_issue',
    'list_issues',
    'create_issue',
    'get_pull_request',
    'search_code',
    'add_comment',
    'list_commits',
  ],
  db: ['execute_sql', 'list_tables', 'describe_table', 'explain'],
  web: ['fetch', 'search'],
};

interface Person {
  readonly ident: string;
  readonly backends: readonly string[];
  /** Sessions on a day of work. */
  readonly sessions: number;
  /** First day of the month on which it comes. */
  readonly from: number;
  readonly machine?: boolean;
}

const PEOPLE: readonly Person[] = [
  ...['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi'].map((name, at) => ({
    ident: `ziti:${name}`,
    backends: at % 2 === 0 ? ['fs', 'github', 'web'] : ['fs', 'db', 'github'],
    sessions: 3 + (at % 3),
    from: 0,
  })),
  { ident: 'ziti:newcomer', backends: ['fs', 'github'], sessions: 3, from: 14 },
  { ident: 'ziti:nightly', backends: ['db', 'fs'], sessions: 2, from: 0, machine: true },
  { ident: 'ziti:monitor', backends: ['db'], sessions: 4, from: 0, machine: true },
];

export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** In the order of time. */
export function normalTraffic(seed: number, days: number): TimedEvent[] {
  const random = randomFrom(seed);
  const events: TimedEvent[] = [];
  for (let day = 0; day < days; day += 1) {
    for (const person of PEOPLE) {
      const weekend = day % 7 >= 5;
      if (day < person.from || (weekend && person.machine !== true)) continue;
      const sessions = person.machine ? person.sessions : Math.round(person.sessions * (0.4 + random() * 1.2));
      for (let count = 0; count < sessions; count += 1) {
        const begin =
          MONTH_BEGINS + day * DAY + (person.machine ? random() * 23 * HOUR : 7 * HOUR + random() * 9 * HOUR);
        session(person, begin, day, random, events);
      }
      // Somebody cannot let go, now and then.
      if (!person.machine && random() < 0.01)
        session(person, MONTH_BEGINS + day * DAY + 20.5 * HOUR, day, random, events);
    }
  }
  return events.sort((a, b) => a.at - b.at);
}

function session(person: Person, begin: number, day: number, random: () => number, events: TimedEvent[]): void {
  const { ident, backends } = person;
  let at = begin;
  const pick = <T>(from: readonly T[]): T =>
    from[Math.min(from.length - 1, Math.floor(random() ** 1.5 * from.length))] as T;
  const calls = 10 + Math.floor(random() * 60);
  for (let made = 0; made < calls; made += 1) {
    at += 300 + random() ** 3 * 60_000;
    const backend = pick(backends);
    // Learned of by everybody in the third week.
    const known = TOOLS[backend] ?? [];
    const target = backend === 'github' && day >= 17 && random() < 0.02 ? 'merge_pull_request' : pick(known);
    const kind = random();
    if (kind < 0.01) {
      // Something is not allowed, and tried again in two other ways.
      for (let tries = 0; tries < 3; tries += 1) {
        at += 1500;
        events.push({ at, event: refused(ident, backend, target) });
      }
    } else if (kind < 0.03) {
      // It waits for something, with the same question each five seconds.
      for (let asked = 0; asked < 12; asked += 1) {
        at += 5000;
        events.push({ at, event: called(ident, backend, target, { id: made }) });
      }
    } else if (kind < 0.04) {
      // A burst over many files.
      for (let file = 0; file < 60; file += 1) {
        at += 40 + random() * 100;
        events.push({ at, event: called(ident, backend, target, { path: `/src/${file}`, made }) });
      }
    } else if (kind < 0.05) {
      // Impatient: the same again a few times.
      for (let again = 0; again < 5; again += 1) {
        at += 800;
        events.push({ at, event: called(ident, backend, target, { again: made }) });
      }
    } else {
      events.push({ at, event: called(ident, backend, target, { made, of: Math.floor(random() * 1e9) }) });
    }
  }
}

export function called(ident: string, backend: string, target: string, args: unknown): AuditEvent {
  return { type: 'call.intent', session: 1, ident, ...facts(backend, target), args };
}

export function refused(ident: string, backend: string, target: string): AuditEvent {
  const outcome = { status: 'refused', code: -32602, ms: 0, bytes: 90 } as const;
  return { type: 'call.outcome', session: 1, ident, ...facts(backend, target), args: {}, ...outcome };
}

function facts(backend: string, target: string): CallFacts {
  return { method: 'tools/call', backend, kind: 'tool', target };
}

/** A thing that somebody should hear of once. */
export interface Incident {
  readonly name: string;
  readonly rule: string;
  readonly events: readonly TimedEvent[];
}

/** One of each kind on a day of the month, on top of the traffic. */
export function incidents(day: number): readonly Incident[] {
  const at = (hour: number, ms = 0): number => MONTH_BEGINS + day * DAY + hour * HOUR + ms;
  const many = (count: number, begin: number, everyMs: number, event: (nr: number) => AuditEvent): TimedEvent[] =>
    Array.from({ length: count }, (_none, nr) => ({ at: begin + nr * everyMs, event: event(nr) }));
  const touch: AuditEvent = {
    ...(called('ziti:carol', 'db', 'dump_credentials', { format: 'json' }) as Extract<
      AuditEvent,
      { type: 'call.intent' }
    >),
    type: 'call.outcome',
    status: 'error',
    code: 'isError',
    ms: 1,
    bytes: 80,
  };
  return [
    {
      name: 'a runaway loop',
      rule: 'loop',
      events: many(3000, at(10), 250, () => called('ziti:alice', 'fs', 'read_file', { path: '/same' })),
    },
    { name: 'a decoy touched at night', rule: 'decoy', events: many(4, at(2), 90_000, () => touch) },
    {
      name: 'a flood of refusals',
      rule: 'refusals',
      events: many(900, at(11), 400, (nr) => refused('ziti:bob', 'db', `table_${nr}`)),
    },
    {
      name: 'a flood of calls',
      rule: 'rate',
      events: many(5000, at(12), 40, (nr) => called('ziti:dave', 'fs', 'read_file', { path: `/all/${nr}` })),
    },
    {
      name: 'a stolen laptop at night',
      rule: 'hours',
      events: many(120, at(1), 45_000, (nr) => called('ziti:erin', 'fs', 'read_file', { path: `/home/${nr}` })),
    },
    {
      name: 'a backend it never used',
      rule: 'new_backend',
      events: many(30, at(13), 20_000, (nr) => called('ziti:grace', 'db', 'execute_sql', { query: `select ${nr}` })),
    },
    {
      name: 'a tool it never called',
      rule: 'new_tool',
      events: many(20, at(14), 20_000, (nr) => called('ziti:heidi', 'fs', 'delete_tree', { path: `/tmp/${nr}` })),
    },
  ];
}
