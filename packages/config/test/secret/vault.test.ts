// The vault: what is set is found, what is changed by others is refused, and nothing is half written.

import assert from 'node:assert/strict';
import { readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { MAX_VAULT_BYTES, parseSecretReference, resolveSecret, SecretString, Vault } from '../../src/index.ts';
import { tempFolder } from './folder.ts';

const KEY = Buffer.alloc(32, 7);
const VALUE = Buffer.from('c4n4ry-9f2e7b1d');

interface Opening {
  readonly key?: Buffer;
  readonly typed?: boolean;
  readonly asked?: string[];
}

function vaultAt(path: string, { key = KEY, typed = false, asked = [] }: Opening = {}): Vault {
  return new Vault({
    path,
    key: async (fresh) => {
      asked.push(fresh ? 'new' : 'open');
      return { secret: new SecretString(key, 'test'), typed };
    },
  });
}

test('what is set is found again, by this and by other openings, until it is removed', async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, 'vault');
  const vault = vaultAt(path);
  await vault.set('github', VALUE);
  await vault.set('bytes', Buffer.from([0, 255, 10]));
  await vault.set('github', Buffer.concat([VALUE, VALUE]));
  const other = vaultAt(path);
  assert.deepEqual(await other.get('github', ''), Buffer.concat([VALUE, VALUE]));
  assert.deepEqual(await other.get('bytes', ''), Buffer.from([0, 255, 10]));
  assert.deepEqual(
    (await other.list()).map(({ name }) => name),
    ['bytes', 'github'],
  );
  assert.equal(await other.remove('github'), true);
  assert.equal(await other.remove('github'), false);
  await assert.rejects(vault.get('github', 'vault:github'), {
    code: 'secret_missing',
    message: `vault:github: the vault ${path} has no such name`,
    hint: 'mcp-gateway vault set github',
  });
});

test('a reference finds its secret in the vault, and what another process sets is there at once', async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, 'vault');
  const vault = vaultAt(path);
  const reference = parseSecretReference('vault:a b/ç');
  assert.ok(reference);
  await assert.rejects(resolveSecret(reference, { env: {}, vault }), {
    code: 'secret_missing',
    message: /there is no vault/,
  });
  await vaultAt(path).set('a b/ç', VALUE);
  assert.deepEqual((await resolveSecret(reference, { env: {}, vault })).use(Buffer.from), VALUE);
  await vaultAt(path).set('a b/ç', Buffer.from('rotated-value'));
  assert.equal((await resolveSecret(reference, { env: {}, vault })).use(String), 'rotated-value');
  await assert.rejects(resolveSecret(reference, { env: {} }), { code: 'secret_missing' });
});

test('the file is 0600, and neither value nor key stands in it', async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, 'vault');
  await vaultAt(path).set('__proto__', VALUE);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const text = await readFile(path, 'latin1');
  for (const hidden of [VALUE, KEY]) {
    for (const form of ['latin1', 'hex', 'base64', 'base64url'] as const)
      assert.ok(!text.includes(hidden.toString(form)));
  }
  assert.deepEqual(await vaultAt(path).get('__proto__', ''), VALUE);
});

test('vault_key_wrong: another key opens nothing, and is asked for again', async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, 'vault');
  await vaultAt(path).set('a', VALUE);
  const asked: string[] = [];
  const wrong = vaultAt(path, { key: Buffer.alloc(32, 8), asked });
  for (const attempt of [
    () => wrong.get('a', ''),
    () => wrong.list(),
    () => wrong.set('b', VALUE),
    () => wrong.remove('a'),
  ]) {
    await assert.rejects(attempt(), { code: 'vault_key_wrong' });
  }
  assert.deepEqual(asked, ['open', 'open', 'open', 'open']);
});

test('vault_invalid: a bit that is flipped in any byte, any byte that is cut or added, is found', async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, 'vault');
  await vaultAt(path).set('a', VALUE);
  await vaultAt(path).set('b', Buffer.from('another-value'));
  const good = await readFile(path);
  const vault = vaultAt(path);
  await vault.list();
  const refused = async (bytes: Buffer, what: string): Promise<void> => {
    await writeFile(path, bytes);
    await assert.rejects(
      vault.get('a', ''),
      ({ code }: { code: string }) => code === 'vault_invalid' || code === 'vault_key_wrong',
      what,
    );
  };
  for (const [at, byte] of good.entries()) {
    const bytes = Buffer.from(good);
    bytes[at] = byte ^ (1 << (at & 7));
    await refused(bytes, `byte ${at}`);
  }
  for (let length = 0; length < good.length; length += 7) await refused(good.subarray(0, length), `cut at ${length}`);
  await refused(Buffer.concat([good, Buffer.from('\n')]), 'a line more');
  await refused(Buffer.from('{"backends":[]}\n'), 'another file');
  await writeFile(path, good);
  assert.deepEqual(await vault.get('a', ''), VALUE);
});

test('entries cannot change places or move between vaults', async () => {
  await using folder = await tempFolder();
  const [one, two] = [join(folder.path, 'one'), join(folder.path, 'two')];
  await vaultAt(one).set('a', VALUE);
  await vaultAt(one).set('b', Buffer.from('another-value'));
  await vaultAt(two).set('a', Buffer.from('third-value'));
  const [line = '', mac = ''] = (await readFile(one, 'utf8')).split('\n');
  const swapped = line
    .replace('"name":"a"', '"name":"x"')
    .replace('"name":"b"', '"name":"a"')
    .replace('"name":"x"', '"name":"b"');
  await writeFile(one, `${swapped}\n${mac}\n`);
  await assert.rejects(vaultAt(one).get('a', ''), { code: 'vault_invalid' });
  const [foreign = ''] = (await readFile(two, 'utf8')).split('\n');
  await writeFile(one, `${foreign}\n${mac}\n`);
  await assert.rejects(vaultAt(one).get('a', ''), { code: 'vault_invalid' });
});

test('a passphrase that is typed, and a key under 32 bytes, are stretched; both are asked for once', async () => {
  await using folder = await tempFolder();
  for (const opening of [
    { key: Buffer.alloc(64, 1), typed: true },
    { key: Buffer.from('short key'), typed: false },
  ]) {
    const path = join(folder.path, String(opening.typed));
    const asked: string[] = [];
    const vault = vaultAt(path, { ...opening, asked });
    await vault.set('a', VALUE);
    assert.match(await readFile(path, 'utf8'), /"kdf":"scrypt"/);
    await vault.set('b', VALUE);
    assert.deepEqual(await vault.get('a', ''), VALUE);
    assert.deepEqual(asked, ['new', 'open']);
    await assert.rejects(vaultAt(path, { key: Buffer.from('other') }).get('a', ''), { code: 'vault_key_wrong' });
  }
});

test('a file cannot ask for weaker or dearer stretching', async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, 'vault');
  await vaultAt(path).set('a', VALUE);
  const text = await readFile(path, 'utf8');
  for (const change of ['"kdf":"none"', '"kdf":{"n":2}', '"kdf":"scrypt"']) {
    await writeFile(path, text.replace('"kdf":"hkdf"', change));
    await assert.rejects(vaultAt(path).get('a', ''), ({ code }: { code: string }) => code.startsWith('vault_'), change);
  }
});

test('vault_busy: of two that change it one waits; a draft that was left behind is in nobody’s way', async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, 'vault');
  await vaultAt(path).set('a', VALUE);
  const draft = await folder.write('vault.new', 'half');
  await assert.rejects(vaultAt(path).set('b', VALUE), { code: 'vault_busy' });
  assert.equal(await readFile(draft, 'utf8'), 'half');
  const longAgo = new Date(Date.now() - 60_000);
  await utimes(draft, longAgo, longAgo);
  await vaultAt(path).set('b', VALUE);
  assert.equal((await vaultAt(path).list()).length, 2);
});

test('many writers at once: each change is whole or refused as busy, none is lost', async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, 'vault');
  await vaultAt(path).set('first', VALUE);
  const names = Array.from({ length: 20 }, (_, at) => `n${at}`);
  const results = await Promise.allSettled(names.map((name) => vaultAt(path).set(name, VALUE)));
  const set = names.filter((_, at) => results[at]?.status === 'fulfilled');
  for (const result of results) if (result.status === 'rejected') assert.equal(result.reason.code, 'vault_busy');
  assert.ok(set.length > 0);
  const listed = (await vaultAt(path).list()).map(({ name }) => name);
  assert.deepEqual(listed.sort(), ['first', ...set].sort());
});

test('vault_unwritable: a folder that is not there, and the old file stays', async () => {
  await using folder = await tempFolder();
  await assert.rejects(vaultAt(join(folder.path, 'none', 'vault')).set('a', VALUE), { code: 'vault_unwritable' });
  const path = join(folder.path, 'vault');
  await vaultAt(path).set('a', VALUE);
  await rename(path, `${path}.kept`);
  assert.deepEqual(await vaultAt(`${path}.kept`).get('a', ''), VALUE);
});

test('secret_too_large: a value over 64 KiB, and more than a file may hold', async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, 'vault');
  const vault = vaultAt(path);
  await assert.rejects(vault.set('a', Buffer.alloc(64 * 1024 + 1)), { code: 'secret_too_large' });
  const large = Buffer.alloc(64 * 1024);
  let failed: unknown;
  for (let at = 0; failed === undefined && at < 20; at += 1) {
    await vault.set(`n${at}`, large).catch((error: unknown) => {
      failed = error;
    });
  }
  assert.equal((failed as { code?: string }).code, 'secret_too_large');
  assert.ok((await stat(path)).size <= MAX_VAULT_BYTES);
  assert.deepEqual(await vault.get('n0', ''), large);
});

test('a vault that others may read or write is not opened', async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, 'vault');
  await vaultAt(path).set('a', VALUE);
  await folder.write('vault', await readFile(path), 0o640);
  await assert.rejects(vaultAt(path).get('a', ''), { code: 'secret_open_to_others' });
});
