// Certificates end while whoever came with them is in: asked for a newer proof before, sent away after, by the clock alone.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { grantsOf } from '../../src/peers/admission.ts';
import { type Gate, openGate } from '../../src/peers/gate.ts';
import { shareGuard } from '../../src/peers/share-guard.ts';
import type { Principal } from '../../src/proof/principal.ts';
import { trustFromPem } from '../../src/proof/trust.ts';
import { type Authority, type Issued, testAuthority } from '../../src/testing/pki.ts';
import { bareConnection, provingOverlay } from '../../src/testing/proving.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const start = Date.now();
const ca = testAuthority('net', { notAfter: new Date(start + 1000 * HOUR) });
const aliceUntil = (at: number, by: Authority = ca): Issued =>
  by.issue('alice', { uris: ['spiffe://net/identity/alice'], notAfter: new Date(at) });

function house(by: Authority = ca) {
  const log = { info: () => {}, warn: () => {} };
  const state = { now: start, trust: [trustFromPem(by.pem, 'ziti', 'trust')] };
  const overlay = provingOverlay({ env: {}, kind: 'ziti', trust: by, identity: by.issue('gateway') });
  const proofs = { network: 'ziti', credential: async () => undefined, trust: async () => state.trust };
  const share = Promise.resolve('box');
  const now = (): number => state.now;
  const gate = openGate({
    overlay: { ...overlay, proofs },
    share,
    grants: grantsOf(['network']),
    remedy: String,
    log,
    now,
  });
  const come = async (identity: Issued): Promise<{ who: Principal; connection: Duplex }> => {
    const binding = randomBytes(32);
    const dialer = provingOverlay({ env: {}, kind: 'ziti', trust: by, identity });
    const guard = shareGuard({ overlay: dialer, share: 'box', env: {}, log });
    const connection = bareConnection(binding);
    const judged = await gate.judge(connection, await guard.prove(bareConnection(binding)));
    assert.ok('principal' in judged, JSON.stringify(judged));
    return { who: judged.principal, connection };
  };
  const at = async (moment: number): Promise<void> => {
    state.now = moment;
    await gate.check();
  };
  return { gate, come, at, state };
}

function ended(gate: Gate, who: Principal): { code: string | undefined } {
  const seen: { code: string | undefined } = { code: undefined };
  gate.watch(who, ({ code }) => {
    seen.code = code;
  });
  return seen;
}

test('a certificate that ends sends its session away when it would not be let in any more, with why', async () => {
  const { gate, come, at } = house();
  const { who } = await come(aliceUntil(start + 2 * HOUR));
  const seen = ended(gate, who);
  await at(start + 2 * HOUR + MINUTE - 1000);
  assert.equal(seen.code, undefined, 'the minute for clocks');
  await at(start + 2 * HOUR + MINUTE + 1);
  assert.equal(seen.code, 'proof_expired');
});

test('half an hour before, it is asked for another proof, once; with a newer certificate it stays', async () => {
  const { gate, come, at } = house();
  const { who, connection } = await come(aliceUntil(start + 2 * HOUR));
  const seen = ended(gate, who);
  await at(start + HOUR);
  assert.equal(connection.destroyed, false);
  await at(start + 1.6 * HOUR);
  assert.equal(connection.destroyed, true, 'whoever is cut off comes again, and proves itself again');
  const again = await come(aliceUntil(start + 20 * HOUR));
  gate.renew(who, again.who);
  await at(start + 3 * HOUR);
  assert.deepEqual([seen.code, again.connection.destroyed], [undefined, false]);
  await at(start + 21 * HOUR);
  assert.equal(seen.code, 'proof_expired');
});

test('who comes again with the old one is asked in half of what is left, and not in the last minute', async () => {
  const { come, at, gate } = house();
  const end = start + HOUR;
  const first = await come(aliceUntil(end));
  ended(gate, first.who);
  const asked: number[] = [];
  let { connection } = first;
  for (let moment = start; moment < end + MINUTE; moment += 10_000) {
    await at(moment);
    if (!connection.destroyed) continue;
    asked.push(Math.round((end + MINUTE - moment) / MINUTE));
    const again = await come(aliceUntil(end));
    gate.renew(first.who, again.who);
    connection = again.connection;
  }
  assert.deepEqual(asked, [30, 15, 8, 4, 2, 1]);
});

test('a CA that ends ends what it vouches for; renewed under the same key, nothing ends', async () => {
  const short = testAuthority('net', { notAfter: new Date(start + HOUR) });
  for (const renewed of [false, true]) {
    const { come, at, gate, state } = house(short);
    const seen = ended(gate, (await come(aliceUntil(start + 20 * HOUR, short))).who);
    if (renewed) {
      const [bundle] = state.trust;
      const certificates = bundle?.certificates.map((one) => ({ ...one, notAfter: start + 30 * HOUR })) ?? [];
      if (bundle) state.trust = [{ ...bundle, certificates }];
    }
    await at(start + 2 * HOUR);
    assert.equal(seen.code, renewed ? undefined : 'proof_expired');
  }
});

test('who came without a proof has nothing that ends', async () => {
  const { gate, at } = house();
  const open = openGate({
    overlay: provingOverlay({ env: {}, kind: 'ziti', trust: ca }),
    share: Promise.resolve('box'),
    grants: grantsOf(['unproven']),
    remedy: String,
    log: { warn: () => {} },
  });
  const judged = await open.judge(bareConnection(), null);
  assert.ok('principal' in judged);
  const seen = ended(gate, judged.principal);
  await at(start + 999 * HOUR);
  assert.equal(seen.code, undefined);
});
