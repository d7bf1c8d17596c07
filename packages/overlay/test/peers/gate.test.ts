// The host's side: who a caller is, whether it comes in, and what it is told when it does not.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { OverlayError } from '../../src/errors.ts';
import { grantsOf } from '../../src/peers/admission.ts';
import { type GateJudgement, openGate } from '../../src/peers/gate.ts';
import { openPeerBook } from '../../src/peers/peer-book.ts';
import { shareGuard } from '../../src/peers/share-guard.ts';
import { type Issued, testAuthority } from '../../src/testing/pki.ts';
import { bareConnection, type ProvingOptions, provingOverlay } from '../../src/testing/proving.ts';
import { tempOverlay } from '../../src/testing/temp-overlay.ts';

const ca = testAuthority('net');
const member = (id: string): Issued => ca.issue(id, { uris: [`spiffe://net/identity/${id}`] });
const gateway = member('gateway');
const alice = member('alice');

interface HouseOptions extends Partial<ProvingOptions> {
  readonly grants?: readonly string[];
  readonly now?: () => number;
}

async function house({ grants = [], now, ...more }: HouseOptions = {}) {
  const temp = await tempOverlay();
  const log = { info: () => {}, warn: () => {} };
  const overlay = provingOverlay({ env: temp.env, kind: 'ziti', trust: ca, identity: gateway, ...more });
  const book = await openPeerBook({ share: undefined, env: temp.env, log });
  const gate = openGate({
    overlay,
    share: Promise.resolve('box'),
    grants: grantsOf(grants),
    book,
    remedy: (id) => `allow ${id}`,
    log,
    ...(now && { now }),
  });
  return {
    gate,
    book,
    /** As this identity, or as nobody, with this claim. */
    come: async (identity: Issued | undefined, claimed?: string): Promise<GateJudgement> => {
      const binding = randomBytes(32);
      const dialer = provingOverlay({
        ...more,
        env: temp.env,
        kind: overlay.kind,
        trust: ca,
        ...(identity && { identity }),
      });
      const guard = shareGuard({ overlay: dialer, share: 'box', env: temp.env, log });
      const proof = identity ? await guard.prove(bareConnection(binding)) : null;
      return gate.judge(bareConnection(binding, claimed), proof);
    },
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

function codeOf(judged: GateJudgement): string {
  if ('asks' in judged) return 'asks';
  return 'refused' in judged ? judged.refused.code : `in as ${judged.principal.id}`;
}

function reasonOf(judged: GateJudgement): string {
  return 'refused' in judged ? judged.refused.reason : '';
}

test("a share is its owner's: the gateway's own identity comes in, another is told what lets it in", async () => {
  await using net = await house();
  assert.deepEqual(await net.come(gateway), {
    principal: { id: 'ziti:gateway', name: 'gateway', proven: true, via: 'ziti', groups: [], owner: true },
  });
  const refused = await net.come(alice, 'Alice of IT');
  assert.equal(codeOf(refused), 'peer_refused');
  assert.match(reasonOf(refused), /^ziti:alice is not let in .* with: allow ziti:alice$/);
  const [shown] = net.book.list();
  assert.deepEqual([shown?.id, shown?.claimed, shown?.outcome], ['ziti:alice', 'Alice of IT', 'peer_refused']);
});

test('every environment of the account owns its share', async () => {
  await using net = await house({ kind: 'zrok', ownIdentities: async () => ['ziti:alice'] });
  assert.equal(codeOf(await net.come(alice)), 'in as ziti:alice');
  assert.equal(codeOf(await net.come(gateway)), 'in as ziti:gateway');
  assert.equal(codeOf(await net.come(member('bob'))), 'peer_refused');
});

test('while nobody can be asked whose the share is, callers are told when to come again; then it is remembered', async () => {
  let away = true;
  let clock = Date.now();
  let asked = 0;
  await using net = await house({
    kind: 'zrok',
    now: () => clock,
    ownIdentities: async () => {
      asked += 1;
      if (away) throw new Error('no route');
      return ['ziti:alice'];
    },
  });
  const judged = await net.come(alice);
  assert.deepEqual('refused' in judged && [judged.refused.code, judged.refused.retryMs], ['overlay_unavailable', 5000]);
  away = false;
  assert.equal(codeOf(await net.come(alice)), 'in as ziti:alice');
  assert.equal(codeOf(await net.come(alice)), 'in as ziti:alice');
  assert.equal(asked, 2, 'not for each caller');
  away = true;
  clock += 61_000;
  assert.equal(codeOf(await net.come(alice)), 'in as ziti:alice', 'an owner of a while ago is one still');
  assert.equal(asked, 3);
});

test('let in by hand, by id or as a whole; shut out by hand whatever else is said', async () => {
  await using net = await house();
  await net.book.decide('ziti:alice', 'allowed', { name: 'Alice' });
  const judged = await net.come(alice);
  assert.deepEqual('principal' in judged && [judged.principal.id, judged.principal.name], ['ziti:alice', 'Alice']);
  await net.book.decide('ziti:alice', 'denied');
  assert.equal(codeOf(await net.come(alice)), 'peer_denied');
  assert.equal(net.gate.denied('ziti:alice'), true);
  await net.book.decide('ziti:gateway', 'denied');
  assert.equal(codeOf(await net.come(gateway)), 'peer_denied', 'also an owner');
  await using granted = await house({ grants: ['ziti:alice'] });
  assert.equal(codeOf(await granted.come(alice)), 'in as ziti:alice');
  assert.equal(codeOf(await granted.come(member('bob'))), 'peer_refused');
  await using all = await house({ grants: ['network'] });
  assert.equal(codeOf(await all.come(member('bob'))), 'in as ziti:bob');
  assert.equal(codeOf(await all.come(undefined)), 'peer_unproven');
});

test('a copied caller id is a claim: shown, and of no use', async () => {
  await using net = await house({ grants: ['ziti:alice'] });
  await net.book.decide('ziti:alice', 'allowed');
  const refused = await net.come(undefined, 'ziti:alice');
  assert.equal(codeOf(refused), 'peer_unproven');
  assert.match(reasonOf(refused), /claims to be ziti:alice, proves no identity .* allow unproven$/);
  const [shown] = net.book.list();
  assert.deepEqual([shown?.id, shown?.claimed, shown?.outcome], ['unproven', 'ziti:alice', 'peer_unproven']);
  await using knowing = await house({ grants: ['unproven'] });
  const judged = await knowing.come(undefined, 'gateway');
  assert.deepEqual('principal' in judged && judged.principal, {
    id: 'unproven',
    name: 'gateway',
    proven: false,
    via: 'ziti',
    groups: [],
  });
});

test('a bad proof is refused with its own code, never taken for none', async () => {
  await using net = await house({ grants: ['unproven', 'network'] });
  const foreign = testAuthority('net').issue('alice', { uris: ['spiffe://net/identity/alice'] });
  const proofOf = async (identity: Issued, binding: Uint8Array) => {
    const overlay = provingOverlay({ env: {}, kind: 'ziti', identity });
    const gate = openGate({
      overlay,
      share: Promise.resolve('box'),
      grants: grantsOf([]),
      remedy: String,
      log: { warn: () => {} },
    });
    return gate.prove(bareConnection(binding));
  };
  const binding = randomBytes(32);
  const judged = await net.gate.judge(bareConnection(binding, 'who'), await proofOf(foreign, binding));
  assert.equal(codeOf(judged), 'proof_foreign');
  assert.match(reasonOf(judged), /leads to no CA .*; it belongs to another network/);
  assert.deepEqual([net.book.list()[0]?.id, net.book.list()[0]?.outcome], ['unproven', 'proof_foreign']);
  // A host's proof shown by a dialer, on the same connection.
  const reflected = await net.gate.judge(bareConnection(binding), await proofOf(alice, binding));
  assert.equal(codeOf(reflected), 'proof_signature');
  const unbound = await net.gate.judge(bareConnection(null), await proofOf(alice, binding));
  assert.equal(codeOf(unbound), 'proof_unbound');
  assert.equal(codeOf(await net.gate.judge(bareConnection(), { chain: 7 })), 'proof_malformed');
});

test('a proof that came before on another connection is told to be a replay', async () => {
  await using net = await house({ grants: ['network'] });
  const binding = randomBytes(32);
  const dialer = provingOverlay({ env: {}, kind: 'ziti', trust: ca, identity: alice });
  const guard = shareGuard({ overlay: dialer, share: 'box', env: {}, log: { info: () => {}, warn: () => {} } });
  const proof = await guard.prove(bareConnection(binding));
  assert.equal(codeOf(await net.gate.judge(bareConnection(binding), proof)), 'in as ziti:alice');
  assert.equal(codeOf(await net.gate.judge(bareConnection(), proof)), 'proof_replayed');
});

test("local: who proves nothing is the folder's user, who proves something is that", async () => {
  await using net = await house({ kind: 'local', naming: 'ziti' });
  assert.equal(codeOf(await net.come(undefined)), 'in as owner');
  assert.equal(codeOf(await net.come(alice)), 'peer_refused');
  assert.equal(codeOf(await net.come(gateway)), 'in as ziti:gateway');
});

test('local without a CA to trust: a proof is not looked at, and everybody is the user', async () => {
  const temp = await tempOverlay();
  await using _ = temp;
  const gate = openGate({
    overlay: temp.overlay,
    share: new Promise(() => {}),
    grants: grantsOf([]),
    remedy: String,
    log: { warn: () => {} },
  });
  assert.equal(codeOf(await gate.judge(bareConnection(), { chain: 'anything' })), 'in as owner');
  assert.equal(await gate.prove(bareConnection()), null);
});

test('who is in would not be let in any more, once grants, rules, the book or the tokens taken have changed', async () => {
  const temp = await tempOverlay();
  await using _ = temp;
  const log = { info: () => {}, warn: () => {} };
  const overlay = provingOverlay({ env: temp.env, kind: 'ziti', trust: ca, identity: gateway });
  const book = await openPeerBook({ share: undefined, env: temp.env, log });
  let grants = grantsOf(['network']);
  let ruled = false;
  const gate = openGate({
    overlay,
    share: Promise.resolve('box'),
    get grants() {
      return grants;
    },
    book,
    admits: () => ruled,
    remedy: (id) => `allow ${id}`,
    log,
  });
  const binding = randomBytes(32);
  const dialer = provingOverlay({ env: temp.env, kind: 'ziti', trust: ca, identity: alice });
  const guard = shareGuard({ overlay: dialer, share: 'box', env: temp.env, log });
  const judged = await gate.judge(bareConnection(binding), await guard.prove(bareConnection(binding)));
  assert.ok('principal' in judged);
  const why = async () => (await gate.outgrown(judged.principal))?.code;
  assert.equal(await why(), undefined);
  grants = grantsOf([]);
  assert.equal(await why(), 'peer_refused');
  ruled = true;
  assert.equal(await why(), undefined);
  await book.decide(judged.principal.id, 'denied');
  assert.equal(await why(), 'peer_denied');
  await book.decide(judged.principal.id, 'allowed');
  ruled = false;
  assert.equal(await why(), undefined);
  await book.close();
});

test('a fault of ours lets nobody in, and tells nobody what it was', async () => {
  const overlay = provingOverlay({ env: {}, kind: 'ziti', trust: ca });
  const proofs = {
    network: 'ziti',
    credential: async () => undefined,
    trust: () => Promise.reject(new Error('secret')),
  };
  const logged: object[] = [];
  const gate = openGate({
    overlay: { ...overlay, proofs },
    share: Promise.resolve('box'),
    grants: grantsOf(['network', 'unproven']),
    remedy: String,
    log: { warn: (fields) => logged.push(fields) },
  });
  const judged = await gate.judge(bareConnection(), null);
  assert.equal(codeOf(judged), 'peer_refused');
  assert.equal(reasonOf(judged).includes('secret'), false);
  assert.match(JSON.stringify(logged), /secret/);
  assert.ok(!(judged instanceof OverlayError));
});
