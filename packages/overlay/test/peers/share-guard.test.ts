// The dialer's side: whom a share is held to, and every way in which a host is not the one it was.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { grantsOf } from '../../src/peers/admission.ts';
import { openGate } from '../../src/peers/gate.ts';
import { knownShares } from '../../src/peers/known-shares.ts';
import { ownIdentity } from '../../src/peers/self.ts';
import { shareGuard, shareKey } from '../../src/peers/share-guard.ts';
import { type Issued, testAuthority } from '../../src/testing/pki.ts';
import { bareConnection, type ProvingOptions, provingOverlay } from '../../src/testing/proving.ts';
import { tempOverlay } from '../../src/testing/temp-overlay.ts';

const ca = testAuthority('net');
const member = (id: string): Issued => ca.issue(id, { uris: [`spiffe://net/identity/${id}`] });
const one = member('one');
const two = member('two');
const three = member('three');

type More = Partial<ProvingOptions> & { hosts?: string[] };

/** A dialer, and hosts that answer it, over bindings that both ends of a connection have. */
async function house(dialer: More = {}) {
  const temp = await tempOverlay();
  const as = (more: More) => provingOverlay({ env: temp.env, kind: 'ziti', trust: ca, ...more });
  const dialling = as(dialer);
  const logged: string[] = [];
  const log = {
    info: (_: object, event: string) => logged.push(event),
    warn: (_: object, event: string) => logged.push(event),
  };
  const guardOf = (overlay = dialling) => shareGuard({ overlay, share: 'box', env: temp.env, log });
  return {
    temp,
    logged,
    guard: guardOf(),
    guardOf,
    key: shareKey(dialling, 'box'),
    shares: knownShares(temp.env),
    /** What this host says on a connection. */
    host: async (identity: Issued | undefined, more: More = {}) => {
      const binding = randomBytes(32);
      const overlay = as({ ...(identity && { identity }), ...more });
      const gate = openGate({
        overlay,
        share: Promise.resolve('box'),
        grants: grantsOf([]),
        hosts: more.hosts ?? [],
        remedy: String,
        log,
      });
      return { connection: bareConnection(binding), proof: await gate.prove(bareConnection(binding)) };
    },
    meet: async function (identity: Issued | undefined, more: More = {}) {
      const { connection, proof } = await this.host(identity, more);
      await this.guard.verify(connection, proof);
    },
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

test('the first host that proves itself is remembered; the same one is welcome again', async () => {
  await using net = await house();
  await net.meet(one);
  assert.deepEqual(net.logged, ['host pinned']);
  const known = await net.shares.find(net.key);
  assert.deepEqual([known?.id, known?.name, known?.hosts, known?.network], ['ziti:one', 'one', [], 'ziti']);
  await net.meet(one);
  assert.deepEqual(net.logged, ['host pinned']);
  assert.deepEqual(await net.shares.find(net.key), known, 'and nothing was written');
});

test('another host is refused with both names, and remembered as refused, until somebody accepts it', async () => {
  await using net = await house();
  await net.meet(one);
  await assert.rejects(net.meet(two), {
    code: 'host_changed',
    message: /share box was hosted by ziti:one since .*, and now by ziti:two/,
    hint: /mcp-tools trust box/,
  });
  await assert.rejects(net.meet(two), { code: 'host_changed' });
  const known = await net.shares.find(net.key);
  assert.deepEqual([known?.id, known?.changed?.id, known?.changed?.name], ['ziti:one', 'ziti:two', 'two']);
  await net.meet(one);
  await net.shares.update(net.key, (before) => before && { ...before, id: 'ziti:two', hosts: [] });
  await net.meet(two);
  await assert.rejects(net.meet(one), { code: 'host_changed' });
});

test('of several hosts the pinned one vouches for the rest, and only it', async () => {
  await using net = await house();
  await net.meet(one, { hosts: ['ziti:two'] });
  await net.meet(two, { hosts: ['ziti:three'] });
  await assert.rejects(net.meet(three), { code: 'host_changed' }, 'a vouched one vouches for nobody');
  assert.deepEqual((await net.shares.find(net.key))?.hosts, ['ziti:two']);
  await net.meet(one, { hosts: ['ziti:two', 'ziti:three'] });
  await net.meet(three);
  await net.meet(one, { hosts: [] });
  await assert.rejects(net.meet(two), { code: 'host_changed' }, 'taken back');
});

test('a host that proved itself before and proves nothing now is refused; one that never did is not', async () => {
  await using net = await house();
  await net.meet(undefined);
  assert.deepEqual(net.logged, ['host proves nothing']);
  assert.deepEqual(await net.shares.list(), []);
  await net.meet(one);
  await assert.rejects(net.meet(undefined), {
    code: 'host_unproven',
    message: /proves nothing, and was ziti:one before/,
  });
});

test('a share that proved itself never falls back to HTTP; one that did not may', async () => {
  await using net = await house();
  await net.guard.plain();
  await net.meet(one);
  await assert.rejects(async () => net.guard.plain(), {
    code: 'host_downgraded',
    message: /ziti:one before, and now answers plain HTTP/,
  });
});

test('without a CA to trust nothing is believed, and what was proven before cannot be taken on trust', async () => {
  await using net = await house();
  const { trust: _, ...rest } = { trust: ca, env: net.temp.env, kind: 'ziti' as const };
  const blind = net.guardOf(provingOverlay(rest));
  const { connection, proof } = await net.host(one);
  await blind.verify(connection, proof);
  assert.deepEqual(await net.shares.list(), [], 'nobody was pinned');
  await net.meet(one);
  await assert.rejects(blind.verify(connection, proof), { code: 'host_unchecked' });
});

test('local without a CA to trust asks for nothing: the folder is what is trusted', async () => {
  const local = { kind: 'local', naming: 'ziti' } as const;
  await using net = await house(local);
  await net.meet(one, local);
  await assert.rejects(net.meet(undefined, local), { code: 'host_unproven' });
  const plain = net.guardOf(net.temp.overlay);
  const { connection, proof } = await net.host(two, local);
  await plain.verify(connection, proof);
  await plain.verify(connection, null);
});

test('a proof of another connection, and one on a connection that can carry none, are refused', async () => {
  await using net = await house();
  const { proof } = await net.host(one);
  await assert.rejects(net.guard.verify(bareConnection(), proof), { code: 'proof_binding' });
  await assert.rejects(net.guard.verify(bareConnection(null), proof), { code: 'proof_unbound' });
  assert.deepEqual(await net.shares.list(), []);
});

test('a dialer that proves itself as a host, with its own proof sent back, is caught', async () => {
  await using net = await house({ identity: two });
  const connection = bareConnection();
  const own = await net.guard.prove(connection);
  assert.ok(own);
  await assert.rejects(net.guard.verify(connection, own), { code: 'proof_signature' });
});

test('two first visits at once pin one host', async () => {
  await using net = await house();
  const met = await Promise.allSettled([net.meet(one), net.meet(two), net.meet(one), net.meet(two)]);
  const known = await net.shares.find(net.key);
  assert.ok(known);
  const refused = met.filter(({ status }) => status === 'rejected');
  assert.equal(refused.length, 2);
  await assert.rejects(net.meet(known.id === 'ziti:one' ? two : one), { code: 'host_changed' });
});

test('a member whose certificate the network does not vouch for offers nothing, and can tell why', async () => {
  await using net = await house();
  const plain = provingOverlay({ env: net.temp.env, kind: 'ziti', trust: ca, identity: ca.issue('victim') });
  const foreign = provingOverlay({
    env: net.temp.env,
    kind: 'ziti',
    trust: ca,
    identity: testAuthority('x').issue('y'),
  });
  for (const overlay of [plain, foreign]) assert.equal(await net.guardOf(overlay).prove(bareConnection()), null);
  const self = await ownIdentity(plain);
  assert.match(self && 'unproven' in self ? self.unproven : '', /does not vouch for the name/);
  const expired = ca.issue('old', { uris: ['spiffe://net/identity/old'], notAfter: new Date(Date.now() - 3_600_000) });
  const late = provingOverlay({ env: net.temp.env, kind: 'ziti', trust: ca, identity: expired });
  assert.ok(await net.guardOf(late).prove(bareConnection()), 'so that the other end says that it is expired');
});

test('nothing is offered on a connection without a binding, or without an identity', async () => {
  await using net = await house({ identity: one });
  assert.equal(await net.guard.prove(bareConnection(null)), null);
  assert.equal(await net.guardOf(provingOverlay({ env: net.temp.env })).prove(bareConnection()), null);
});
