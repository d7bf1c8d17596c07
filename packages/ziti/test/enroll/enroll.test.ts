import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { type EnrollOptions, enroll, type KeyType } from '../../src/enroll/enroll.ts';
import { ZitiError } from '../../src/errors.ts';
import { loadIdentity } from '../../src/identity.ts';
import { LIMITS } from '../../src/limits.ts';
import { certificateBundle } from '../../src/testing/pki/bundle.ts';
import { readSigningRequest } from '../../src/testing/pki/csr.ts';
import { createTestPki, type Pki } from '../../src/testing/pki/pki.ts';
import { type Asked, type HttpsController, type Reply, startHttpsController } from '../https-controller.ts';
import { recordedAnswer } from '../recorded.ts';
import { type TempFolder, tempFolder } from '../temp-folder.ts';
import { makeToken } from '../tokens.ts';

interface Setup extends AsyncDisposable {
  readonly server: HttpsController;
  readonly folder: TempFolder;
  /** The key that the server's certificate is for, which signs tokens. */
  readonly key: KeyObject;
  readonly out: string;
  token(changes?: object, by?: KeyObject): string;
  enroll(options?: Partial<EnrollOptions>, token?: string): ReturnType<typeof enroll>;
}

/** A controller that does what the recorded one did; `override` speaks first. */
async function setup(
  override: (asked: Asked, pki: Pki) => Reply | undefined | Promise<Reply | undefined> = () => undefined,
  make: () => { publicKey: KeyObject; privateKey: KeyObject } = () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }),
): Promise<Setup> {
  const pki = createTestPki();
  const { publicKey, privateKey } = make();
  const { chainPem } = pki.issue({ commonName: 'ctrl', use: 'server', ip: ['127.0.0.1'], publicKey });
  const reply = async (asked: Asked): Promise<Reply> => {
    return (await override(asked, pki)) ?? usual(asked, pki);
  };
  const cert = { key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, cert: chainPem };
  const server = await startHttpsController(reply, { pki, server: cert });
  const folder = await tempFolder();
  const out = folder.file('id.json');
  const claims = {
    iss: server.origin,
    sub: 'J1H8ULKHbr',
    aud: [''],
    exp: Date.now() / 1000 + 60,
    jti: 'jti-1',
    em: 'ott',
  };
  const token = (changes = {}, by = privateKey): string => makeToken({ ...claims, ...changes }, by);
  return {
    server,
    folder,
    key: privateKey,
    out,
    token,
    enroll: (options = {}, text = token()) => enroll(text, { out, ...options }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function usual(asked: Asked, pki: Pki): Reply {
  if (asked.path.endsWith('/cacerts')) return bundle(pki);
  if (asked.path.includes('/enroll')) return { body: { data: { cert: issue(asked, pki) }, meta: {} } };
  return recordedAnswer('legacy', 'GET', /no-such-path/, 404);
}

function bundle(pki: Pki): Reply {
  const headers = { 'content-type': 'application/pkcs7-mime', 'content-transfer-encoding': 'base64' };
  return { headers, body: certificateBundle(pki.authorities) };
}

function issue(asked: Asked, pki: Pki): string {
  const csr = asked.headers['content-type'] === 'application/json' ? JSON.parse(asked.body).clientCsr : asked.body;
  const { subject, publicKey } = readSigningRequest(csr);
  return pki.issueFor(subject, { commonName: '', use: 'client', publicKey }).chainPem;
}

const refused =
  (code: string, says: RegExp = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof ZitiError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, says);
    assert.ok(error.hint || code === 'aborted', 'no hint');
    assert.ok(!`${error.message} ${error.hint}`.includes('jti-1'), 'the token is quoted');
    return true;
  };

const enrollments = ({ server }: Setup): number => server.seen().filter((one) => one.includes('/enroll')).length;

const KEY_TYPES: readonly [KeyType, string][] = [
  ['P-256', 'EC PRIVATE KEY'],
  ['P-384', 'EC PRIVATE KEY'],
  ['P-521', 'EC PRIVATE KEY'],
  ['RSA-2048', 'RSA PRIVATE KEY'],
  ['Ed25519', 'PRIVATE KEY'],
];

for (const [keyType, label] of KEY_TYPES) {
  test(`a token becomes an identity file with a ${keyType} key that never left`, async () => {
    await using it = await setup();
    const made = await it.enroll({ keyType });
    assert.deepEqual(made, { identityFile: it.out, id: 'J1H8ULKHbr', controllers: [it.server.url] });
    const identity = await loadIdentity(it.out);
    assert.equal(identity.id, 'J1H8ULKHbr');
    assert.deepEqual(identity.controllers, [it.server.url]);
    assert.equal(identity.caPem, it.server.pki.rootPem + it.server.pki.intermediatePem);
    assert.equal((await stat(it.out)).mode & 0o777, 0o600);
    const text = await readFile(it.out, 'utf8');
    assert.ok(text.includes(`"pem:-----BEGIN ${label}-----`));
    assert.ok(!it.server.asked.some(({ body }) => body.includes('PRIVATE KEY')));
    assert.deepEqual(it.server.seen(), ['GET /.well-known/est/cacerts', 'POST /enroll/ott']);
    assert.ok(
      it.server.asked.every(({ path }) => !path.includes('jti-1')),
      'the token stands in an address',
    );
    assert.deepEqual(await readdir(it.folder.path), ['id.json']);
  });
}

test('the default key is P-256', async () => {
  await using it = await setup();
  await it.enroll();
  const { key } = await loadIdentity(it.out);
  assert.equal(key.asymmetricKeyDetails?.namedCurve, 'prime256v1');
});

const SIGNERS: Readonly<Record<string, () => { publicKey: KeyObject; privateKey: KeyObject }>> = {
  'RSA (RS256)': () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'P-384 (ES384)': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'Ed25519 (EdDSA)': () => generateKeyPairSync('ed25519'),
};

for (const [name, make] of Object.entries(SIGNERS)) {
  test(`a controller whose key is ${name} is proved by the signature of its token`, async () => {
    await using it = await setup(undefined, make);
    assert.equal((await it.enroll()).id, 'J1H8ULKHbr');
  });
}

test('a controller that knows only the older form gets the request as PEM, with the token in the query', async () => {
  await using it = await setup((asked) =>
    asked.path.endsWith('/enroll/ott') ? recordedAnswer('legacy', 'GET', /no-such-path/, 404) : undefined,
  );
  await it.enroll();
  const { path, headers, body } = it.server.asked.at(-1) ?? assert.fail();
  assert.equal(path, '/edge/client/v1/enroll?method=ott&token=jti-1');
  assert.equal(headers['content-type'], 'application/x-pem-file');
  assert.match(body, /^-----BEGIN CERTIFICATE REQUEST-----\n[^-]+-----END CERTIFICATE REQUEST-----\n$/);
});

test('an answer that is plain PEM, and one that lists controllers, are understood', async () => {
  await using plain = await setup((asked, pki) => (asked.method === 'POST' ? { body: issue(asked, pki) } : undefined));
  assert.equal((await plain.enroll()).id, 'J1H8ULKHbr');

  const address = (url: string) => ({ apiAddresses: { 'edge-client': [{ url, version: 'v1' }] } });
  await using listed = await setup((asked, pki) => {
    if (asked.method !== 'POST') return undefined;
    const controllers = [address('https://c2:1280/edge/client/v1'), { apiAddresses: {} }, 7, address('http://c3')];
    return { body: { data: { cert: issue(asked, pki), controllers }, meta: {} } };
  });
  const { controllers } = await listed.enroll();
  assert.deepEqual(controllers, [listed.server.url, 'https://c2:1280/edge/client/v1']);
  assert.deepEqual((await loadIdentity(listed.out)).controllers, controllers);
});

test('a server that cannot have signed the token is not asked for anything', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await using it = await setup();
  await assert.rejects(
    it.enroll({}, it.token({}, privateKey)),
    refused('enroll_untrusted', /127\.0\.0\.1:\d+ is not the one/),
  );
  const [head = '', , signature = ''] = it.token().split('.');
  const body = Buffer.from(JSON.stringify({ iss: it.server.origin, sub: 'x', exp: 4e9, jti: 'jti-1', em: 'ott' }));
  await assert.rejects(
    it.enroll({}, `${head}.${body.toString('base64url')}.${signature}`),
    refused('enroll_untrusted'),
  );
  assert.deepEqual(it.server.asked, []);
  assert.deepEqual(await readdir(it.folder.path), []);
});

test('a bundle that does not vouch for the server ends the enrollment before the token is used', async () => {
  await using it = await setup((asked) => (asked.path.endsWith('/cacerts') ? bundle(createTestPki()) : undefined));
  await assert.rejects(it.enroll(), refused('controller_untrusted', /UNABLE|SELF_SIGNED/));
  assert.equal(enrollments(it), 0);
  assert.deepEqual(await readdir(it.folder.path), []);
});

test('an address that is not in the certificate ends the enrollment before the token is used', async () => {
  await using it = await setup();
  const iss = it.server.origin.replace('127.0.0.1', 'localhost');
  await assert.rejects(it.enroll({}, it.token({ iss })), refused('controller_untrusted', /ALTNAME/));
  assert.equal(enrollments(it), 0);
});

test('a bundle that is broken, empty, too large or missing is said so, and the token is still good', async () => {
  const bodies: [Reply, string, RegExp][] = [
    [{ body: '<html>' }, 'controller_answer_invalid', /neither DER nor base64/],
    [{ body: certificateBundle([]) }, 'controller_answer_invalid', /without certificates/],
    [{ body: Buffer.alloc(LIMITS.answerBytes + 1) }, 'controller_answer_too_large', /larger than/],
    [{ status: 404, body: 'no' }, 'enroll_refused', /404/],
    [{ status: 503, body: 'no' }, 'controller_busy', /503/],
    ['cut', 'controller_unreachable', /ECONNRESET/],
  ];
  let said: Reply = 'cut';
  await using it = await setup((asked) => (asked.path.endsWith('/cacerts') ? said : undefined));
  for (const [reply, code, says] of bodies) {
    said = reply;
    await assert.rejects(it.enroll(), refused(code, says));
  }
  assert.equal(enrollments(it), 0);
  said = bundle(it.server.pki);
  assert.equal((await it.enroll()).id, 'J1H8ULKHbr');
});

test('tokens that cannot work are refused without asking anybody', async () => {
  await using it = await setup();
  const cases: [object, string][] = [
    [{ exp: Date.now() / 1000 - 1 }, 'enroll_token_expired'],
    [{ em: 'ottca' }, 'enroll_method_unsupported'],
    [{ jti: undefined }, 'enroll_token_invalid'],
  ];
  for (const [changes, code] of cases) await assert.rejects(it.enroll({}, it.token(changes)), refused(code));
  assert.equal(it.server.connections, 0);
});

test('an output file that exists or cannot be made is refused without asking anybody', async () => {
  await using it = await setup();
  await writeFile(it.out, 'theirs');
  await assert.rejects(it.enroll(), refused('identity_exists'));
  await assert.rejects(it.enroll({ out: it.folder.file('no/id.json') }), refused('identity_unwritable'));
  assert.equal(it.server.connections, 0);
  assert.equal(await readFile(it.out, 'utf8'), 'theirs');
});

test('each recorded refusal of a request becomes an error that says what to do', async () => {
  const used = recordedAnswer('enrollErrors', 'POST', /method=ott&token=f97/, 400);
  const unparsable = recordedAnswer('enrollErrors', 'POST', /token=8cc/, 400);
  const media = recordedAnswer('enrollErrors', 'POST', /token=8cc/, 415);
  const cases: [Reply, string, RegExp][] = [
    [used, 'enroll_token_refused', /400 INVALID_ENROLLMENT_TOKEN/],
    [
      { status: 400, body: { error: { code: 'ENROLLMENT_EXPIRED', message: 'x' } } },
      'enroll_token_expired',
      /has expired/,
    ],
    [unparsable, 'enroll_refused', /COULD_NOT_PROCESS_CSR: could not decode csrPem/],
    [media, 'enroll_refused', /415 COULD_NOT_VALIDATE/],
    [{ status: 401, body: '' }, 'enroll_refused', /401/],
    [{ status: 429, body: { error: { code: 'RATE_LIMITED' } } }, 'controller_busy', /RATE_LIMITED/],
    [{ status: 500, body: 'x' }, 'controller_failed', /500/],
    [{ status: 200, body: { data: {} } }, 'controller_answer_invalid', /no certificate for our key/],
    [{ status: 200, body: 'nothing' }, 'controller_answer_invalid', /no certificate for our key/],
    [{ status: 200, body: '-----BEGIN CERTIFICATE-----' }, 'controller_answer_invalid', /no end/],
  ];
  let said: Reply = 'cut';
  await using it = await setup((asked) => (asked.method === 'POST' ? said : undefined));
  for (const [reply, code, says] of cases) {
    said = reply;
    await assert.rejects(it.enroll(), refused(code, says));
  }
  assert.deepEqual(await readdir(it.folder.path), []);
});

test('a certificate for another key is not written', async () => {
  await using it = await setup((asked, pki) =>
    asked.method === 'POST'
      ? { body: { data: { cert: pki.issue({ commonName: 'x', use: 'client' }).chainPem } } }
      : undefined,
  );
  await assert.rejects(it.enroll(), refused('controller_answer_invalid', /no certificate for our key/));
  assert.deepEqual(await readdir(it.folder.path), []);
});

test('an answer that is lost says that the token may be used up', async () => {
  let said: Reply = 'cut';
  await using it = await setup((asked) => (asked.method === 'POST' ? said : undefined));
  const mayBeUsed = (code: string) => (error: ZitiError) =>
    error.code === code && /may have been used/.test(error.hint ?? '');
  await assert.rejects(it.enroll(), mayBeUsed('controller_unreachable'));
  said = 'hang';
  await assert.rejects(it.enroll({ timeoutMs: 100 }), mayBeUsed('controller_timeout'));
});

test('a stop before the last request leaves token and folder as they were; after it the identity is still written', async () => {
  const stopped = new AbortController();
  await using it = await setup((asked) => {
    if (asked.method === 'POST') stopped.abort();
    return undefined;
  });
  await assert.rejects(it.enroll({ signal: AbortSignal.abort() }), refused('aborted'));
  await using silent = await setup((asked) => (asked.path.endsWith('/cacerts') ? 'hang' : undefined));
  const early = new AbortController();
  const waiting = silent.enroll({ signal: early.signal });
  while (silent.server.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  early.abort();
  await assert.rejects(waiting, refused('aborted'));
  assert.deepEqual(await readdir(silent.folder.path), []);

  assert.equal((await it.enroll({ signal: stopped.signal })).id, 'J1H8ULKHbr');
  assert.ok(stopped.signal.aborted);
});

test('a controller that is not there, or does not speak TLS, is named', async () => {
  await using it = await setup();
  const token = it.token();
  await it.server.stop();
  await assert.rejects(
    it.enroll({}, token),
    refused('controller_unreachable', /127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)/),
  );
});

test('the issued certificate is for client use and lasts as the controller says', async () => {
  await using it = await setup();
  await it.enroll();
  const { certPem, certExpiresAt } = await loadIdentity(it.out);
  const leaf = new X509Certificate(certPem);
  assert.equal(certExpiresAt.getTime(), Date.parse(leaf.validTo));
  assert.match(leaf.subject, /O=OpenZiti/);
});
