import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { certificateRequest } from '../../src/enroll/csr.ts';
import { readSigningRequest } from '../../src/testing/pki/csr.ts';
import { ENROLLMENT } from '../recorded.ts';

const KEYS: Readonly<Record<string, () => KeyObject>> = {
  'P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  'P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  'P-521': () => generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  'RSA-2048': () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  Ed25519: () => generateKeyPairSync('ed25519').privateKey,
};

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

for (const [name, make] of Object.entries(KEYS)) {
  test(`a request for a ${name} key is signed by it and holds its public half`, () => {
    const key = make();
    const read = readSigningRequest(certificateRequest(key, 'J1H8ULKHbr'));
    assert.ok(read.publicKey.equals(createPublicKey(key)));
    assert.ok(read.subject.includes('J1H8ULKHbr'));
  });

  test(`openssl accepts the request for a ${name} key`, { skip: !hasOpenssl && 'no openssl on this machine' }, () => {
    const csr = certificateRequest(make(), 'J1H8.ULK-Hbr');
    const { status, stdout, stderr } = spawnSync('openssl', ['req', '-verify', '-noout', '-subject', '-text'], {
      input: csr,
    });
    assert.equal(status, 0, String(stderr));
    assert.match(String(stderr), /verify OK/i);
    assert.match(String(stdout), /Subject: O ?= ?OpenZiti, CN ?= ?J1H8\.ULK-Hbr/);
    assert.match(String(stdout), /Version: 1 \(0x0\)/);
  });
}

test('the request is one PEM block and nothing after its final newline', () => {
  const csr = certificateRequest(generateKeyPairSync('ed25519').privateKey, 'x');
  assert.match(
    csr,
    /^-----BEGIN CERTIFICATE REQUEST-----\n([A-Za-z0-9+/=]{1,64}\n)+-----END CERTIFICATE REQUEST-----\n$/,
  );
});

test('it is built like one that a real controller accepted', () => {
  const pem = ENROLLMENT.csr;
  assert.equal(readSigningRequest(pem).publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  const ours = certificateRequest(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'J1H8ULKHbr');
  // Theirs has a country more: 13 bytes.
  const [theirLength, ourLength] = [pem, ours].map(
    (text) => Buffer.from(text.split('\n').slice(1, -2).join(''), 'base64').length,
  );
  assert.ok(Math.abs((theirLength ?? 0) - 13 - (ourLength ?? 0)) <= 4, `${theirLength}, ${ourLength}`);
});

test('keys that nobody enrolls with are refused', () => {
  const key = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey;
  assert.throws(() => certificateRequest(key, 'x'), /secp256k1/);
});
