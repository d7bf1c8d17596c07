// Joining and leaving a zrok network: what is written, what is refused, what is undone.

import assert from 'node:assert/strict';
import { lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { OverlayError } from '../../src/index.ts';
import { coded, type FakeZrok, startFakeZrok } from '../../src/testing/index.ts';
import { disableZrok, enableZrok } from '../../src/zrok/enable.ts';
import { readZrokRoot } from '../../src/zrok/environment.ts';
import { tempHome } from './temp-home.ts';

interface House extends AsyncDisposable {
  readonly fake: FakeZrok;
  readonly env: NodeJS.ProcessEnv;
  readonly zrok: string;
  readonly accountToken: string;
}

async function house(): Promise<House> {
  const [home, fake] = await Promise.all([tempHome(), startFakeZrok()]);
  return {
    fake,
    env: { HOME: home.path, ZROK2_API_ENDPOINT: fake.url },
    zrok: home.zrok,
    accountToken: fake.addAccount('a@example.com'),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([home[Symbol.asyncDispose](), fake[Symbol.asyncDispose]()]);
    },
  };
}

test('enabling makes an environment and its files; disabling removes both', async () => {
  await using h = await house();
  const { envZId, apiEndpoint } = await enableZrok(h);
  assert.equal(apiEndpoint, h.fake.url);
  const root = await readZrokRoot({ HOME: h.env.HOME });
  assert.deepEqual([root.environment?.envZId, root.environment?.apiEndpoint], [envZId, h.fake.url]);
  const row = h.fake.books.environments.get(envZId);
  assert.match(row?.description ?? '', /^\S+@\S+$/);
  assert.equal((await lstat(root.files.identity)).mode & 0o777, 0o600);
  assert.match(await readFile(root.files.identity, 'utf8'), /\}\n$/, 'byte for byte, the last newline too');
  assert.deepEqual(await disableZrok(h.env), { envZId, apiEndpoint, left: undefined });
  assert.equal(h.fake.books.environments.size, 0);
  assert.equal((await readZrokRoot(h.env)).environment, undefined);
  await assert.rejects(disableZrok(h.env), coded('not_enabled'));
});

test('an enabled environment is not replaced', async () => {
  await using h = await house();
  await enableZrok(h);
  await assert.rejects(enableZrok(h), (error: unknown) => {
    assert.ok(error instanceof OverlayError);
    assert.equal(error.code, 'already_enabled');
    assert.match(error.hint ?? '', /mcp-tools disable first/);
    return true;
  });
  assert.equal(h.fake.books.environments.size, 1);
});

test('a token that is no account’s, or no token at all, is refused and not repeated', async () => {
  await using h = await house();
  for (const accountToken of ['wrong-token', 'two words', 'line\nend', 'ünicode', '', 'x'.repeat(300)]) {
    await assert.rejects(enableZrok({ ...h, accountToken }), (error: unknown) => {
      assert.ok(error instanceof OverlayError);
      assert.equal(error.code, 'account_refused', JSON.stringify(accountToken));
      if (accountToken !== '') assert.ok(!`${error.message} ${error.hint}`.includes(accountToken));
      return true;
    });
  }
  assert.deepEqual(
    (await readdir(h.zrok)).filter((name) => name.endsWith('.json')),
    [],
  );
});

test('an environment that cannot be kept is not made, or taken back', async () => {
  await using h = await house();
  await writeFile(h.zrok, 'a file where the folder should be');
  await assert.rejects(enableZrok(h), coded('zrok_files_invalid'));
  assert.deepEqual(h.fake.calls, []);
  const elsewhere = await tempHome();
  await mkdir(join(elsewhere.zrok, 'identities', 'environment.json'), { recursive: true });
  await assert.rejects(enableZrok({ ...h, env: { ...h.env, HOME: elsewhere.path } }), coded('zrok_files_invalid'));
  assert.equal(h.fake.books.environments.size, 0);
  await elsewhere[Symbol.asyncDispose]();
});

test('a controller that does not take our version says so before anything is made', async () => {
  await using h = await house();
  h.fake.fault('POST /clientVersionCheck', { answer: { status: 400, body: 'too old, says the controller' } });
  await assert.rejects(enableZrok(h), (error: Error) => {
    assert.match(error.message, /too old, says the controller/);
    return coded('peer_incompatible')(error);
  });
  assert.equal(h.fake.books.environments.size, 0);
});

test('disabling without the controller removes the files, and says what is left there', async () => {
  await using h = await house();
  const { envZId } = await enableZrok(h);
  h.fake.fault('POST /disable', { hangUp: true });
  const { left } = await disableZrok(h.env);
  assert.ok(coded('network_unreachable')(left));
  assert.equal((await readZrokRoot(h.env)).environment, undefined);
  assert.ok(h.fake.books.environments.has(envZId));
});
