// What the certificate authorities of a test network issue, read by others: node:crypto, TLS, and openssl when it is there.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { der, integer, oid, readElement, readElements, TAG, time } from '../../../src/testing/pki/der.ts';
import { createTestPki, keyPem, newKey } from '../../../src/testing/pki/pki.ts';

const timeout = 30_000;

test('a certificate names its owner, its uses and its issuer, and is signed by it', () => {
  const pki = createTestPki();
  const uri = 'spiffe://test/identity/abc';
  const issued = pki.issue({ commonName: 'abc', use: 'client', uri: [uri], dns: ['a.test'], ip: ['127.0.0.1', '::1'] });
  const leaf = new X509Certificate(issued.certPem);
  const [root, intermediate] = [new X509Certificate(pki.rootPem), new X509Certificate(pki.intermediatePem)];
  assert.match(leaf.subject, /^CN=abc$/m);
  assert.equal(leaf.subjectAltName, `DNS:a.test, URI:${uri}, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1`);
  assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  assert.ok(leaf.checkIssued(intermediate) && leaf.verify(intermediate.publicKey));
  assert.ok(intermediate.checkIssued(root) && intermediate.verify(root.publicKey));
  assert.ok(root.ca && intermediate.ca && !leaf.ca);
  assert.equal(issued.chainPem, issued.certPem + pki.intermediatePem);
});

for (const kind of ['P-256', 'P-384', 'RSA-2048', 'Ed25519'] as const) {
  test(`a client with a ${kind} key is known by its certificate in TLS 1.2 and 1.3`, { timeout }, async () => {
    const pki = createTestPki();
    const key = newKey(kind);
    const client = pki.issue({ commonName: 'me', use: 'client', publicKey: key.publicKey });
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const seen = await handshake(
        pki,
        { key: keyPem(key.privateKey), cert: client.chainPem, ca: pki.rootPem },
        version,
      );
      assert.deepEqual(seen, { authorized: true, commonName: 'me', protocol: version });
    }
  });
}

test('expired, future and foreign certificates are refused by whoever verifies', { timeout }, async () => {
  const pki = createTestPki();
  const ago = (days: number): Date => new Date(Date.now() - days * 86_400_000);
  const bad = [
    pki.issue({ commonName: 'old', use: 'client', notBefore: ago(3), notAfter: ago(1) }),
    pki.issue({ commonName: 'new', use: 'client', notBefore: ago(-1), notAfter: ago(-3) }),
    createTestPki().issue({ commonName: 'foreign', use: 'client' }),
  ];
  for (const { keyPem: key, chainPem: cert } of bad) {
    const seen = await handshake(pki, { key, cert, ca: pki.rootPem }, 'TLSv1.3');
    assert.equal(seen.authorized, false);
  }
});

test('times after 2049 are written in their own form', () => {
  const pki = createTestPki();
  const issued = pki.issue({ commonName: 'x', use: 'server', notAfter: new Date('2071-02-03T04:05:06Z') });
  assert.equal(new X509Certificate(issued.certPem).validTo, 'Feb  3 04:05:06 2071 GMT');
  assert.equal(time(new Date('2049-12-31T23:59:59Z'))[0], TAG.utcTime);
  assert.equal(time(new Date('2050-01-01T00:00:00Z'))[0], TAG.generalizedTime);
});

test('openssl verifies the chain strictly', {
  timeout,
  skip: !hasOpenssl() && 'openssl is not installed',
}, async () => {
  const pki = createTestPki();
  const folder = await mkdtemp(join(tmpdir(), 'pki-'));
  try {
    const server = pki.issue({ commonName: 'server', use: 'server', ip: ['127.0.0.1'] });
    await writeFile(join(folder, 'root.pem'), pki.rootPem);
    await writeFile(join(folder, 'intermediate.pem'), pki.intermediatePem);
    await writeFile(join(folder, 'leaf.pem'), server.certPem);
    const args = ['verify', '-x509_strict', '-purpose', 'sslserver', '-verify_ip', '127.0.0.1'];
    args.push('-CAfile', 'root.pem', '-untrusted', 'intermediate.pem', 'leaf.pem');
    const { status, stdout, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('authorities and a certificate are made in a moment', () => {
  createTestPki();
  const from = performance.now();
  createTestPki().issue({ commonName: 'x', use: 'both' });
  assert.ok(performance.now() - from < 2000);
});

test('elements are read as they were written, at every length', () => {
  const lengths = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000];
  for (const length of lengths) {
    const body = Buffer.alloc(length, 7);
    const { tag, body: read, whole } = readElement(Buffer.concat([der(TAG.octetString, body), Buffer.of(1, 2, 3)]));
    assert.deepEqual([tag, read.equals(body), whole.length], [TAG.octetString, true, der(4, body).length]);
  }
  assert.equal(oid('1.2.840.113549.1.1.11').toString('hex'), '06092a864886f70d01010b');
  assert.equal(integer(0x80).toString('hex'), '02020080');
  assert.equal(integer(Buffer.of(0x7f)).toString('hex'), '02017f');
});

test('any bytes are read as elements or refused, never beyond their end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const input = Buffer.from(bytes);
      try {
        const elements = readElements(input);
        assert.deepEqual(Buffer.concat(elements.map(({ whole }) => whole)), input);
        for (const { tag, body, whole } of elements) assert.deepEqual(der(tag, body), whole);
      } catch (error) {
        assert.match(String(error), /^Error: DER: /);
      }
    }),
  );
});

test('keys are written in the form that every SDK reads', () => {
  assert.match(keyPem(newKey().privateKey), /^-----BEGIN EC PRIVATE KEY-----/);
  assert.match(keyPem(newKey('RSA-2048').privateKey), /^-----BEGIN RSA PRIVATE KEY-----/);
  assert.match(keyPem(newKey('Ed25519').privateKey), /^-----BEGIN PRIVATE KEY-----/);
  assert.equal(createPublicKey(keyPem(newKey('P-384').privateKey)).asymmetricKeyDetails?.namedCurve, 'secp384r1');
});

function hasOpenssl(): boolean {
  return spawnSync('openssl', ['version']).status === 0;
}

interface Shown {
  readonly key: string | undefined;
  readonly cert: string;
  readonly ca: string;
}

async function handshake(pki: ReturnType<typeof createTestPki>, client: Shown, version: 'TLSv1.2' | 'TLSv1.3') {
  const { keyPem: key, chainPem: cert } = pki.issue({ commonName: 'server', use: 'server', ip: ['127.0.0.1'] });
  const server = createServer({ key, cert, ca: pki.rootPem, requestCert: true, rejectUnauthorized: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const arrival = once(server, 'secureConnection');
  const { key: own, ...rest } = client;
  const socket = connect({
    ...rest,
    ...(own ? { key: own } : {}),
    port,
    host: '127.0.0.1',
    minVersion: version,
    maxVersion: version,
  });
  try {
    await once(socket, 'secureConnect');
    assert.ok(socket.authorized);
    const [accepted] = (await arrival) as [TLSSocket];
    const { subject } = accepted.getPeerCertificate();
    return { authorized: accepted.authorized, commonName: subject.CN, protocol: accepted.getProtocol() };
  } finally {
    socket.destroy();
    server.close();
  }
}
