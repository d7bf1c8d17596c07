// Proofs as strangers might send them, mutated: none but the one that was made for the occasion is believed.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { mutate } from '@mcp-overlay/ziti/testing';
import { IDENTITY_ERROR_CODES, OverlayError } from '../../src/errors.ts';
import type { Occasion } from '../../src/proof/proof.ts';
import { readProof } from '../../src/proof/proof.ts';
import { judgeProof, makeProof } from '../../src/proof/prove.ts';
import { trustFromPem } from '../../src/proof/trust.ts';
import { testAuthority } from '../../src/testing/pki.ts';

const isRefusal = (error: unknown): boolean =>
  error instanceof SyntaxError ||
  (error instanceof OverlayError && (IDENTITY_ERROR_CODES as readonly string[]).includes(error.code));

const network = testAuthority('network', { uris: ['spiffe://net'] });
const at: Occasion = { role: 'dialer', network: 'ziti', share: 'my-share', binding: randomBytes(32) };
const proofs = (['p256', 'ed25519', 'rsa'] as const).map((kind) => {
  const { der, key } = network.issue('alice', { kind, uris: ['spiffe://net/identity/alice'] });
  return makeProof({ chain: [der], key }, at, ['ziti:bob']);
});
const texts = proofs.map((proof) => Buffer.from(JSON.stringify(proof)));

function objectOf(input: Buffer): Record<string, unknown> {
  const value = JSON.parse(input.toString()) as unknown;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError('no object');
  return value as Record<string, unknown>;
}

test('a damaged proof is read or refused', (t) => {
  const tally = mutate(texts, (input) => readProof(objectOf(input)), isRefusal);
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.accepted > 0 && tally.refused > 20);
});

test('a damaged proof proves nothing else than it did', (t) => {
  const trusted = [trustFromPem(network.pem, 'ziti', 'ca')];
  const tally = mutate(
    texts,
    (input) => {
      const host = judgeProof(objectOf(input), at, { trusted, now: Date.now() });
      assert.equal(host.id, 'ziti:alice');
    },
    isRefusal,
  );
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.refused > 20);
});
