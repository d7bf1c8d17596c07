// Who a certificate is, once its chain is believed: what its issuer decided counts, what its holder wrote does not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Naming, nameOf } from '../../src/proof/naming.ts';
import { trustFromPem } from '../../src/proof/trust.ts';
import { type CertificateOptions, testAuthority, USAGE } from '../../src/testing/pki.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { anchorOf } from '../../src/x509/path.ts';
import { pemBlocks } from '../../src/x509/pem.ts';
import { CONTROLLER_LEAF, IDENTITY_LEAF, INTERMEDIATE_CA, ISSUED_AT, ROOT_CA } from './fixtures/openziti-1.6.0.ts';

function named(
  naming: Naming,
  caUris: readonly string[],
  commonName: string,
  options: CertificateOptions = {},
): string {
  const ca = testAuthority('ca', { uris: caUris });
  const leaf = readCertificate(ca.issue(commonName, options).der, 'it');
  return nameOf(leaf, readCertificate(ca.der, 'it'), { naming }).id;
}

const ziti = (commonName: string, ...uris: string[]) => named('ziti', ['spiffe://net'], commonName, { uris });
const x509 = (options: CertificateOptions) => named('x509', [], 'alice', options);

test('ziti: the identity that both the controller and the request name', () => {
  assert.equal(ziti('Ab3dE.f7H', 'spiffe://net/identity/Ab3dE.f7H'), 'ziti:Ab3dE.f7H');
  assert.equal(ziti('a', 'spiffe://net/identity/a/apiSession/s1'), 'ziti:a');
  assert.equal(ziti('a', 'spiffe://net/identity/a/apiSession/s1/apiSessionCertificate/c1'), 'ziti:a');
});

test('ziti: a name that only its holder wrote is a claim', () => {
  const claim = { code: 'proof_name_unvouched' };
  // Any member may enrol, or have its certificate extended, with a request that names another.
  assert.throws(() => ziti('victim'), claim);
  assert.throws(() => ziti('victim', 'spiffe://net/identity/mallory'), claim);
  assert.throws(() => ziti('mallory', 'spiffe://net/identity/victim'), claim, 'as a router could ask for it');
  assert.throws(() => ziti('a', 'spiffe://net/identity/a', 'spiffe://net/identity/b'), claim);
});

test('ziti: routers and controllers are no identities, nor is anything else', () => {
  const none = { code: 'proof_not_identity' };
  assert.throws(() => ziti('r1', 'spiffe://net/router/r1'), { ...none, message: /that of a router/ });
  assert.throws(() => ziti('c1', 'spiffe://net/controller/c1'), { ...none, message: /that of a controller/ });
  for (const path of [
    '',
    '/',
    '/identity',
    '/identity/',
    '/identity/a/',
    '/identity/a/b',
    '/identity/a/apiSession/',
    '/x/a',
  ]) {
    assert.throws(() => ziti('a', `spiffe://net${path}`), none, path);
  }
  assert.throws(() => ziti('a b', 'spiffe://net/identity/a%20b'), { code: 'proof_name_unvouched' });
});

test('ziti: what a real 1.6.0 hands out at enrolment names nobody, and its controller is no identity', () => {
  const trusted = [trustFromPem(`${INTERMEDIATE_CA}\n${ROOT_CA}`, 'ziti', 'ca')];
  const leaf = (pem: string) => {
    const [block] = pemBlocks(pem);
    const certificate = readCertificate(block?.der ?? Buffer.alloc(0), 'it');
    const { anchor } = anchorOf([certificate], trusted, ISSUED_AT);
    return () => nameOf(certificate, anchor, { naming: 'ziti' });
  };
  assert.throws(leaf(IDENTITY_LEAF), { code: 'proof_name_unvouched', message: /CN=J1H8ULKHbr/ });
  assert.throws(leaf(CONTROLLER_LEAF), { code: 'proof_not_identity' });
});

test('x509: the subject, as its CA wrote it', () => {
  assert.equal(
    x509({
      subject: [
        ['O', 'corp'],
        ['CN', 'alice'],
      ],
    }),
    'x509:CN=alice,O=corp',
  );
  assert.equal(x509({ usages: null, keyUsage: null }), 'x509:CN=alice', 'no use said is any use');
  assert.throws(() => x509({ subject: [] }), { code: 'proof_not_identity', message: /names nobody/ });
  assert.throws(() => x509({ subject: [['CN', 'x'.repeat(600)]] }), { code: 'proof_not_identity' });
  assert.throws(() => x509({ usages: [USAGE.serverAuth] }), { code: 'proof_not_client' });
});

test('x509: a SPIFFE ID counts where the CA is named as that of its trust domain, and then nothing else does', () => {
  const spiffe = (caUris: string[], ...uris: string[]) => named('x509', caUris, 'alice', { uris });
  assert.equal(spiffe(['spiffe://corp'], 'spiffe://corp/alice'), 'spiffe://corp/alice');
  assert.equal(spiffe(['spiffe://corp/'], 'spiffe://corp/ns/a/sa/b'), 'spiffe://corp/ns/a/sa/b');
  const unvouched = { code: 'proof_name_unvouched' };
  assert.throws(() => spiffe(['spiffe://corp'], 'spiffe://other/alice'), unvouched);
  assert.throws(() => spiffe([], 'spiffe://corp/alice'), unvouched, 'whose subject may be that of every workload');
  assert.throws(() => spiffe(['spiffe://corp'], 'spiffe://corp/a', 'urn:b'), unvouched, 'two names');
  assert.throws(() => spiffe(['spiffe://corp']), unvouched, 'none');
  for (const odd of [
    'spiffe://corp',
    'spiffe://corp/',
    'spiffe://CORP/a',
    'SPIFFE://corp/a',
    'spiffe://corp/a b',
    'spiffe://corp/a?x',
  ]) {
    assert.throws(
      () => spiffe(['spiffe://corp'], odd),
      (error: { code?: string }) => /^proof_/.test(error.code ?? ''),
      odd,
    );
  }
});
