import assert from 'node:assert/strict';
import { type KeyObject, randomBytes, sign } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { OverlayError } from '../../src/errors.ts';
import { PROOF_LIMITS } from '../../src/limits.ts';
import type { Credential } from '../../src/proof/credential.ts';
import type { Naming } from '../../src/proof/naming.ts';
import { type Occasion, type ProofOnWire, signedBytes } from '../../src/proof/proof.ts';
import { judgeProof, makeProof } from '../../src/proof/prove.ts';
import { SeenProofs } from '../../src/proof/seen-proofs.ts';
import { trustFromPem } from '../../src/proof/trust.ts';
import { type CertificateOptions, type Issued, keyOf, testAuthority, USAGE } from '../../src/testing/pki.ts';

const HOUR = 3_600_000;
const now = Date.now();
const network = testAuthority('network', { uris: ['spiffe://net'] });
const corp = testAuthority('corp');

function occasion(more: Partial<Occasion> = {}): Occasion {
  return { role: 'dialer', network: 'ziti', share: 'my-share', binding: randomBytes(32), ...more };
}

function credential({ der, key }: Issued, ...above: Issued[]): Credential {
  return { chain: [der, ...above.map((one) => one.der)], key };
}

/** An identity as a controller issues it. */
function member(id: string, options: CertificateOptions = {}): Issued {
  return network.issue(id, { uris: [`spiffe://net/identity/${id}`], ...options });
}

function judge(proof: ProofOnWire, at: Occasion, options: { naming?: Naming; seen?: SeenProofs; now?: number } = {}) {
  const { naming = 'ziti', seen } = options;
  const ca = naming === 'ziti' ? network : corp;
  const trusted = [trustFromPem(ca.pem, naming, 'ca')];
  return judgeProof(proof, at, { trusted, now: options.now ?? now, ...(seen && { seen }) });
}

/** As an older or sloppier program would sign with RSA. */
function signPkcs1(key: KeyObject, at: Occasion): string {
  return sign('sha256', signedBytes(at), key).toString('base64');
}

function coded(code: string) {
  return (error: unknown) => error instanceof OverlayError && error.code === code;
}

test('a proof says who made it, with every kind of key', () => {
  for (const kind of ['p256', 'p384', 'p521', 'ed25519', 'rsa', { rsaBits: 4096 }] as const) {
    const at = occasion();
    const proof = makeProof(credential(member('Ab3dE.f7H', { kind })), at);
    const { chain, until: _until, ...proven } = judge(proof, at);
    assert.deepEqual(proven, { id: 'ziti:Ab3dE.f7H', name: 'Ab3dE.f7H', hosts: [] });
    assert.deepEqual(
      chain.map(({ subject }) => subject.commonName),
      ['Ab3dE.f7H'],
    );
    const again = judge(JSON.parse(JSON.stringify(proof)) as ProofOnWire, at);
    assert.equal(again.id, 'ziti:Ab3dE.f7H', 'also after a journey as JSON');
  }
});

test('a host names the others that serve its share', () => {
  const at = occasion({ role: 'host' });
  const hosts = ['ziti:other', 'ziti:third'];
  assert.deepEqual(judge(makeProof(credential(member('one')), at, hosts), at).hosts, hosts);
});

test('what is signed is unambiguous: each part behind its length', () => {
  const binding = Buffer.alloc(32, 7);
  assert.equal(
    signedBytes({ role: 'host', network: 'ziti', share: 'box', binding }).toString('latin1'),
    `\0\0\0\x10mcp-link/1 proof\0\0\0\x04host\0\0\0\x04ziti\0\0\0\x03box\0\0\0\x20${'\x07'.repeat(32)}`,
  );
  const part = fc.string({ unit: 'binary', maxLength: 5 });
  fc.assert(
    fc.property(part, part, part, part, (net, share, otherNet, otherShare) => {
      const one = signedBytes({ role: 'host', network: net, share, binding });
      const other = signedBytes({ role: 'host', network: otherNet, share: otherShare, binding });
      const same = Buffer.from(net).equals(Buffer.from(otherNet)) && Buffer.from(share).equals(Buffer.from(otherShare));
      assert.equal(one.equals(other), same);
    }),
  );
});

test('a router that lies (two connections, two bindings) and a proof of another connection are caught', () => {
  const made = occasion();
  const proof = makeProof(credential(member('alice')), made);
  assert.throws(() => judge(proof, { ...made, binding: randomBytes(32) }), coded('proof_binding'));
});

test('a proof that comes again is told from one that comes from elsewhere', () => {
  const seen = new SeenProofs();
  const made = occasion();
  const proof = makeProof(credential(member('alice')), made);
  const other = { ...made, binding: randomBytes(32) };
  assert.throws(() => judge(proof, other, { seen }), coded('proof_binding'), 'never seen here');
  judge(proof, made, { seen });
  assert.throws(() => judge(proof, other, { seen }), coded('proof_replayed'));
  // A resumed link on a connection that is the same after all: nothing was replayed.
  assert.equal(judge(proof, made, { seen }).id, 'ziti:alice');
});

test('what was seen is forgotten in the order it came', () => {
  const seen = new SeenProofs(2);
  const [a, b, c] = [randomBytes(32), randomBytes(32), randomBytes(32)];
  for (const one of [a, b, c]) seen.add(one as Buffer);
  assert.deepEqual([seen.has(a as Buffer), seen.has(b as Buffer), seen.has(c as Buffer)], [false, true, true]);
});

test('a copied certificate without its key proves nothing', () => {
  const at = occasion();
  const alice = member('alice');
  const stolen = { chain: [alice.der], key: keyOf('p256') };
  assert.throws(() => judge(makeProof(stolen, at), at), coded('proof_signature'));
  // With the binding of another connection in its place, too.
  const elsewhere = makeProof(stolen, occasion());
  assert.throws(() => judge(elsewhere, at), coded('proof_signature'));
});

test('a proof for another role, share or network is none for this one', () => {
  const at = occasion();
  for (const more of [{ role: 'host' }, { share: 'other' }, { network: 'local' }] as const) {
    const proof = makeProof(credential(member('alice')), { ...at, ...more });
    assert.throws(() => judge(proof, at), coded('proof_signature'), JSON.stringify(more));
  }
});

test('a signature with padding or hash of another algorithm is none', () => {
  const at = occasion();
  const rsa = member('alice', { kind: 'rsa' });
  const good = makeProof(credential(rsa), at);
  const pkcs1 = { ...good, signature: signPkcs1(rsa.key, at) };
  assert.equal(judge(good, at).id, 'ziti:alice');
  assert.throws(() => judge(pkcs1, at), coded('proof_signature'));
});

test('a foreign certificate, an expired one, one from the future', () => {
  const at = occasion();
  const foreign = corp.issue('alice', { uris: ['spiffe://net/identity/alice'] });
  assert.throws(() => judge(makeProof(credential(foreign), at), at), coded('proof_foreign'));
  const fresh = makeProof(credential(member('alice')), at);
  assert.throws(() => judge(fresh, at, { now: now + 48 * HOUR }), coded('proof_expired'));
  assert.throws(() => judge(fresh, at, { now: now - 48 * HOUR }), coded('proof_not_yet_valid'));
});

test('a certificate for servers, one that signs nothing, one of a CA: none is for proving who one is', () => {
  const at = occasion();
  for (const options of [{ usages: [USAGE.serverAuth] }, { keyUsage: 0x20 }, { ca: true, keyUsage: 0x86 }]) {
    const proof = makeProof(credential(member('alice', options)), at);
    assert.throws(() => judge(proof, at), coded('proof_not_client'), JSON.stringify(options));
  }
});

test('a chain too long, a certificate too large, a proof too large: refused before it is read', () => {
  const at = occasion();
  const chain = Array.from({ length: PROOF_LIMITS.chainCertificates + 1 }, () => network);
  const long = makeProof(credential(member('alice'), ...chain.slice(1)), at);
  assert.throws(() => judge(long, at), coded('proof_chain_too_long'));
  const good = makeProof(credential(member('alice')), at);
  assert.throws(() => judge({ ...good, signature: 'A'.repeat(PROOF_LIMITS.proofBytes) }, at), coded('proof_too_large'));
  const fat = 'A'.repeat(((PROOF_LIMITS.certificateBytes + 3) / 3) * 4);
  assert.throws(
    () => judge({ ...good, chain: [fat.slice(0, fat.length - (fat.length % 4))] }, at),
    coded('proof_too_large'),
  );
});

test('a key of absurd size is refused before it is used', () => {
  const at = occasion();
  const small = member('alice', { kind: { rsaBits: 1024 } });
  assert.throws(() => judge(makeProof(credential(small), at), at), coded('proof_key_refused'));
});

test('anything that is no proof is malformed', () => {
  const at = occasion();
  const good = makeProof(credential(member('alice')), at);
  const bad: unknown[] = [
    {},
    { ...good, chain: [] },
    { ...good, chain: 'x' },
    { ...good, chain: [7] },
    { ...good, chain: ['!!'] },
    { ...good, chain: ['AAAA'] },
    { ...good, binding: undefined },
    { ...good, binding: 'AAAA' },
    { ...good, signature: '' },
    { ...good, signature: null },
    { ...good, hosts: 'x' },
    { ...good, hosts: [''] },
    { ...good, hosts: ['x'.repeat(PROOF_LIMITS.principalChars + 1)] },
    { ...good, hosts: Array.from({ length: PROOF_LIMITS.hosts + 1 }, () => 'ziti:x') },
  ];
  for (const one of bad)
    assert.throws(() => judge(one as ProofOnWire, at), coded('proof_malformed'), JSON.stringify(one));
});

test('any JSON in the place of a proof is refused with a code, and nothing of it is ever believed', () => {
  const at = occasion();
  const good = makeProof(credential(member('alice')), at);
  const trusted = [trustFromPem(network.pem, 'ziti', 'ca')];
  const like = fc.record(
    {
      chain: fc.oneof(fc.constant(good.chain), fc.array(fc.oneof(fc.base64String(), fc.anything()), { maxLength: 6 })),
      binding: fc.oneof(fc.constant(good.binding), fc.base64String(), fc.anything()),
      signature: fc.oneof(fc.base64String(), fc.anything()),
      hosts: fc.anything(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(like, (value) => {
      const json = JSON.parse(JSON.stringify(value) ?? '{}') as Record<string, unknown>;
      assert.throws(
        () => judgeProof(json, at, { trusted, now }),
        (error) => error instanceof OverlayError,
      );
    }),
    { numRuns: 1000 },
  );
});

test('no flipped bit of a proof goes unnoticed', () => {
  for (const kind of ['p256', 'ed25519', 'rsa'] as const) {
    const at = occasion();
    const good = makeProof(credential(member('alice', { kind })), at);
    const parts = [good.chain[0] ?? '', good.binding, good.signature].map((text) => Buffer.from(text, 'base64'));
    fc.assert(
      fc.property(fc.nat(2), fc.nat(), fc.nat(7), (which, where, bit) => {
        const [leaf, binding, signature] = parts.map((part, index) => {
          if (index !== which) return part;
          const changed = Buffer.from(part);
          changed[where % part.length] = (changed[where % part.length] ?? 0) ^ (1 << bit);
          return changed;
        });
        const proof = {
          chain: [leaf?.toString('base64') ?? ''],
          binding: binding?.toString('base64') ?? '',
          signature: signature?.toString('base64') ?? '',
        };
        assert.throws(
          () => judge(proof, at),
          (error) => error instanceof OverlayError,
        );
      }),
      { numRuns: 300 },
    );
  }
});
