// Identity and trust files: what is taken, what is refused in words that say which file, and what a change of them does.

import assert from 'node:assert/strict';
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OverlayError } from '../../src/errors.ts';
import { FILE_LIMITS } from '../../src/limits.ts';
import { credentialFromPem } from '../../src/proof/credential.ts';
import { nameOfCredential } from '../../src/proof/prove.ts';
import { type ProofFiles, proofsFromFiles } from '../../src/proof/settings.ts';
import { trustFromPem } from '../../src/proof/trust.ts';
import { keyOf, testAuthority } from '../../src/testing/pki.ts';

const root = testAuthority('root');
const middle = root.authority('middle');
const alice = middle.issue('alice');

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'proof-files-'));
  return {
    write: async (name: string, text: string, mode = 0o600): Promise<string> => {
      const file = join(path, name);
      // As an editor or a tool for certificates does: aside, then in its place.
      await writeFile(`${file}~`, text, { mode });
      await chmod(`${file}~`, mode);
      await rename(`${file}~`, file);
      return file;
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

async function settings(files: Partial<ProofFiles>) {
  const proofs = await proofsFromFiles({ network: 'local', trust: [], ...files });
  assert.ok(proofs);
  return proofs;
}

test('certificate, key and what stands between, in any order; the root is not sent along', () => {
  const { chain, key } = credentialFromPem(`${root.pem}remark\n${middle.pem}\n${alice.keyPem}${alice.pem}`, 'a.pem');
  assert.deepEqual(chain, [alice.der, middle.der]);
  assert.ok(key.equals(alice.key));
  for (const kind of ['p384', 'ed25519', 'rsa'] as const) {
    const one = middle.issue('x', { kind });
    assert.equal(credentialFromPem(one.keyPem + one.pem, 'x').chain.length, 1, kind);
  }
});

test('older forms of keys are read; one under a passphrase is named as that', () => {
  const ec = keyOf('p256');
  const issued = middle.issue('x', { key: ec });
  const sec1 = ec.export({ type: 'sec1', format: 'pem' }).toString();
  assert.equal(credentialFromPem(sec1 + issued.pem, 'x').chain.length, 1);
  const locked = ec.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString();
  assert.throws(() => credentialFromPem(locked + issued.pem, 'x.pem'), {
    code: 'identity_invalid',
    message: 'x.pem holds a key under a passphrase, and nobody is there to ask',
  });
});

test('what is no identity says what is missing, and never shows the key', () => {
  const bad: [string, RegExp][] = [
    ['', /holds no private key/],
    [alice.pem, /holds no private key/],
    [alice.keyPem, /holds no certificate/],
    [alice.keyPem + middle.pem, /holds no certificate for its key/],
    [alice.keyPem + alice.keyPem + alice.pem, /more than one private key/],
    [alice.keyPem.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA') + alice.pem, /cannot be read/],
    [`${alice.keyPem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----`, /certificate 1 cannot be read/],
  ];
  for (const [text, message] of bad) {
    assert.throws(
      () => credentialFromPem(text, 'a.pem'),
      (error) => {
        assert.ok(error instanceof OverlayError && error.code === 'identity_invalid');
        assert.match(error.message, /^a\.pem/);
        assert.match(error.message, message);
        assert.equal(error.message.includes(alice.keyPem.slice(40, 60)), false);
        return true;
      },
    );
  }
  const weak = middle.issue('x', { kind: { rsaBits: 1024 } });
  assert.throws(() => credentialFromPem(weak.keyPem + weak.pem, 'a.pem'), {
    code: 'identity_invalid',
    message: /1024 bits/,
  });
});

test('a trust file holds CAs, and lists that one of them signed; anything else is an error of the file', () => {
  const { certificates, revocations } = trustFromPem(
    `${root.pem}${middle.pem}${middle.revocationList([3])}`,
    'x509',
    'ca.pem',
  );
  assert.deepEqual([certificates.length, revocations.length], [2, 1]);
  const bad: [string, RegExp][] = [
    ['', /holds no CA certificate/],
    [alice.pem, /CN=alice, which is no CA/],
    [root.pem + middle.revocationList([]), /revocation list that none of its CAs signed/],
    [root.pem + root.revocationList([], { critical: '2.5.29.28' }), /critical extension 2\.5\.29\.28/],
    [testAuthority('weak', { kind: { rsaBits: 1024 } }).pem, /1024 bits/],
    [root.pem.repeat(FILE_LIMITS.trustCertificates + 1), /holds 257 CA certificates/],
  ];
  for (const [text, message] of bad) {
    assert.throws(
      () => trustFromPem(text, 'x509', 'ca.pem'),
      (error) => {
        assert.ok(error instanceof OverlayError && error.code === 'trust_invalid', String(error));
        assert.match(error.message, /^ca\.pem/);
        assert.match(error.message, message);
        return true;
      },
    );
  }
});

test('without files there is nothing to prove with and nobody to believe', async () => {
  assert.equal(await proofsFromFiles({ network: 'local', trust: [] }), undefined);
});

test('an identity that others can read is not used; a file that is not there is named', async () => {
  await using files = await folder();
  const open = await files.write('open.pem', alice.keyPem + alice.pem, 0o644);
  await assert.rejects(settings({ identity: open }), {
    code: 'identity_invalid',
    message: /open to others/,
    hint: /^chmod 600/,
  });
  await assert.rejects(settings({ identity: '/no/such.pem' }), {
    code: 'identity_invalid',
    message: '/no/such.pem cannot be read (ENOENT)',
  });
  await assert.rejects(settings({ trust: ['/no/ca.pem'] }), { code: 'trust_invalid', message: /no\/ca\.pem .*ENOENT/ });
  const json = await files.write('id.json', '{"ztAPI":"https://x"}');
  await assert.rejects(settings({ identity: json }), {
    code: 'identity_invalid',
    message: /id\.json: id\.key is missing/,
    hint: /id\.key, id\.cert, id\.ca/,
  });
});

test('a renewed certificate and a longer revocation list count at once; a broken one changes nothing', async () => {
  await using files = await folder();
  const identity = await files.write('id.pem', alice.keyPem + alice.pem + middle.pem);
  const ca = await files.write('ca.pem', root.pem);
  const warned: object[] = [];
  const proofs = await settings({ identity, trust: [ca], log: { warn: (fields) => warned.push(fields) } });
  const who = async () => {
    const credential = await proofs.credential();
    assert.ok(credential);
    return nameOfCredential(credential, await proofs.trust(), Date.now()).id;
  };
  assert.equal(await who(), 'x509:CN=alice');
  const bob = middle.issue('bob');
  await files.write('id.pem', bob.keyPem + bob.pem + middle.pem);
  assert.equal(await who(), 'x509:CN=bob');
  await files.write('ca.pem', root.pem + middle.pem + middle.revocationList([bob.serial]));
  await assert.rejects(who(), { code: 'proof_revoked' });
  await files.write('ca.pem', 'half a file');
  await assert.rejects(who(), { code: 'proof_revoked' }, 'what was read before stays in force');
  assert.deepEqual(
    warned.map((fields) => (fields as { file: string }).file),
    [ca],
  );
  await rm(ca);
  await assert.rejects(who(), { code: 'proof_revoked' });
});
