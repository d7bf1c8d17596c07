// Certificates and revocation lists as strangers might send them, mutated.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mutate } from '@mcp-overlay/ziti/testing';
import { IDENTITY_ERROR_CODES, OverlayError } from '../../src/errors.ts';
import { testAuthority } from '../../src/testing/pki.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { readRevocationList } from '../../src/x509/crl.ts';
import { pemBlocks } from '../../src/x509/pem.ts';
import { CONTROLLER_LEAF, IDENTITY_LEAF, INTERMEDIATE_CA, ROOT_CA } from '../proof/fixtures/openziti-1.6.0.ts';

const isOurs = (error: unknown): boolean =>
  error instanceof OverlayError && (IDENTITY_ERROR_CODES as readonly string[]).includes(error.code);

const root = testAuthority('root');

test('a damaged certificate is a certificate or an error of ours', (t) => {
  const real = [IDENTITY_LEAF, CONTROLLER_LEAF, INTERMEDIATE_CA, ROOT_CA].flatMap((pem) => pemBlocks(pem));
  const made = (['p256', 'ed25519', 'rsa'] as const).map((kind) => root.issue('a', { kind, uris: ['spiffe://net/a'] }));
  const tally = mutate(
    [...real, ...made].map(({ der }) => der),
    (input) => readCertificate(input, 'it'),
    isOurs,
  );
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.accepted > 0 && tally.refused > 20);
});

test('a damaged key of a certificate is a key or an error of ours', (t) => {
  const made = (['p256', 'p384', 'ed25519', 'rsa'] as const).map((kind) => root.issue('a', { kind }));
  const tally = mutate(
    made.map(({ der }) => der),
    (input) => readCertificate(input, 'it').key(),
    isOurs,
  );
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.refused > 20);
});

test('a damaged revocation list is a list or an error of ours', (t) => {
  const lists = [[], [1], [1, 2, 3, 300]].flatMap((serials) => pemBlocks(root.revocationList(serials)));
  const tally = mutate(
    lists.map(({ der }) => der),
    (input) => readRevocationList(input),
    isOurs,
  );
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.accepted > 0 && tally.refused > 20);
});

test('damaged PEM is blocks of bytes', (t) => {
  const texts = [root.pem + root.pem, root.keyPem, root.revocationList([1])].map((text) => Buffer.from(text));
  const tally = mutate(texts, (input) => pemBlocks(input.toString()), isOurs);
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.accepted > 0);
});
