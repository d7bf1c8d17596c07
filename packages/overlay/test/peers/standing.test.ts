// Certificates of those who are in: a CA that is gone, a list that names them, a bundle that changed. Judged again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OverlayError } from '../../src/errors.ts';
import { type Evidence, type StandingOptions, watchStanding } from '../../src/peers/standing.ts';
import { judgeAgain } from '../../src/proof/prove.ts';
import { type TrustBundle, trustFromPem } from '../../src/proof/trust.ts';
import { testAuthority } from '../../src/testing/pki.ts';
import { readCertificate } from '../../src/x509/certificate.ts';

const ca = testAuthority('corp', { subject: [['CN', 'corp']] });
const alice = ca.issue('alice');
const chain = [readCertificate(alice.der, 'it')];
const trusted = (text: string): TrustBundle => trustFromPem(text, 'x509', 'f');

function standing(more: Partial<StandingOptions> & { bundles?: readonly TrustBundle[] } = {}) {
  const logged: string[] = [];
  const state = { bundles: more.bundles ?? [trusted(ca.pem)], now: 0 };
  const it = watchStanding({
    trust: async () => state.bundles,
    now: () => state.now,
    log: { warn: (_fields, event) => logged.push(event) },
    ...more,
  });
  return { ...it, state, logged };
}

const certificate: Evidence = { againIn: (believed) => judgeAgain(chain, 'x509:CN=alice', believed) };

function ended(watch: ReturnType<typeof standing>, evidence: () => Evidence | undefined): { code: string | undefined } {
  const seen: { code: string | undefined } = { code: undefined };
  watch.watch(evidence, (error) => {
    assert.equal(seen.code, undefined, 'once');
    seen.code = error.code;
  });
  return seen;
}

test('nobody is sent away while nothing changed', async () => {
  const watch = standing();
  const seen = ended(watch, () => certificate);
  await watch.check();
  await watch.check();
  assert.equal(seen.code, undefined);
});

test('revoked, CA gone, another in its place under the same name', async () => {
  const lists: [readonly TrustBundle[], string][] = [
    [[trusted(ca.pem + ca.revocationList([alice.serial]))], 'proof_revoked'],
    [[], 'proof_foreign'],
    [[trusted(testAuthority('corp', { subject: [['CN', 'corp']] }).pem)], 'proof_foreign'],
    [[{ ...trusted(ca.pem), domain: 'corp' }], 'proof_name_unvouched'],
  ];
  for (const [bundles, code] of lists) {
    const watch = standing();
    const seen = ended(watch, () => certificate);
    await watch.check();
    watch.state.bundles = bundles;
    await watch.check();
    assert.equal(seen.code, code);
    await watch.check();
  }
});

test('who came between two looks is judged by what is believed now', async () => {
  const watch = standing();
  await watch.check();
  watch.state.bundles = [trusted(ca.pem + ca.revocationList([alice.serial]))];
  await watch.check();
  const seen = ended(watch, () => certificate);
  await watch.check();
  assert.equal(seen.code, 'proof_revoked');
});

test('what is believed may change, and an old certificate, an old list or a renewed CA end no session by that', async () => {
  const long = new Date(Date.now() - 1000 * 3600 * 1000);
  const over = new Date(Date.now() - 3600 * 1000);
  const old = ca.issue('alice', { notBefore: long, notAfter: over });
  const was = [readCertificate(old.der, 'it')];
  const renewed = testAuthority('corp', { subject: [['CN', 'corp']], key: ca.key });
  const watch = standing();
  const seen = ended(watch, () => ({ againIn: (believed) => judgeAgain(was, 'x509:CN=alice', believed) }));
  watch.state.bundles = [trusted(renewed.pem + ca.revocationList([], { nextUpdate: over }))];
  await watch.check();
  assert.equal(seen.code, undefined);
});

test('what cannot be looked at sends nobody away', async () => {
  const watch = standing({ trust: () => Promise.reject(new Error('away')) });
  const seen = ended(watch, () => certificate);
  await watch.check();
  assert.equal(seen.code, undefined);
  const troubled = standing();
  const other = ended(troubled, () => ({
    again: () => Promise.reject(new OverlayError('jwt_keys_unavailable', 'away')),
  }));
  const fault = ended(troubled, () => ({ again: () => Promise.reject(new Error('ours')) }));
  await troubled.check();
  assert.deepEqual([other.code, fault.code], [undefined, undefined]);
  assert.equal(troubled.logged.length, 2);
});

test('whoever stopped watching, or has no evidence, is left alone; newer evidence counts', async () => {
  const watch = standing();
  const gone = { count: 0 };
  watch.watch(
    () => certificate,
    () => {
      gone.count += 1;
    },
  )();
  const none = ended(watch, () => undefined);
  let evidence: Evidence = { again: async () => {} };
  const renewed = ended(watch, () => evidence);
  watch.state.bundles = [];
  await watch.check();
  assert.deepEqual([gone.count, none.code, renewed.code], [0, undefined, undefined]);
  evidence = certificate;
  await watch.check();
  assert.equal(renewed.code, 'proof_foreign');
});

test('within a second, without being asked', async () => {
  const watch = standing();
  const began = performance.now();
  const out = new Promise<string>((resolve, reject) => {
    const tooLate = setTimeout(() => reject(new Error('still in')), 5000);
    watch.watch(
      () => certificate,
      ({ code }) => {
        clearTimeout(tooLate);
        resolve(code);
      },
    );
  });
  watch.state.bundles = [];
  assert.equal(await out, 'proof_foreign');
  assert.ok(performance.now() - began < 1000, `${performance.now() - began} ms`);
});
