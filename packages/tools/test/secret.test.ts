import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { doorSecret } from '../src/secret.ts';

async function tempHome(): Promise<AsyncDisposable & { env: NodeJS.ProcessEnv; secrets: string }> {
  const path = await mkdtemp(join(tmpdir(), 'secret-'));
  return {
    env: { MCP_OVERLAY_HOME: path },
    secrets: join(path, 'secrets'),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

test('the secret of a door is kept for its owner alone, until a new one is asked for', async () => {
  await using home = await tempHome();
  const secret = await doorSecret('my-share', false, home.env);
  assert.match(secret, /^[A-Za-z0-9_-]{32}$/);
  assert.equal(await doorSecret('my-share', false, home.env), secret);
  assert.notEqual(await doorSecret('other', false, home.env), secret);
  assert.equal((await stat(join(home.secrets, 'http-my-share'))).mode & 0o777, 0o600);
  assert.notEqual(await doorSecret('my-share', true, home.env), secret);
});

test('a secret that cannot be kept is said as that, and no draft of it is left', async () => {
  await using home = await tempHome();
  await doorSecret('other', false, home.env);
  // Something that no file can be put in place of.
  await mkdir(join(home.secrets, 'http-my-share', 'full'), { recursive: true });
  await assert.rejects(doorSecret('my-share', true, home.env), {
    code: 'state_folder_unsafe',
    message: /^the secret of this door cannot be kept: E[A-Z]+: /,
    hint: /--no-auth/,
  });
  assert.deepEqual((await readdir(home.secrets)).sort(), ['http-my-share', 'http-other']);
});
