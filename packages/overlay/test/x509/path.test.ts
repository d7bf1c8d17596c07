import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Authority, type Issued, KEY_USAGE, testAuthority, USAGE } from '../../src/testing/pki.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { readRevocationList } from '../../src/x509/crl.ts';
import { anchorOf } from '../../src/x509/path.ts';
import { pemBlocks } from '../../src/x509/pem.ts';
import { publicKeyOf } from '../../src/x509/signed.ts';

const HOUR = 3_600_000;
const now = Date.now();

function trust(issued: readonly Issued[], lists: readonly string[] = []) {
  return {
    certificates: issued.map(({ der }) => readCertificate(der, 'it')),
    revocations: lists.flatMap((pem) => pemBlocks(pem)).map(({ der }) => readRevocationList(der)),
  };
}

function anchor(chain: readonly Issued[], trusted: ReturnType<typeof trust>[], at = now): string {
  return anchorOf(
    chain.map(({ der }) => readCertificate(der, 'it')),
    trusted,
    at,
  ).anchor.subject.text;
}

const root = testAuthority('root');
const middle = root.authority('middle');
const low = middle.authority('low');
const leaf = low.issue('alice');

test('a chain leads to its root, over what stands between, and no further than it must', () => {
  assert.equal(anchor([leaf, low, middle], [trust([root])]), 'CN=root');
  assert.equal(anchor([leaf, low], [trust([middle])]), 'CN=middle', 'an anchor need not be a root');
  assert.equal(anchor([leaf, low, middle], [trust([testAuthority('other')]), trust([middle, root])]), 'CN=middle');
  assert.equal(anchor([leaf, low, middle, root], [trust([root])]), 'CN=root', 'with its root');
});

test('keys and signatures of all kinds that are believed', () => {
  for (const kind of ['p256', 'p384', 'p521', 'ed25519', 'rsa'] as const) {
    const ca = testAuthority('root', { kind });
    const below = ca.authority('below', { kind });
    assert.equal(anchor([below.issue('x', { kind }), below], [trust([ca])]), 'CN=root', kind);
  }
});

test('a chain to somebody else, a gap, and a wrong order are foreign', () => {
  const foreign = { code: 'proof_foreign' };
  const twin = testAuthority('root');
  assert.throws(() => anchor([leaf, low, middle], [trust([twin])]), foreign, 'a CA of the same name and another key');
  assert.throws(() => anchor([leaf, middle], [trust([root])]), foreign, 'the issuer of the leaf is missing');
  assert.throws(() => anchor([leaf], [trust([root])]), foreign);
  assert.throws(() => anchor([low, leaf], [trust([root])]), foreign);
  assert.throws(() => anchor([leaf, low, middle], []), foreign, 'nobody is trusted');
  assert.throws(() => anchor([twin], [trust([root])]), foreign, 'a self-signed stranger');
  assert.throws(() => anchor([testAuthority('other').issue('bob')], [trust([root])]), {
    message: 'the certificate of CN=bob leads to no CA that is trusted here (CN=other is not known)',
  });
});

test('only CAs issue: a leaf, a CA without the right, one too low, one limited to servers do not', () => {
  const foreign = { code: 'proof_foreign', message: /no CA that may issue/ };
  const asCa = (options: Parameters<Authority['authority']>[1]): [Issued, Issued] => {
    const ca = root.authority('half', options);
    return [ca.issue('mallory'), ca];
  };
  assert.throws(() => anchor(asCa({ ca: false }), [trust([root])]), foreign);
  assert.throws(() => anchor(asCa({ keyUsage: KEY_USAGE.digitalSignature }), [trust([root])]), foreign);
  assert.throws(() => anchor(asCa({ usages: [USAGE.serverAuth] }), [trust([root])]), foreign);
  assert.equal(anchor(asCa({ usages: [USAGE.serverAuth, USAGE.clientAuth] }), [trust([root])]), 'CN=root');
  const shallow = testAuthority('shallow', { pathLength: 0 });
  const below = shallow.authority('below');
  assert.equal(anchor([shallow.issue('x')], [trust([shallow])]), 'CN=shallow');
  assert.throws(() => anchor([below.issue('x'), below], [trust([shallow])]), foreign);
});

test('dates of every certificate of the path count, with a minute for clocks that differ', () => {
  const dated = (from: number, until: number) =>
    root.issue('x', { notBefore: new Date(from), notAfter: new Date(until) });
  const of = (issued: Issued, at: number) => anchor([issued], [trust([root])], at);
  const start = Math.floor(now / 1000) * 1000;
  const short = dated(start, start + HOUR);
  assert.equal(of(short, start - 60_000), 'CN=root');
  assert.equal(of(short, start + HOUR + 60_000), 'CN=root');
  assert.throws(() => of(short, start - 60_001), { code: 'proof_not_yet_valid' });
  assert.throws(() => of(short, start + HOUR + 60_001), {
    code: 'proof_expired',
    message: /was valid until .*the clock here/,
  });
  const old = root.authority('old', { notBefore: new Date(now - 2 * HOUR), notAfter: new Date(now - HOUR) });
  assert.throws(() => anchor([old.issue('x'), old], [trust([root])]), { code: 'proof_expired', message: /CN=old/ });
  const gone = testAuthority('gone', { notBefore: new Date(now - 2 * HOUR), notAfter: new Date(now - HOUR) });
  assert.throws(() => anchor([gone.issue('x')], [trust([gone])]), { code: 'proof_expired', message: /CN=gone/ });
});

test('a CA that was renewed with its key counts beside its expired self, sent or trusted', () => {
  const old = testAuthority('ca', { notBefore: new Date(now - 2 * HOUR), notAfter: new Date(now - HOUR) });
  const renewed = testAuthority('ca', { key: old.key });
  assert.equal(anchor([old.issue('x')], [trust([old, renewed])]), 'CN=ca');
  const oldMiddle = root.authority('m', { notBefore: new Date(now - 2 * HOUR), notAfter: new Date(now - HOUR) });
  const newMiddle = root.authority('m', { key: oldMiddle.key });
  assert.equal(anchor([oldMiddle.issue('x'), newMiddle], [trust([oldMiddle, root])]), 'CN=root');
  assert.throws(() => anchor([oldMiddle.issue('x'), oldMiddle], [trust([oldMiddle, root])]), { code: 'proof_expired' });
});

test('absurd keys are refused before any key is used: too small, too large, of no known kind', () => {
  const weak = { code: 'proof_key_refused' };
  const small = root.issue('x', { kind: { rsaBits: 1024 } });
  assert.throws(() => anchor([small], [trust([root])]), { ...weak, message: 'the key of it has 1024 bits' });
  for (const kind of ['k256', 'ed448'] as const) {
    assert.throws(() => anchor([root.issue('x', { kind })], [trust([root])]), weak, kind);
  }
  const dirty = root.issue('honest');
  // Behind an honest leaf, and never needed for its path.
  assert.throws(() => anchor([dirty, small], [trust([root])]), weak);
});

test('an RSA key above the cap costs no check: one of 16384 bits is refused by its size', () => {
  // As a stranger would make it, from nothing: a modulus need not be a product to be read.
  const { spki, signer } = hugeKey(16_384);
  assert.ok(spki.length > 2000);
  assert.throws(() => signer(), { code: 'proof_key_refused', message: /has 16384 bits/ });
});

function hugeKey(bits: number) {
  const modulus = Buffer.alloc(bits / 8 + 1, 0xff);
  modulus[0] = 0;
  const der = (tag: number, ...parts: Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    return Buffer.concat([Buffer.of(tag, 0x82, body.length >> 8, body.length & 0xff), body]);
  };
  const algorithm = Buffer.from('300d06092a864886f70d0101010500', 'hex');
  const key = der(0x30, der(2, modulus), Buffer.from('0203010001', 'hex'));
  const spki = der(0x30, algorithm, der(3, Buffer.of(0), key));
  return { spki, signer: () => publicKeyOf(spki, 'it') };
}

test('what was signed in a way that is not believed is refused', () => {
  const sha1 = Buffer.from('2a864886f70d010105', 'hex');
  const sha256 = Buffer.from('2a864886f70d01010b', 'hex');
  const rsa = testAuthority('rsa', { kind: 'rsa' });
  const { der } = rsa.issue('x');
  const changed = Buffer.from(der);
  for (let at = changed.indexOf(sha256); at >= 0; at = changed.indexOf(sha256)) sha1.copy(changed, at);
  assert.throws(() => anchorOf([readCertificate(changed, 'it')], [trust([rsa])], now), {
    code: 'proof_key_refused',
    message: /algorithm that is not believed \(1\.2\.840\.113549\.1\.1\.5\)/,
  });
});

test('a revoked certificate is refused, wherever in the path it stands, by its own issuer only', () => {
  const revoked = { code: 'proof_revoked' };
  const list = low.revocationList([leaf.serial]);
  assert.throws(() => anchor([leaf, low, middle], [trust([root], [list])]), {
    ...revoked,
    message: /CN=alice was revoked/,
  });
  assert.equal(anchor([low.issue('bob'), low, middle], [trust([root], [list])]), 'CN=root');
  assert.throws(() => anchor([leaf, low, middle], [trust([root], [root.revocationList([middle.serial])])]), revoked);
  const twin = testAuthority('low').revocationList([leaf.serial]);
  assert.equal(anchor([leaf, low, middle], [trust([root], [twin])]), 'CN=root', 'a list of somebody of that name');
});

test('a list that is out of date says nothing any more: nobody of its issuer comes in', () => {
  const stale = low.revocationList([], { nextUpdate: new Date(now - HOUR) });
  assert.throws(() => anchor([leaf, low, middle], [trust([root], [stale])]), { code: 'proof_revocation_unknown' });
  assert.equal(anchor([middle.issue('bob'), middle], [trust([root], [stale])]), 'CN=root', 'of another issuer');
});

test('a list of a kind that is not known is an error, not a list', () => {
  assert.throws(() => trust([root], [root.revocationList([1], { critical: '2.5.29.27' })]), {
    code: 'proof_malformed',
    message: /2\.5\.29\.27/,
  });
});
