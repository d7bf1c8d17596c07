// Detector: what an identity never did before. Learns which backends and tools each identity uses; who is new, and what is
// new of a backend that is new to it, is learned for a while without an alarm. Kept over restarts, and bounded.

import { asArray, asObject, asString } from '../call/json.ts';
import { type Finding, inWords, seqsOf } from './finding.ts';
import { ALARM_CAPS as CAPS } from './limits.ts';
import type { ObservedCall } from './observed.ts';

interface Pair {
  readonly since: number;
  readonly tools: Set<string>;
}

interface Identity {
  readonly since: number;
  readonly backends: Map<string, Pair>;
}

export class Habits {
  private readonly learnMs: number;
  /** The one unseen for longest comes first. */
  private readonly identities: Map<string, Identity>;
  private pairs = 0;
  private tools = 0;
  /** Something was learned that is not written yet. */
  dirty = false;

  constructor(learnMs: number, identities: Map<string, Identity> = new Map()) {
    this.learnMs = learnMs;
    this.identities = identities;
    for (const { backends } of identities.values()) this.count(backends, 1);
  }

  see({ ident, backend, kind, target, wall, seq }: ObservedCall): Finding | undefined {
    if (backend === undefined) return undefined;
    const known = this.identity(ident, wall);
    const at = { ident, backend, count: 1, seqs: seqsOf(seq) };
    const pair = known.backends.get(backend);
    if (!pair) {
      if (this.pairs >= CAPS.pairs) return undefined;
      const tools = new Set<string>();
      known.backends.set(backend, { since: wall, tools });
      this.pairs += 1;
      this.dirty = true;
      if (kind === 'tool' && target !== undefined) this.learn(tools, target);
      if (wall - known.since < this.learnMs) return undefined;
      return { rule: 'new_backend', ...at, why: `it is known for ${this.span()} and never used ${backend}` };
    }
    if (kind !== 'tool' || target === undefined || pair.tools.has(target)) return undefined;
    if (!this.learn(pair.tools, target) || wall - pair.since < this.learnMs) return undefined;
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
      backends: [...backends].map(([backend, pair]) => ({ backend, since: pair.since, tools: [...pair.tools] })),
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

  /** Whether there was room for it. */
  private learn(tools: Set<string>, name: string): boolean {
    if (tools.size >= CAPS.toolsPerPair || this.tools >= CAPS.tools) return false;
    tools.add(name);
    this.tools += 1;
    this.dirty = true;
    return true;
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
    const names = asArray(tools)?.map(asString);
    if (typeof backend !== 'string' || typeof since !== 'number' || !names) return undefined;
    pairs.set(backend, { since, tools: new Set(names.flatMap((name) => name ?? [])) });
  }
  return pairs;
}
