import assert from 'node:assert/strict';
import { chmod, chown, lstat, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OverlayError, stateFolder } from '../src/index.ts';

const FOLDERS = ['path', 'shares', 'run', 'admin', 'secrets', 'records'] as const;

test('an absent state folder is made with all its rooms, 0700 under any umask', async () => {
  await using temp = await tempFolder();
  const before = process.umask(0);
  try {
    const folder = await stateFolder({ MCP_OVERLAY_HOME: join(temp.path, 'a', 'b') });
    for (const name of FOLDERS) assert.equal((await lstat(folder[name])).mode & 0o777, 0o700, name);
  } finally {
    process.umask(before);
  }
});

test('without MCP_OVERLAY_HOME it is .mcp-overlay in the home folder', async () => {
  await using temp = await tempFolder();
  const expected = join(temp.path, '.mcp-overlay');
  assert.equal((await stateFolder({ HOME: temp.path })).path, expected);
  assert.equal((await stateFolder({ HOME: temp.path, MCP_OVERLAY_HOME: '' })).path, expected, 'empty is unset');
  assert.equal((await stateFolder({ HOME: '/nowhere' }, temp.path)).path, expected, 'a given home comes first');
});

test('programs that make it at the same time do not disturb each other', async () => {
  await using temp = await tempFolder();
  await Promise.all(Array.from({ length: 20 }, () => stateFolder({ HOME: temp.path })));
});

for (const mode of [0o701, 0o710, 0o704, 0o750, 0o755, 0o777]) {
  test(`T28: mode ${mode.toString(8)} is refused, with the command that mends it`, async () => {
    await using temp = await tempFolder();
    const path = join(temp.path, 'home');
    await mkdir(path);
    await chmod(path, mode);
    const error = await refusal({ MCP_OVERLAY_HOME: path });
    assert.ok(error.message.includes(path));
    assert.equal(error.hint, `chmod 700 ${path}`);
    await chmod(path, 0o700);
    await stateFolder({ MCP_OVERLAY_HOME: path });
  });
}

test('a room that is open to others is refused like the folder itself', async () => {
  await using temp = await tempFolder();
  const folder = await stateFolder({ HOME: temp.path });
  await chmod(folder.run, 0o770);
  const error = await refusal({ HOME: temp.path });
  assert.equal(error.hint, `chmod 700 ${folder.run}`);
});

test('the command to mend it can be pasted, whatever the folder is called', async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, "it's mine");
  await mkdir(path, { mode: 0o755 });
  assert.equal((await refusal({ MCP_OVERLAY_HOME: path })).hint, `chmod 700 '${temp.path}/it'\\''s mine'`);
});

test('T28: a symbolic link is refused, even to a good folder, and even where a room should be', async () => {
  await using temp = await tempFolder();
  const good = join(temp.path, 'good');
  await mkdir(good, { mode: 0o700 });
  await symlink(good, join(temp.path, 'link'));
  assert.match((await refusal({ MCP_OVERLAY_HOME: join(temp.path, 'link') })).message, /symbolic link/);
  await symlink(join(temp.path, 'nowhere'), join(temp.path, 'dangling'));
  assert.match((await refusal({ MCP_OVERLAY_HOME: join(temp.path, 'dangling') })).message, /symbolic link/);
  const folder = await stateFolder({ HOME: temp.path });
  await rm(folder.shares, { recursive: true });
  await symlink(good, folder.shares);
  assert.match((await refusal({ HOME: temp.path })).message, /shares is a symbolic link/);
});

test('a file in its place is refused', async () => {
  await using temp = await tempFolder();
  await writeFile(join(temp.path, 'file'), '');
  assert.match((await refusal({ MCP_OVERLAY_HOME: join(temp.path, 'file') })).message, /not a folder/);
  const below = await refusal({ MCP_OVERLAY_HOME: join(temp.path, 'file', 'below') });
  assert.match(below.message, /cannot be used/);
  assert.match(below.hint ?? '', /MCP_OVERLAY_HOME/);
});

test("T28: another user's folder is refused", {
  skip: process.getuid?.() !== 0 && 'only root can make one',
}, async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, 'theirs');
  await mkdir(path, { mode: 0o700 });
  await chown(path, 12345, 12345);
  assert.match((await refusal({ MCP_OVERLAY_HOME: path })).message, /belongs to another user/);
});

async function refusal(env: NodeJS.ProcessEnv): Promise<OverlayError> {
  const error: unknown = await stateFolder(env).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof OverlayError, 'it was taken');
  assert.equal(error.code, 'state_folder_unsafe');
  return error;
}

async function tempFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'overlay-home-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
