// Chains of random narrowings, by seed: after each one the child is asked whatever its parent is asked, with rules and
// without. Real tokens, signed, every block checked against the one before it when it is made, whole tokens read back from
// their text now and then; no more than the parent, ever.

import assert from 'node:assert/strict';
import {
  keyText,
  type MintOptions,
  mintToken,
  narrowToken,
  newKey,
  type Principal,
  type Restriction,
  type Rights,
  readToken,
  rightsOf,
  tokenText,
} from '@mcp-overlay/overlay';
import type { TargetKind } from '../../src/call/call.ts';
import { loadPolicy } from '../../src/policy/load-policy.ts';
import type { Policy, PolicyRequest } from '../../src/policy/policy.ts';
import { policyOf } from './rules-of.ts';

const ROLES = ['reader', 'writer', 'admin'];
const RULES = `roles:
  reader: [ { allow: { tools: [read_*], resources: ["file:///a/*"] } } ]
  writer: [ { allow: { backends: [fs, db], tools: ["*"] } }, { deny: { tools: [delete_*] } } ]
  admin: [ { allow: { backends: ["*"] } } ]
`;
const PATTERNS = ['*', 'read_*', 'write_*', '*_a', 'read_a', '?ead_a', 'delete_*', 'file:///a/*', 'file:///*', 'x'];
const BACKENDS = ['*', 'fs', 'd*', 'github', '??'];
const NAMES = ['read_a', 'read_b', 'write_a', 'delete_a', 'x', 'file:///a/1', 'file:///b/1', '*'];
const KINDS: readonly TargetKind[] = ['tool', 'prompt', 'resource', 'task', 'method'];
const NOW = Date.parse('2026-11-27T12:00:00Z');
const DEEPEST = 15;
/** One chain of so many is read back whole, which checks all its signatures once more. */
const READ_BACK = 8;

/** mulberry32: small, and the same everywhere. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Narrowed {
  readonly narrowings: number;
  /** What a parent could and its child could not: 0 would mean that nothing was tried. */
  readonly takenAway: number;
  readonly stillAllowed: number;
  readonly readBack: number;
}

export async function narrowAtRandom(seed: number, count: number): Promise<Narrowed> {
  const random = randomOf(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const one = <T>(all: readonly T[]): T => all[below(all.length)] as T;
  const some = (all: readonly string[]): string[] => Array.from({ length: below(4) }, () => one(all));
  const gateway = newKey();
  const holders = Array.from({ length: 4 }, () => newKey());
  const byText = new Map(holders.map((holder) => [keyText(holder), holder]));
  const policies: readonly Policy[] = [await loadPolicy({}), await policyOf(RULES)];
  const tally = { narrowings: 0, takenAway: 0, stillAllowed: 0, readBack: 0 };

  const restriction = (): Restriction | undefined => {
    if (random() < 0.2) return undefined;
    return {
      ...(random() < 0.3 && { roles: some(ROLES) }),
      ...(random() < 0.3 && { backends: some(BACKENDS) }),
      ...(random() < 0.5 && { tools: some(PATTERNS) }),
      ...(random() < 0.2 && { prompts: some(PATTERNS) }),
      ...(random() < 0.2 && { resources: some(PATTERNS) }),
    };
  };
  const requests = (): PolicyRequest[] =>
    Array.from({ length: 4 }, () => ({
      backend: one(['fs', 'db', 'github']),
      kind: one(KINDS),
      name: one(NAMES),
      args: {},
    }));
  const root = (): MintOptions => ({
    signer: gateway,
    network: 'local',
    share: 'box',
    name: 'n',
    from: NOW,
    until: NOW + below(10) * 3_600_000,
    roles: random() < 0.5 ? undefined : some(ROLES),
    only: restriction(),
  });

  for (let chain = 0; tally.narrowings < count; chain += 1) {
    let parent = mintToken(random() < 0.5 ? root() : { ...root(), holder: holders[0] });
    for (let depth = 1; depth <= DEEPEST && tally.narrowings < count && random() < 0.8; depth += 1) {
      const to = random();
      const child = narrowToken(parent.token, {
        only: restriction(),
        until: random() < 0.5 ? undefined : NOW + below(12) * 3_600_000,
        next: to < 0.3 ? undefined : to < 0.6 ? 'bearer' : { holder: one(holders) },
        rights: parent.rights,
        key: parent.token.key ?? byText.get(keyText(parent.rights.key)),
      });
      tally.narrowings += 1;
      compare(parent.rights, child.rights, policies, requests(), tally);
      parent = child;
    }
    // What crosses is what was made.
    if (chain % READ_BACK !== 0) continue;
    tally.readBack += 1;
    const read = readToken(tokenText(parent.token));
    assert.deepEqual(plain(rightsOf(read.blocks, { gateway })), plain(parent.rights));
  }
  return tally;
}

function compare(
  parent: Rights,
  child: Rights,
  policies: readonly Policy[],
  requests: readonly PolicyRequest[],
  tally: { takenAway: number; stillAllowed: number },
): void {
  assert.ok(child.expiresAt <= parent.expiresAt && child.notBefore >= parent.notBefore);
  assert.deepEqual(child.ids.slice(0, -1), parent.ids);
  const [before, after] = [principalOf(parent), principalOf(child)];
  for (const policy of policies) {
    const roles = policy.rolesOf(before);
    assert.ok(policy.rolesOf(after).every((role) => roles.includes(role)));
    for (const request of requests) {
      const [could, can] = [policy.decide(before, request).allow, policy.decide(after, request).allow];
      assert.ok(could || !can, JSON.stringify({ request, before, after }));
      if (could && !can) tally.takenAway += 1;
      if (can) tally.stillAllowed += 1;
    }
  }
}

function principalOf({ ids, name, roles, restrictions, expiresAt }: Rights): Principal {
  const who = { id: `token:${ids[0]}`, name, proven: true, via: 'local', groups: [] } as const;
  return { ...who, ...(roles && { roles }), restrictions, expiresAt };
}

function plain({ key, hash, ...rest }: Rights): object {
  return { ...rest, key: keyText(key), hash: hash.toString('hex') };
}
