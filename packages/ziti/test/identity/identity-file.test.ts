import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { chmod, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { ZitiError } from '../../src/errors.ts';
import { loadIdentity } from '../../src/identity.ts';
import { type IdentityContents, reserveIdentityFile, writeIdentity } from '../../src/identity-file.ts';
import { createTestPki } from '../../src/testing/pki/pki.ts';
import { tempFolder } from '../temp-folder.ts';

const pki = createTestPki();

function contents(kind: 'ec' | 'rsa' | 'ed25519' = 'ec', controllers = ['https://a/edge/client/v1']): IdentityContents {
  const { publicKey, privateKey } =
    kind === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : kind === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ed25519');
  return {
    controllers,
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    certPem: pki.issue({ commonName: 'id-1', use: 'client', publicKey }).chainPem,
    caPem: pki.rootPem,
  };
}

const code = (expected: string) => (error: ZitiError) => error.code === expected && error.hint !== undefined;

test('an identity is written for its owner only, and reads back the same', async () => {
  await using folder = await tempFolder();
  const written = contents();
  await writeIdentity(folder.file('id.json'), written);
  assert.equal((await stat(folder.file('id.json'))).mode & 0o777, 0o600);
  const { controllers, key, certPem, caPem, id } = await loadIdentity(folder.file('id.json'));
  assert.ok(key.equals(createPrivateKey(written.keyPem)));
  const { keyPem: _, ...rest } = written;
  assert.deepEqual({ controllers, certPem, caPem }, rest);
  assert.equal(id, 'id-1');
});

test('the form is that of the Go tools: SEC1, PKCS#1 or PKCS#8 behind pem:, two spaces, newline, a list only for several', async () => {
  await using folder = await tempFolder();
  const forms = { ec: 'EC PRIVATE KEY', rsa: 'RSA PRIVATE KEY', ed25519: 'PRIVATE KEY' } as const;
  for (const kind of ['ec', 'rsa', 'ed25519'] as const) {
    await writeIdentity(folder.file(kind), contents(kind));
    const text = await readFile(folder.file(kind), 'utf8');
    assert.ok(text.startsWith('{\n  "ztAPI": "https://a/edge/client/v1",\n  "configTypes": null,\n  "id"'), text);
    assert.ok(text.endsWith('}\n'));
    assert.ok(JSON.parse(text).id.key.startsWith(`pem:-----BEGIN ${forms[kind]}-----\n`));
  }
  const several = ['https://a/edge/client/v1', 'https://b/edge/client/v1'];
  await writeIdentity(folder.file('several'), contents('ec', several));
  assert.deepEqual(JSON.parse(await readFile(folder.file('several'), 'utf8')).ztAPIs, several);
});

test('another file is never replaced, not even one that appeared after the room was reserved', async () => {
  await using folder = await tempFolder();
  await writeFile(folder.file('id.json'), 'theirs');
  await assert.rejects(writeIdentity(folder.file('id.json'), contents()), code('identity_exists'));
  assert.deepEqual(await readdir(folder.path), ['id.json']);

  const reserved = await reserveIdentityFile(folder.file('late.json'));
  await writeFile(folder.file('late.json'), 'theirs');
  await assert.rejects(reserved.commit(contents()), (error: ZitiError) => {
    const [, kept = ''] = /kept in (\S+):/.exec(error.hint ?? '') ?? [];
    assert.ok(kept.startsWith(folder.path), error.hint);
    return error.code === 'identity_exists';
  });
  assert.equal(await readFile(folder.file('late.json'), 'utf8'), 'theirs');
  // An identity that cannot be had again is not thrown away.
  const kept = (await readdir(folder.path)).find((name) => name.startsWith('.late.json.draft-')) ?? '';
  assert.equal((await loadIdentity(folder.file(kept))).id, 'id-1');

  await symlink(folder.file('nowhere'), folder.file('link.json'));
  await assert.rejects(writeIdentity(folder.file('link.json'), contents()), code('identity_exists'));
});

test('a reservation that is not used leaves nothing behind, and none is usable twice', async () => {
  await using folder = await tempFolder();
  {
    await using reserved = await reserveIdentityFile(folder.file('id.json'));
    const [draft = ''] = await readdir(folder.path);
    assert.equal((await stat(folder.file(draft))).mode & 0o777, 0o600);
    assert.ok((await stat(folder.file(draft))).size >= 65_536, 'no room was taken');
    assert.ok(reserved.path.endsWith('id.json'));
  }
  assert.deepEqual(await readdir(folder.path), []);
  const reserved = await reserveIdentityFile(folder.file('id.json'));
  await reserved.commit(contents());
  await assert.rejects(reserved.commit(contents()), /once/);
  await reserved[Symbol.asyncDispose]();
  assert.deepEqual(await readdir(folder.path), ['id.json']);
});

test('a folder that is missing or closed is refused before anything is done', async () => {
  await using folder = await tempFolder();
  await assert.rejects(reserveIdentityFile(folder.file('no/such/id.json')), code('identity_unwritable'));
  await writeFile(folder.file('plain'), '');
  await assert.rejects(reserveIdentityFile(folder.file('plain/id.json')), code('identity_unwritable'));
  if (process.getuid?.() === 0) return;
  await chmod(folder.path, 0o500);
  await assert.rejects(reserveIdentityFile(folder.file('id.json')), code('identity_unwritable'));
  await chmod(folder.path, 0o700);
});
