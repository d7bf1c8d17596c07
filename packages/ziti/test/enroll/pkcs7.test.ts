import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { bitString, der, oid, TAG } from '../../src/enroll/der.ts';
import { certificatesOfBundle, certificatesOfPkcs7 } from '../../src/enroll/pkcs7.ts';
import { LIMITS } from '../../src/limits.ts';
import { mutate } from '../../src/testing/mutate.ts';
import { certificateBundle } from '../../src/testing/pki/bundle.ts';
import { createTestPki } from '../../src/testing/pki/pki.ts';
import { ENROLLMENT } from '../recorded.ts';

const pki = createTestPki();
const SIGNED_DATA = '1.2.840.113549.1.7.2';

function bundleOf(certificates: readonly Uint8Array[], type = SIGNED_DATA): Uint8Array {
  const content = der(TAG.sequence, oid('1.2.840.113549.1.7.1'));
  const digests = der(TAG.set);
  const version = der(TAG.integer, Uint8Array.of(1));
  const signedData = der(TAG.sequence, version, digests, content, der(TAG.context0, ...certificates), der(TAG.set));
  return der(TAG.sequence, oid(type), der(TAG.context0, signedData));
}

test('the bundle of a real controller gives its root and its intermediate', () => {
  const certificates = certificatesOfBundle(Buffer.from(ENROLLMENT.cacerts));
  assert.deepEqual(
    certificates.map(({ subject }) => subject.split('\n').at(-1)),
    ['CN=root-ca', 'CN=intermediate-ca-quickstart'],
  );
  const leaf = new X509Certificate(ENROLLMENT.serverChain[0] ?? '');
  assert.ok(certificates[1] && leaf.verify(certificates[1].publicKey));
});

test('a bundle is read as base64 in lines of any kind, and as plain DER', () => {
  const text = certificateBundle(pki.authorities);
  const bytes = Buffer.from(text, 'base64');
  for (const body of [
    Buffer.from(text),
    Buffer.from(text.replaceAll('\n', '\r\n')),
    Buffer.from(text.replaceAll('\n', '')),
    bytes,
  ]) {
    assert.equal(certificatesOfBundle(body).length, 2);
  }
});

test('other kinds of content and of certificates are told apart', () => {
  const other = der(0xa1, Uint8Array.of(1, 2, 3));
  assert.equal(certificatesOfPkcs7(bundleOf([other, ...pki.authorities, other])).length, 2);
  assert.deepEqual(certificatesOfPkcs7(bundleOf([])), []);
  const cases: [Uint8Array, RegExp][] = [
    [bundleOf([], '1.2.840.113549.1.7.1'), /no PKCS#7 SignedData/],
    [der(TAG.set), /ContentInfo is missing/],
    [der(TAG.sequence, oid(SIGNED_DATA)), /content is missing/],
    [der(TAG.sequence, oid(SIGNED_DATA), der(TAG.context0)), /SignedData is missing/],
    [der(TAG.sequence, oid(SIGNED_DATA), der(TAG.context0, der(TAG.sequence))), /without certificates/],
    [bundleOf([Buffer.from('30ff', 'hex')]), /DER/],
    [bitString(Uint8Array.of(1)), /ContentInfo is missing/],
  ];
  for (const [bytes, says] of cases) assert.throws(() => certificatesOfPkcs7(bytes), says);
});

test('a body that is no bundle is refused with a reason', () => {
  const cases: [Uint8Array, RegExp][] = [
    [Buffer.from('<html>'), /neither DER nor base64/],
    [Buffer.alloc(0), /DER/],
    [Buffer.alloc(LIMITS.derBytes + 1, 'A'), /larger than/],
    [bundleOf([der(TAG.sequence)]), /certificate 1 cannot be read/],
    [bundleOf(Array.from({ length: LIMITS.certificates + 1 }, () => der(TAG.sequence))), /more than/],
  ];
  for (const [body, says] of cases) assert.throws(() => certificatesOfBundle(body), says);
});

test('a damaged bundle is a list of certificates or a plain error', (t) => {
  const seeds = [
    Buffer.from(ENROLLMENT.cacerts),
    bundleOf(pki.authorities),
    Buffer.from(certificateBundle(pki.authorities)),
  ];
  const tally = mutate(
    seeds,
    (input) => certificatesOfBundle(input),
    (error) => error instanceof Error && error.constructor === Error,
  );
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.refused > 20);
});

test('many small values cost one pass', () => {
  const bytes = bundleOf([Buffer.alloc(LIMITS.derBytes / 2, Buffer.from([TAG.null, 0]))]);
  const begin = performance.now();
  assert.deepEqual(certificatesOfPkcs7(bytes), []);
  assert.ok(performance.now() - begin < 1000);
});
