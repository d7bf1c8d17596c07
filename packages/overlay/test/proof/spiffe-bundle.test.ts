// SPIFFE trust bundles: what is read, what is refused, and how their CAs name somebody.

import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { credentialFromPem } from '../../src/proof/credential.ts';
import { nameOfCredential } from '../../src/proof/prove.ts';
import { trustFiles } from '../../src/proof/settings.ts';
import { trustFromSpiffeBundle } from '../../src/proof/spiffe-bundle.ts';
import { type Authority, type Issued, testAuthority } from '../../src/testing/pki.ts';

const corp = testAuthority('corp', { uris: ['spiffe://corp'] });
const bare = testAuthority('bare');

function bundle(cas: readonly Authority[], more: object = {}): string {
  const keys = cas.map((ca) => ({ kty: 'EC', use: 'x509-svid', x5c: [ca.der.toString('base64')] }));
  return JSON.stringify({ keys: [...keys, { kty: 'EC', use: 'jwt-svid', kid: 'x' }], spiffe_sequence: 7, ...more });
}

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'spiffe-'));
  const file = join(path, 'bundle.json');
  return {
    file,
    write: async (text: string): Promise<void> => {
      await writeFile(`${file}~`, text);
      await rename(`${file}~`, file);
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

function nameIn(text: string, domain: string | undefined, issued: Issued): string {
  try {
    const trusted = [trustFromSpiffeBundle(text, domain, 'b')];
    return nameOfCredential(credentialFromPem(issued.keyPem + issued.pem, 'it'), trusted, Date.now()).id;
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}

test('a CA of a bundle names by SPIFFE IDs of its trust domain and by nothing else', () => {
  const alice = corp.issue('x', { uris: ['spiffe://corp/ns/alice'] });
  assert.equal(nameIn(bundle([corp]), undefined, alice), 'spiffe://corp/ns/alice');
  assert.equal(nameIn(bundle([corp]), 'corp', alice), 'spiffe://corp/ns/alice');
  const bob = bare.issue('x', { uris: ['spiffe://corp/bob'] });
  assert.equal(nameIn(bundle([bare]), 'corp', bob), 'spiffe://corp/bob', 'the domain that was named with the file');
  assert.equal(nameIn(bundle([bare]), 'other', bob), 'proof_name_unvouched');
  assert.equal(
    nameIn(bundle([bare]), 'corp', bare.issue('admin')),
    'proof_name_unvouched',
    'a subject is no name here',
  );
  assert.equal(
    nameIn(bundle([bare]), 'corp', testAuthority('bare').issue('x', { uris: ['spiffe://corp/bob'] })),
    'proof_foreign',
  );
});

test('what is no bundle, or says of no domain, is refused with the file', () => {
  const bad: [string, string | undefined, RegExp][] = [
    ['{', undefined, /is no JSON object/],
    ['[]', undefined, /is no JSON object/],
    ['{}', undefined, /has no keys/],
    ['{"keys":[]}', undefined, /holds no CA/],
    ['{"keys":[{"use":"jwt-svid"},7,null]}', undefined, /holds no CA/],
    ['{"keys":[{"use":"x509-svid"}]}', 'corp', /without one certificate/],
    ['{"keys":[{"use":"x509-svid","x5c":["?"]}]}', 'corp', /without one certificate/],
    ['{"keys":[{"use":"x509-svid","x5c":["AAAA"]}]}', 'corp', /certificate 1 cannot be read/],
    [bundle([corp.issue('leaf') as Authority]), 'corp', /is no CA/],
    [bundle([bare]), undefined, /of which trust domain/],
    [bundle([corp]), 'other', /another trust domain/],
    [bundle(Array(300).fill(corp)), 'corp', /holds 300 CAs/],
  ];
  for (const [text, domain, message] of bad) {
    assert.throws(() => trustFromSpiffeBundle(text, domain, 'b.json'), { code: 'trust_invalid', message });
  }
});

test('a bundle is read again when it changes, and never goes back to an older one', async () => {
  await using here = await folder();
  const logged: object[] = [];
  const log = { warn: (fields: object) => void logged.push(fields) };
  await here.write(bundle([corp]));
  const trusted = await trustFiles([here.file], log);
  const next = testAuthority('next', { uris: ['spiffe://corp'] });
  const held = async (): Promise<number | undefined> => (await trusted())[0]?.certificates.length;
  assert.equal(await held(), 1);
  await here.write(bundle([corp, next], { spiffe_sequence: 8 }));
  assert.equal(await held(), 2);
  await here.write(bundle([corp]));
  assert.equal(await held(), 2, 'sequence 7 is older');
  assert.match(JSON.stringify(logged), /older/);
  await here.write(bundle([next], { spiffe_sequence: 9 }));
  assert.equal(await held(), 1);
  assert.equal((await trusted())[0], (await trusted())[0], 'what has not changed is the same');
});

test('a file is named with its trust domain; so can PEM be', async () => {
  await using here = await folder();
  await here.write(bundle([bare]));
  const [named] = await (await trustFiles([`spiffe://corp=${here.file}`], undefined))();
  assert.equal(named?.domain, 'corp');
  await assert.rejects(trustFiles([here.file], undefined), { code: 'trust_invalid' });
  await here.write(bare.pem);
  const [pem] = await (await trustFiles([`spiffe://corp=${here.file}`], undefined))();
  assert.equal(pem?.domain, 'corp');
});
