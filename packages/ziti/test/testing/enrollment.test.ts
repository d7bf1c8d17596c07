// Enrolment with a one-time token, from the token to the certificate, with requests that openssl or nobody would make.

import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign, verify, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { startTestNetwork, type TestNetwork } from '../../src/testing/index.ts';
import { nameOf } from '../../src/testing/pki/certificate.ts';
import { bits, context, integer, oid, pem, readElement, readElements, sequence } from '../../src/testing/pki/der.ts';
import { type Answered, ask, logIn } from './ask.ts';
import { claimsOf } from './oidc-flow.ts';

const timeout = 30_000;
const PEM = { 'content-type': 'application/x-pem-file' };

for (const kind of ['P-256', 'P-384', 'RSA-2048', 'Ed25519'] as const) {
  test(`a ${kind} key is enrolled, and its certificate logs in`, { timeout }, async () => {
    await using net = await startTestNetwork();
    const enrollment = net.addEnrollment('new');
    const key = keyOf(kind);
    const answer = await enroll(net, tokenOf(enrollment.token), request(key));
    assert.equal(answer.status, 200, answer.text);
    const chain: string = answer.body.data.cert;
    const [leaf, issuer] = chain.split(/(?<=-----END CERTIFICATE-----\n)/).map((one) => new X509Certificate(one));
    assert.ok(leaf && issuer);
    assert.ok(leaf.checkPrivateKey(key.privateKey));
    assert.ok(leaf.verify(issuer.publicKey));
    assert.match(leaf.subject, /^CN=asked for$/m);
    // A controller before 2.0 vouches for no name: the subject is the asker's word.
    assert.equal(leaf.subjectAltName, undefined);
    const keyPem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    assert.ok(await logIn(net, { id: enrollment.id, name: 'new', json: '', certPem: chain, keyPem }));
  });
}

test('from 2.0 on the certificate names the identity as the controller knows it, whatever was asked for', {
  timeout,
}, async () => {
  await using net = await startTestNetwork({ version: 'v2.0.0' });
  const { token, id } = net.addEnrollment('new');
  const answer = await enroll(net, tokenOf(token), request(keyOf('P-256')));
  const leaf = new X509Certificate(answer.body.data.cert);
  assert.match(leaf.subject, /^CN=asked for$/m);
  assert.match(leaf.subjectAltName ?? '', new RegExp(`^URI:spiffe://[^/]+/identity/${id}$`));
});

test('the token is signed by the server, and says whom it is for', { timeout }, async () => {
  await using net = await startTestNetwork();
  const { token, id } = net.addEnrollment('new', { expiresInMs: 60_000 });
  const { iss, sub, em, exp, jti } = claimsOf(token);
  assert.deepEqual([iss, sub, em, typeof jti], [net.controllerUrl, id, 'ott', 'string']);
  assert.ok(Math.abs(Number(exp) - Date.now() / 1000 - 60) < 2);
  const [head = '', payload = '', signature = ''] = token.split('.');
  const { publicKey } = new X509Certificate(await serverLeaf(net));
  const asked = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
  const bytes = Buffer.from(signature, 'base64url');
  assert.ok(verify('sha256', Buffer.from(`${head}.${payload}`), asked, bytes));
  assert.ok(!verify('sha256', Buffer.from(`${head}.${payload}x`), asked, bytes));
});

test('the CA bundle holds root and intermediate', { timeout }, async () => {
  await using net = await startTestNetwork();
  const answer = await ask(net, 'GET', '/.well-known/est/cacerts');
  assert.deepEqual(
    [answer.headers['content-type'], answer.headers['content-transfer-encoding']],
    ['application/pkcs7-mime', 'base64'],
  );
  const [, content] = readElements(readElement(Buffer.from(answer.text, 'base64')).body);
  const [signed] = readElements(content?.body as Buffer);
  const certificates = readElements(signed?.body as Buffer).find(({ tag }) => tag === 0xa0);
  const found = readElements(certificates?.body as Buffer).map(({ whole }) => pem('CERTIFICATE', whole));
  assert.deepEqual(found, [net.pki.rootPem, net.pki.intermediatePem]);
});

test('a token works once, in the JSON form, too', { timeout }, async () => {
  await using net = await startTestNetwork();
  const token = tokenOf(net.addEnrollment('new').token);
  const body = { token, clientCsr: request(keyOf('P-256')) };
  assert.equal((await ask(net, 'POST', '/enroll/ott', { body })).status, 200);
  for (const again of [await ask(net, 'POST', '/enroll/ott', { body }), await enroll(net, token, body.clientCsr)]) {
    assert.deepEqual([again.status, again.body.error.code], [400, 'INVALID_ENROLLMENT_TOKEN']);
  }
});

test('bad requests are refused with the words of a real controller, and leave the token usable', {
  timeout,
}, async () => {
  await using net = await startTestNetwork();
  const token = tokenOf(net.addEnrollment('new').token);
  const good = request(keyOf('P-256'));
  const other = keyOf('P-256');
  const refused = async (csr: string): Promise<unknown> => {
    const { status, body } = await enroll(net, token, csr);
    assert.deepEqual([status, body.error.code], [400, 'COULD_NOT_PROCESS_CSR']);
    return body.error.cause.message;
  };
  assert.equal(await refused('no pem'), 'could not decode csrPem as PEM');
  assert.equal(await refused(`${good}trailing`), 'unexpected PEM blocks at end of CSR');
  assert.equal(await refused(good + good), 'unexpected PEM blocks at end of CSR');
  assert.equal(await refused(request(other, keyOf('P-256').privateKey)), 'invalid signature on CSR');
  assert.match(String(await refused(good.replace('MI', 'MA'))), /DER|malformed|invalid|asn1/i);
  const wrongType = await ask(net, 'POST', `/enroll?method=ott&token=${token}`, {
    headers: { 'content-type': 'x/y' },
    body: good,
  });
  assert.deepEqual([wrongType.status, wrongType.body.error.code], [415, 'COULD_NOT_VALIDATE']);
  assert.equal((await enroll(net, token, good)).status, 200);
});

test('unknown, missing and expired tokens are refused', { timeout }, async () => {
  await using net = await startTestNetwork();
  const csr = request(keyOf('P-256'));
  for (const token of ['', '00000000-0000-0000-0000-000000000000']) {
    assert.equal((await enroll(net, token, csr)).body.error.code, 'INVALID_ENROLLMENT_TOKEN');
  }
  const late = tokenOf(net.addEnrollment('late', { expiresInMs: -1 }).token);
  assert.equal((await enroll(net, late, csr)).body.error.code, 'ENROLLMENT_EXPIRED');
});

function enroll(net: TestNetwork, token: string, csr: string): Promise<Answered> {
  return ask(net, 'POST', `/enroll?method=ott&token=${token}`, { headers: PEM, body: csr });
}

function tokenOf(jwt: string): string {
  return String(claimsOf(jwt).jti);
}

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function keyOf(kind: 'P-256' | 'P-384' | 'RSA-2048' | 'Ed25519'): Pair {
  if (kind === 'RSA-2048') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  if (kind === 'Ed25519') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('ec', { namedCurve: kind });
}

/** PKCS#10, signed by the key it names, or by another. */
function request({ publicKey, privateKey }: Pair, signer = privateKey): string {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const info = sequence(integer(0), nameOf('asked for'), spki, context(0));
  const [algorithm, digest] = {
    ec: ['1.2.840.10045.4.3.2', 'sha256'],
    rsa: ['1.2.840.113549.1.1.11', 'sha256'],
    ed25519: ['1.3.101.112', null],
  }[publicKey.asymmetricKeyType as 'ec'] as [string, string | null];
  return pem('CERTIFICATE REQUEST', sequence(info, sequence(oid(algorithm)), bits(sign(digest, info, signer))));
}

async function serverLeaf(net: TestNetwork): Promise<Buffer> {
  const { port } = new URL(net.controllerUrl);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(port), ca: net.caPem }, () => {
      resolve(socket.getPeerCertificate().raw);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
