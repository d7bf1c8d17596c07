import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { OverlayError } from '../../src/errors.ts';
import { PROOF_LIMITS } from '../../src/limits.ts';
import { testAuthority, tlv, USAGE } from '../../src/testing/pki.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { pemBlocks } from '../../src/x509/pem.ts';
import { CONTROLLER_LEAF, IDENTITY_LEAF, INTERMEDIATE_CA, ROOT_CA } from '../proof/fixtures/openziti-1.6.0.ts';

const read = (der: Buffer) => readCertificate(der, 'it');

test('real certificates read as node:crypto reads them', () => {
  for (const pem of [IDENTITY_LEAF, CONTROLLER_LEAF, INTERMEDIATE_CA, ROOT_CA]) {
    const [block] = pemBlocks(pem);
    assert.ok(block);
    const theirs = new X509Certificate(pem);
    const ours = read(block.der);
    assert.equal(ours.notBefore, Date.parse(theirs.validFrom));
    assert.equal(ours.notAfter, Date.parse(theirs.validTo));
    assert.equal(ours.isCa, theirs.ca);
    assert.equal(BigInt(`0x${ours.serial}`), BigInt(`0x${theirs.serialNumber}`));
    assert.equal(ours.subject.text, theirs.subject.split('\n').reverse().join(','));
    assert.equal(ours.issuer, theirs.issuer.split('\n').reverse().join(','));
    assert.deepEqual(ours.extendedKeyUsage, theirs.keyUsage);
    assert.ok(ours.key().equals(theirs.publicKey));
    const uris = (theirs.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:'));
    assert.deepEqual(
      ours.uris,
      uris.map((name) => name.slice(4)),
    );
  }
});

test('what an issuer can say is read: uses, path length, names', () => {
  const ca = testAuthority('root', { pathLength: 2, kind: 'p384' });
  const leaf = read(ca.issue('x', { uris: ['spiffe://a/b', 'urn:c'], usages: [USAGE.serverAuth], keyUsage: 0x20 }).der);
  assert.deepEqual(leaf.uris, ['spiffe://a/b', 'urn:c']);
  assert.deepEqual(leaf.extendedKeyUsage, [USAGE.serverAuth]);
  assert.deepEqual(leaf.keyUsage, { digitalSignature: false, keyCertSign: false });
  const bare = read(ca.issue('x', { usages: null, keyUsage: null }).der);
  assert.deepEqual([bare.extendedKeyUsage, bare.keyUsage, bare.isCa], [undefined, undefined, false]);
  assert.deepEqual([read(ca.der).isCa, read(ca.der).pathLength], [true, 2]);
});

test('a critical extension that is not known refuses the certificate; one that is not critical does not', () => {
  const ca = testAuthority('root');
  const constraints = tlv(0x30, Buffer.alloc(0));
  const more = (critical: boolean) => ca.issue('x', { more: [['2.5.29.30', critical, constraints]] }).der;
  assert.throws(() => read(more(true)), { code: 'proof_malformed', message: /critical extension .*2\.5\.29\.30/ });
  assert.equal(read(more(false)).subject.text, 'CN=x');
});

test('an extension that stands there twice refuses the certificate', () => {
  const twice: [string, boolean, Buffer] = ['2.5.29.37', false, tlv(0x30, Buffer.alloc(0))];
  assert.throws(() => read(testAuthority('root').issue('x', { more: [twice] }).der), { code: 'proof_malformed' });
});

test('a certificate over the cap is not read', () => {
  const filler: [string, boolean, Buffer] = ['1.2.3.4', false, Buffer.alloc(PROOF_LIMITS.certificateBytes)];
  assert.throws(() => read(testAuthority('root').issue('x', { more: [filler] }).der), {
    code: 'proof_too_large',
    message: /^it has \d+ bytes, at most 8192 are read$/,
  });
});

test('no change of a certificate makes the reader throw anything but its own error', () => {
  const { der } = testAuthority('root').issue('alice', { uris: ['spiffe://corp/alice'] });
  fc.assert(
    fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(3), (at, by, cut) => {
      const changed = Buffer.from(der.subarray(0, der.length - cut));
      if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ by;
      try {
        read(changed).key();
      } catch (error) {
        assert.ok(error instanceof OverlayError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});
