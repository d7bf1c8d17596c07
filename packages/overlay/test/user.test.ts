import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { stateFolder, systemUser } from '../src/index.ts';

test('the user is the one of the system, whatever HOME and USER say', () => {
  const { username: name, homedir: home } = os.userInfo();
  assert.deepEqual(systemUser(), { name, home });
});

test('a user whom no database knows is a number without a home folder', () => {
  using _container = userDatabase(undefined);
  assert.deepEqual(systemUser(), { name: String(process.getuid?.() ?? 'unknown'), home: undefined });
});

test('an empty or relative HOME is no home: the state folder is the same wherever we are started', async () => {
  const home = await mkdtemp(join(os.tmpdir(), 'home-'));
  try {
    using _user = userDatabase(home);
    for (const env of [{}, { HOME: '' }, { HOME: 'relative' }]) {
      assert.equal((await stateFolder(env)).path, join(home, '.mcp-overlay'));
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});

test('where nobody knows a home the state folder has no place, and what to set is said', async () => {
  using _container = userDatabase(undefined);
  for (const env of [{}, { HOME: '' }, { HOME: 'relative' }]) {
    await assert.rejects(stateFolder(env), {
      code: 'state_folder_unsafe',
      message: 'this user has no home folder',
      hint: 'set HOME, or name a folder in MCP_OVERLAY_HOME',
    });
  }
});

/** What the system's user database says of us; undefined: it does not know us. */
function userDatabase(homedir: string | undefined): Disposable {
  const known = { ...os.userInfo(), homedir: homedir ?? '' };
  const stub = mock.method(os, 'userInfo', () => {
    if (homedir === undefined) throw new Error('uv_os_get_passwd returned ENOENT');
    return known;
  });
  syncBuiltinESMExports();
  return {
    [Symbol.dispose]() {
      stub.mock.restore();
      syncBuiltinESMExports();
    },
  };
}
