// Variables and headers from their parts, read when they are wanted.

import assert from 'node:assert/strict';
import test from 'node:test';
import { composeAll, parseSecretReference, SecretError, type SecretReference } from '../../src/index.ts';
import { tempFolder } from './folder.ts';

function reference(text: string): SecretReference {
  const found = parseSecretReference(text);
  assert.ok(found, text);
  return found;
}

test('text and secrets are joined, and a changed secret is seen the next time', async () => {
  await using folder = await tempFolder();
  await folder.write('t', 'first\n');
  const texts = { A: { parts: ['Bearer ', reference('file:t'), '!'] }, B: 'plain' };
  const options = { env: {}, baseDir: folder.path };
  assert.deepEqual(await composeAll(texts, 'header', options), { A: 'Bearer first!', B: 'plain' });
  await folder.write('t', 'second\n');
  assert.deepEqual(await composeAll(texts, 'variable', options), { A: 'Bearer second!', B: 'plain' });
});

test('every value is told before it is used', async () => {
  const told: string[] = [];
  const onSecret = (value: Buffer, { text }: SecretReference): void => void told.push(`${text}=${value}`);
  await composeAll({ A: { parts: [reference('env:X')] } }, 'variable', { env: { X: 'value' }, onSecret });
  assert.deepEqual(told, ['env:X=value']);
});

test('T30 the id of a caller is one whole argument, whatever stands in it', async () => {
  const show = JSON.stringify([process.execPath, '-e', 'process.stdout.write(process.argv[1])', '[{identity}]']);
  for (const identity of [
    'ziti:A.b',
    'x509:CN=$(id) `id` ; | & \' " \\ *\n-rf',
    'spiffe://corp/../../{identity}',
    "$&$'$1",
  ]) {
    const made = await composeAll({ A: { parts: [reference(`cmd:${show}`)] } }, 'variable', { env: {}, identity });
    assert.deepEqual(made, { A: `[${identity}]` });
  }
});

test('secret_unusable: bytes that a variable or a header cannot be', async () => {
  await using folder = await tempFolder();
  const options = { env: {}, baseDir: folder.path };
  const cases: readonly [Uint8Array | string, 'variable' | 'header', boolean][] = [
    ['a\0c4n4ry-value', 'variable', false],
    [Buffer.from([0xff, 0xfe, 0x80, 0x41]), 'variable', false],
    ['two\nlines', 'variable', true],
    ['two\nlines', 'header', false],
    ['über', 'header', true],
    ['漢字', 'header', false],
    ['漢字', 'variable', true],
  ];
  for (const [value, place, fine] of cases) {
    await folder.write('t', value);
    const made = composeAll({ A: { parts: [reference('file:t')] } }, place, options);
    if (fine) assert.deepEqual(await made, { A: value });
    else {
      await assert.rejects(made, (error) => {
        assert.ok(error instanceof SecretError && error.code === 'secret_unusable', String(error));
        assert.ok(!error.message.includes('c4n4ry'));
        return true;
      });
    }
  }
});

test('keyring_unavailable: the package is not there, or the keyring does not answer', async () => {
  const { resolveSecret } = await import('../../src/index.ts');
  const entry = reference('keyring:mcp/alice');
  await assert.rejects(resolveSecret(entry, { env: {} }), {
    code: 'keyring_unavailable',
    message: /is not installed$/,
  });
  const keyring = (getPassword: () => string | null) => ({
    env: {},
    keyring: async () => ({
      Entry: class {
        readonly asked: string;
        constructor(service: string, user: string) {
          this.asked = `${service} ${user}`;
        }
        getPassword = getPassword;
      },
    }),
  });
  const locked = keyring(() => {
    throw new Error('c4n4ry');
  });
  await assert.rejects(resolveSecret(entry, locked), { code: 'keyring_unavailable', message: /does not answer$/ });
  await assert.rejects(
    resolveSecret(
      entry,
      keyring(() => null),
    ),
    { code: 'secret_missing' },
  );
  const secret = await resolveSecret(
    entry,
    keyring(() => 'from the keyring'),
  );
  assert.equal(secret.use(String), 'from the keyring');
});
