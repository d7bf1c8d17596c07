import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { createSecureContext } from 'node:tls';
import { ZitiError } from '../../src/errors.ts';
import { loadIdentity, parseIdentity, tlsOptions } from '../../src/identity.ts';
import { LIMITS } from '../../src/limits.ts';
import { createTestPki } from '../../src/testing/pki/pki.ts';
import { ENROLLMENT } from '../recorded.ts';
import { tempFolder } from '../temp-folder.ts';

const pki = createTestPki();
const ca = pki.rootPem + pki.intermediatePem;
const API = 'https://ctrl.example:1280/edge/client/v1';

function certificateFor(key: KeyObject, commonName = 'id-1'): string {
  const { publicKey } = { publicKey: key };
  return pki.issue({ commonName, use: 'client', publicKey }).chainPem;
}

/** An identity file; what a test changes replaces the member. */
function fileWith(changes: { id?: Record<string, unknown>; [member: string]: unknown } = {}): string {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ type: 'sec1', format: 'pem' });
  const { id, ...members } = changes;
  const parts = { key: `pem:${key}`, cert: `pem:${certificateFor(publicKey)}`, ca: `pem:${ca}` };
  return JSON.stringify({ ztAPI: API, ztAPIs: null, configTypes: null, ...members, id: { ...parts, ...id } });
}

function refuses(code: string, says?: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ZitiError, String(error));
    assert.equal(error.code, code, error.message);
    if (says) assert.match(error.message, says);
    assert.ok(error.hint, 'no hint');
    return true;
  };
}

const KEYS: readonly (readonly [
  string,
  () => { publicKey: KeyObject; privateKey: KeyObject },
  ...('sec1' | 'pkcs1')[],
])[] = [
  ['RSA-2048', () => generateKeyPairSync('rsa', { modulusLength: 2048 }), 'pkcs1'],
  ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'sec1'],
  ['P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }), 'sec1'],
  ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' }), 'sec1'],
  ['Ed25519', () => generateKeyPairSync('ed25519')],
];

for (const [name, make, ...forms] of KEYS) {
  for (const type of ['pkcs8', ...forms] as const) {
    test(`a ${name} key in ${type} form is read and usable for TLS`, () => {
      const { publicKey, privateKey } = make();
      const key = privateKey.export({ type: type as 'pkcs8', format: 'pem' });
      const identity = parseIdentity(fileWith({ id: { key: `pem:${key}`, cert: `pem:${certificateFor(publicKey)}` } }));
      assert.ok(identity.key.equals(privateKey));
      assert.ok(createPrivateKey(identity.keyPem).equals(privateKey));
      createSecureContext(tlsOptions(identity));
    });
  }
}

test('the file of a real enrollment is read as the Go tools wrote it', () => {
  const identity = parseIdentity(JSON.stringify(ENROLLMENT.identityFile));
  assert.deepEqual(identity.controllers, ['https://127.0.0.1:11280/edge/client/v1']);
  assert.equal(identity.id, 'J1H8ULKHbr');
  assert.equal(identity.certPem.match(/BEGIN CERTIFICATE/g)?.length, 2);
  assert.equal(identity.caPem.match(/BEGIN CERTIFICATE/g)?.length, 2);
  assert.equal(identity.certExpiresAt.toISOString(), '2027-11-20T13:39:57.000Z');
});

test('the shape that zrok stores is read: PKCS#1 RSA, nulls, indentation, final newline, old members', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const id = {
    key: `pem:${privateKey.export({ type: 'pkcs1', format: 'pem' })}`,
    cert: `pem:${certificateFor(publicKey, 'env-zid')}`,
    ca: `pem:${ca}`,
  };
  const file = { ztAPI: API, ztAPIs: null, configTypes: null, id, enableHa: false };
  const identity = parseIdentity(`\uFEFF${JSON.stringify(file, null, 2)}\n`);
  assert.equal(identity.id, 'env-zid');
  assert.equal(identity.key.asymmetricKeyType, 'rsa');
});

test('PEM without prefix, with "pem://", with CRLF and behind EC parameters is read', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'sec1', format: 'pem' }) as string;
  const cert = certificateFor(publicKey);
  const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
  const keys = [pem, `pem://${pem}`, `pem:${pem.replaceAll('\n', '\r\n')}`, `PEM:${parameters}${pem}`];
  for (const key of keys) assert.ok(parseIdentity(fileWith({ id: { key, cert } })).key.equals(privateKey), key);
});

test('file: and bare paths are read, relative to the identity file or absolute', async () => {
  await using folder = await tempFolder();
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await mkdir(folder.file('certs and keys'));
  await writeFile(folder.file('certs and keys/key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(folder.file('cert.pem'), certificateFor(publicKey));
  await writeFile(folder.file('ca.pem'), ca);
  const keys = [
    'certs and keys/key.pem',
    'file:certs%20and%20keys/key.pem',
    'file://certs and keys/key.pem',
    `file://${folder.file('certs and keys/key.pem')}`,
    `file:${folder.file('certs and keys/key.pem')}`,
    folder.file('certs and keys/key.pem'),
  ];
  for (const key of keys) {
    const text = fileWith({ id: { key, cert: 'file://cert.pem', ca: './ca.pem' } });
    await writeFile(folder.file('id.json'), text);
    const identity = await loadIdentity(folder.file('id.json'));
    assert.ok(identity.key.equals(privateKey), key);
    assert.equal(identity.caPem.match(/BEGIN/g)?.length, 2);
  }
});

test('a file that is named but cannot be read is refused with member, path and reason', async () => {
  await using folder = await tempFolder();
  await writeFile(folder.file('id.json'), fileWith({ id: { key: 'file:missing.pem' } }));
  await assert.rejects(
    loadIdentity(folder.file('id.json')),
    refuses('identity_unreadable', /id\.key = missing\.pem .*ENOENT/),
  );
  await assert.rejects(
    loadIdentity(folder.file('nothing.json')),
    refuses('identity_unreadable', /nothing\.json .*ENOENT/),
  );
  await writeFile(folder.file('large.pem'), ' '.repeat(LIMITS.identityBytes + 1));
  await writeFile(folder.file('id.json'), fileWith({ id: { ca: 'large.pem' } }));
  await assert.rejects(loadIdentity(folder.file('id.json')), refuses('identity_unreadable', /larger than/));
  if (process.getuid?.() === 0) return;
  await chmod(folder.file('id.json'), 0o000);
  await assert.rejects(loadIdentity(folder.file('id.json')), refuses('identity_unreadable', /EACCES/));
});

test('keys in hardware, key chains and behind a passphrase are refused with what to do', () => {
  const encrypted = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' },
  }).privateKey;
  const legacy = '-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n';
  for (const key of ['pkcs11://driver?slot=1', 'engine-id:pkcs11', 'keychain:name', 'parsec:key']) {
    assert.throws(() => parseIdentity(fileWith({ id: { key } })), refuses('identity_unsupported', /native driver/));
  }
  for (const key of [`pem:${encrypted}`, legacy]) {
    assert.throws(() => parseIdentity(fileWith({ id: { key } })), refuses('identity_unsupported', /passphrase/));
  }
});

test('an identity without a certificate is refused with what to do', () => {
  const { id, ...rest } = JSON.parse(fileWith()) as { id: { ca: string } };
  const json = JSON.stringify({ ...rest, id: { ca: id.ca } });
  assert.throws(
    () => parseIdentity(json),
    refuses('identity_unsupported', /neither key nor certificate.*external signer/),
  );
});

test('what is no identity is refused, and the message holds nothing of its content', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'pem' });
  const cases: [string, RegExp][] = [
    ['', /not JSON/],
    ['{"id":{"key":"pem:-----BEGIN SECRET', /not JSON/],
    ['[1]', /not a JSON object/],
    ['null', /not a JSON object/],
    [' '.repeat(LIMITS.identityBytes + 1), /larger than/],
    ['{}', /id\.key is missing/],
    [fileWith({ ztAPI: undefined }), /ztAPI/],
    [fileWith({ ztAPI: 'http://ctrl.example:1280' }), /ztAPI/],
    [fileWith({ ztAPI: 'https://user:secret@ctrl.example' }), /ztAPI/],
    [fileWith({ ztAPIs: [API, 7] }), /ztAPI/],
    [fileWith({ ztAPIs: Array.from({ length: LIMITS.controllers + 1 }, (_, at) => `https://c${at}`) }), /more than/],
    [fileWith({ id: { key: 'pem:' } }), /no private key/],
    [fileWith({ id: { key: 7 } }), /id\.key is missing/],
    [fileWith({ id: { key: `pem:${spki}` } }), /PUBLIC KEY/],
    [fileWith({ id: { key: 'pem:-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----' } }), /cannot be read/],
    [fileWith({ id: { key: 'pem:-----BEGIN PRIVATE KEY-----\nsecret' } }), /no end/],
    [fileWith({ id: { cert: 'pem:no certificate' } }), /id\.cert holds no certificate/],
    [fileWith({ id: { cert: `pem:${pki.rootPem.replace('MII', 'AAA')}` } }), /certificate 1 cannot be read/],
    [fileWith({ id: { cert: `pem:${certificateFor(publicKey)}` } }), /does not belong/],
    [fileWith({ id: { ca: 'pem:nothing' } }), /id\.ca holds no certificate/],
    [fileWith({ id: { ca: `pem:${ca.repeat(LIMITS.certificates)}` } }), /more than \d+ PEM|larger than/],
  ];
  for (const [text, says] of cases) {
    assert.throws(
      () => parseIdentity(text),
      (error: unknown) => {
        assert.ok(
          !String((error as Error).message)
            .toLowerCase()
            .includes('secret'),
          'the message quotes the file',
        );
        return refuses('identity_invalid', says)(error);
      },
      text.slice(0, 80),
    );
  }
});

test('the leaf comes first, wherever it stands in the file', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { certPem } = pki.issue({ commonName: 'leaf', use: 'client', publicKey });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const identity = parseIdentity(fileWith({ id: { key: `pem:${key}`, cert: `pem:${pki.intermediatePem}${certPem}` } }));
  assert.equal(identity.id, 'leaf');
  assert.equal(identity.certPem, certPem + pki.intermediatePem);
});

test('addresses of controllers are completed, compared in one form, and a list replaces the single one', () => {
  const controllers = (members: Record<string, unknown>) => parseIdentity(fileWith(members)).controllers;
  assert.deepEqual(controllers({ ztAPI: 'ctrl.example:1280' }), [API]);
  assert.deepEqual(controllers({ ztAPI: 'https://CTRL.example:1280/' }), [API]);
  assert.deepEqual(controllers({ ztAPI: `${API}/` }), [API]);
  assert.deepEqual(controllers({ ztAPI: 'https://ctrl.example:443/prefix/edge/client/v1' }), [
    'https://ctrl.example/prefix/edge/client/v1',
  ]);
  assert.deepEqual(controllers({ ztAPIs: ['https://a', 'https://b:1280', 'https://a/'] }), [
    'https://a/edge/client/v1',
    'https://b:1280/edge/client/v1',
  ]);
  assert.deepEqual(controllers({ ztAPIs: [] }), [API]);
});

test('without id.ca the trust store of the runtime decides', () => {
  const identity = parseIdentity(fileWith({ id: { ca: undefined } }));
  assert.equal(identity.caPem, '');
  assert.ok(!('ca' in tlsOptions(identity)));
});
