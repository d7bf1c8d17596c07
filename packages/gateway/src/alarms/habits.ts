// Detector: what an identity never did before. Learns which backends and tools each identity uses; who is new, and what is
// new of a backend that is new to it, is learned for a while without an alarm. A tool that is new to everybody rings for the
// first who calls it, and not for each that takes it up in the time after. Kept over restarts, and bounded.

import { asArray, asObject } from '../call/json.ts';
import { type Finding, inWords, seqsOf } from './finding.ts';
import { ALARM_CAPS as CAPS } from './limits.ts';
import type { ObservedCall } from './observed.ts';

interface Pair {
  readonly since: number;
  /** Since when each is called. */
  readonly tools: Map<string, number>;
}

interface Identity {
  readonly since: number;
  readonly backends: Map<string, Pair>;
}

export class Habits {
  private readonly learnMs: number;
  /** The one unseen for longest comes first. */
  private readonly identities: Map<string, Identity>;
  /** By backend and tool: since when anybody calls it. */
  private readonly firstUse = new Map<string, number>();
  private pairs = 0;
  private tools = 0;
  /** Something was learned that is not written yet. */
  dirty = false;

  constructor(learnMs: number, identities: Map<string, Identity> = new Map()) {
    this.learnMs = learnMs;
    this.identities = identities;
    for (const { backends } of identities.values()) {
      this.count(backends, 1);
      for (const [backend, { tools }] of backends) {
        for (const [tool, since] of tools) this.firstUsed(backend, tool, since);
      }
    }
  }

  see({ ident, backend, kind, target, wall, seq }: ObservedCall): Finding | undefined {
    if (backend === undefined) return undefined;
    const known = this.identity(ident, wall);
    const at = { ident, backend, count: 1, seqs: seqsOf(seq) };
    const pair = known.backends.get(backend);
    if (!pair) {
      if (this.pairs >= CAPS.pairs) return undefined;
      const fresh: Pair = { since: wall, tools: new Map() };
      known.backends.set(backend, fresh);
      this.pairs += 1;
      this.dirty = true;
      if (kind === 'tool' && target !== undefined) this.learn(fresh, backend, target, wall);
      if (wall - known.since < this.learnMs) return undefined;
      return { rule: 'new_backend', ...at, why: `it is known for ${this.span()} and never used ${backend}` };
    }
    if (kind !== 'tool' || target === undefined || pair.tools.has(target)) return undefined;
    const before = this.learn(pair, backend, target, wall);
    const taken = before !== wall && before !== undefined && wall - before < this.learnMs;
    if (before === undefined || taken || wall - pair.since < this.learnMs) return undefined;
    return {
      rule: 'new_tool',
      ...at,
      target,
      why: `it uses ${backend} for ${this.span()} and never called ${target}`,
    };
  }

  toJSON(): unknown {
    return [...this.identities].map(([id, { since, backends }]) => ({
      id,
      since,
      backends: [...backends].map(([backend, pair]) => ({
        backend,
        since: pair.since,
        tools: Object.fromEntries(pair.tools),
      })),
    }));
  }

  private identity(ident: string, wall: number): Identity {
    const known = this.identities.get(ident);
    if (known) {
      this.identities.delete(ident);
      this.identities.set(ident, known);
      return known;
    }
    const fresh = { since: wall, backends: new Map<string, Pair>() };
    this.identities.set(ident, fresh);
    this.dirty = true;
    const [oldest] = this.identities.keys();
    if (this.identities.size > CAPS.identities && oldest !== undefined) {
      this.count(this.identities.get(oldest)?.backends ?? new Map(), -1);
      this.identities.delete(oldest);
    }
    return fresh;
  }

  /** Since when anybody calls it; undefined: there was no room for it. */
  private learn({ tools }: Pair, backend: string, name: string, wall: number): number | undefined {
    if (tools.size >= CAPS.toolsPerPair || this.tools >= CAPS.tools) return undefined;
    tools.set(name, wall);
    this.tools += 1;
    this.dirty = true;
    return this.firstUsed(backend, name, wall);
  }

  private firstUsed(backend: string, tool: string, since: number): number {
    const key = `${backend}\n${tool}`;
    const first = Math.min(since, this.firstUse.get(key) ?? since);
    this.firstUse.set(key, first);
    const [oldest] = this.firstUse.keys();
    if (this.firstUse.size > CAPS.tools && oldest !== undefined) this.firstUse.delete(oldest);
    return first;
  }

  private count(backends: ReadonlyMap<string, Pair>, sign: 1 | -1): void {
    this.pairs += sign * backends.size;
    for (const { tools } of backends.values()) this.tools += sign * tools.size;
  }

  private span(): string {
    return this.learnMs < 1000 ? 'a while' : `${inWords(this.learnMs)} or more`;
  }
}

/** undefined: it is no list of habits. */
export function readHabits(value: unknown): Map<string, Identity> | undefined {
  const identities = new Map<string, Identity>();
  for (const one of asArray(value) ?? [undefined]) {
    const { id, since, backends } = asObject(one) ?? {};
    const pairs = readPairs(backends);
    if (typeof id !== 'string' || typeof since !== 'number' || !pairs) return undefined;
    identities.set(id, { since, backends: pairs });
  }
  return identities;
}

function readPairs(value: unknown): Map<string, Pair> | undefined {
  const list = asArray(value);
  if (!list) return undefined;
  const pairs = new Map<string, Pair>();
  for (const one of list) {
    const { backend, since, tools } = asObject(one) ?? {};
    const names = asObject(tools);
    if (typeof backend !== 'string' || typeof since !== 'number' || !names) return undefined;
    const known = new Map<string, number>();
    for (const [name, first] of Object.entries(names)) {
      if (typeof first !== 'number') return undefined;
      known.set(name, first);
    }
    pairs.set(backend, { since, tools: known });
  }
  return pairs;
}
