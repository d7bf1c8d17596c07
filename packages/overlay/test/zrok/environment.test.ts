// zrok's files as zrok's programs write and read them.

import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { coded } from '../../src/testing/index.ts';
import { readZrokRoot } from '../../src/zrok/environment.ts';
import { checkWritable, removeEnvironment, saveEnvironment } from '../../src/zrok/save-environment.ts';
import { tempHome } from './temp-home.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../../../..');
const recorded = join(dirname(repository), 'shared/zrok-traces/environment-files');
const skip = !existsSync(recorded) && `the recorded files are not here (${recorded})`;

test('files that zrok2 enable wrote are read', { skip }, async () => {
  await using home = await tempHome();
  cpSync(recorded, home.zrok, { recursive: true });
  const { environment, apiEndpoint } = await readZrokRoot({ HOME: home.path });
  assert.deepEqual(environment, {
    accountToken: 'eeN4OB2eTapJ',
    envZId: 'CZJDsppwcA',
    apiEndpoint: 'http://127.0.0.1:18080',
    identityFile: join(home.zrok, 'identities/environment.json'),
  });
  assert.equal(apiEndpoint, 'http://127.0.0.1:18080');
});

test('what we write is what zrok2 enable wrote, byte for byte, in 0700 folders and 0600 files under any umask', {
  skip,
}, async () => {
  await using home = await tempHome();
  const read = (name: string): string => readFileSync(join(recorded, name), 'utf8');
  const before = process.umask(0);
  try {
    const root = await readZrokRoot({ HOME: home.path, ZROK2_API_ENDPOINT: 'http://127.0.0.1:18080' });
    await saveEnvironment(root, {
      accountToken: 'eeN4OB2eTapJ',
      envZId: 'CZJDsppwcA',
      identity: read('identities/environment.json'),
    });
  } finally {
    process.umask(before);
  }
  for (const name of ['metadata.json', 'environment.json', 'identities/environment.json']) {
    assert.equal(await readFile(join(home.zrok, name), 'utf8'), read(name), name);
    assert.equal((await lstat(join(home.zrok, name))).mode & 0o777, 0o600, name);
  }
  for (const folder of ['.', 'identities']) assert.equal((await lstat(join(home.zrok, folder))).mode & 0o777, 0o700);
  assert.deepEqual((await readdir(home.zrok)).sort(), ['environment.json', 'identities', 'metadata.json']);
});

test('disabling leaves what zrok2 disable leaves, and disabling nothing is no error', async () => {
  await using home = await tempHome();
  const env = { HOME: home.path };
  const root = await readZrokRoot(env);
  await saveEnvironment(root, { accountToken: 'a', envZId: 'z', identity: '{}\n' });
  await removeEnvironment(root);
  await removeEnvironment(root);
  assert.deepEqual((await readdir(home.zrok)).sort(), ['identities', 'metadata.json']);
  assert.equal((await readZrokRoot(env)).environment, undefined);
});

test('without metadata.json there is no environment, as for the zrok programs', async () => {
  await using home = await tempHome();
  await files(home.zrok, { 'environment.json': '{"zrok_token":"a","ziti_identity":"z","api_endpoint":"http://h"}' });
  assert.equal((await readZrokRoot({ HOME: home.path })).environment, undefined);
});

test('a layout of another version is refused, not guessed and not overwritten', async () => {
  await using home = await tempHome();
  for (const text of ['{"v":"v0.5"}', '{}', 'x']) {
    await files(home.zrok, { 'metadata.json': text });
    await assert.rejects(readZrokRoot({ HOME: home.path }), coded('zrok_files_invalid'), text);
  }
});

test('a missing, broken or incomplete environment.json means not enabled', async () => {
  await using home = await tempHome();
  await files(home.zrok, { 'metadata.json': '{"v":"v0.4"}' });
  assert.equal((await readZrokRoot({ HOME: home.path })).environment, undefined);
  for (const text of ['', '{', '[]', 'null', '{}', '{"zrok_token":"a"}', '{"zrok_token":1,"ziti_identity":"z"}']) {
    await files(home.zrok, { 'environment.json': text });
    assert.equal((await readZrokRoot({ HOME: home.path })).environment, undefined, text);
  }
});

test('the endpoint: built in, then config.json, then ZROK2_API_ENDPOINT, then the environment itself', async () => {
  await using home = await tempHome();
  const asked = async (variable?: string): Promise<string> =>
    (await readZrokRoot({ HOME: home.path, ...(variable === undefined ? {} : { ZROK2_API_ENDPOINT: variable }) }))
      .apiEndpoint;
  assert.equal(await asked(), 'https://api-v2.zrok.io');
  assert.equal(await asked('http://one:1/'), 'http://one:1');
  await files(home.zrok, { 'metadata.json': '{"v":"v0.4"}', 'config.json': '{"api_endpoint":"https://two:2"}' });
  assert.equal(await asked(), 'https://two:2');
  assert.equal(await asked('http://one:1'), 'http://one:1');
  const own = { zrok_token: 'a', ziti_identity: 'z', api_endpoint: 'https://three/some/path' };
  await files(home.zrok, { 'environment.json': JSON.stringify(own) });
  assert.equal(await asked('http://one:1'), 'https://three', 'zrok programs use scheme and host');
  await files(home.zrok, { 'environment.json': JSON.stringify({ ...own, api_endpoint: 'https://api.zrok.io' }) });
  assert.equal(await asked(), 'https://api-v2.zrok.io', 'environments of zrok 1 moved');
});

test('an endpoint that is no URL is named', async () => {
  await using home = await tempHome();
  for (const endpoint of ['127.0.0.1:18080', 'ftp://host', 'zrok.io']) {
    await assert.rejects(readZrokRoot({ HOME: home.path, ZROK2_API_ENDPOINT: endpoint }), (error: Error) => {
      assert.ok(coded('zrok_files_invalid')(error));
      assert.ok(error.message.includes(endpoint));
      return true;
    });
  }
});

test('a home that cannot be written to is told before an environment is made', async () => {
  await using home = await tempHome();
  const root = await readZrokRoot({ HOME: home.path });
  await checkWritable(root);
  assert.deepEqual(await readdir(home.zrok), [], 'looking leaves nothing');
  await writeFile(join(home.path, 'file'), '');
  const blocked = await readZrokRoot({ HOME: join(home.path, 'file') });
  await assert.rejects(checkWritable(blocked), coded('zrok_files_invalid'));
});

test('files that others may read are still read: the vendor’s own Node SDK writes such', async () => {
  await using home = await tempHome();
  await files(home.zrok, {
    'metadata.json': '{"v":"v0.4"}',
    'environment.json': '{"zrok_token":"a","ziti_identity":"z","api_endpoint":"http://h"}',
  });
  await chmod(join(home.zrok, 'environment.json'), 0o644);
  assert.equal((await readZrokRoot({ HOME: home.path })).environment?.envZId, 'z');
});

async function files(folder: string, texts: Record<string, string>): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder, name), text);
}
