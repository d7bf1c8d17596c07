// What the driver writes to disk: modes, long paths, broken entries, what is left after close and after kills.

import assert from 'node:assert/strict';
import {
  chmod,
  lstat,
  lutimes,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { bindSocket, createLocalOverlay, type ListenOptions } from '../../src/index.ts';
import { atLeast, coded, spawnHost, tempOverlay } from '../../src/testing/index.ts';
import { deadSocket, tempFolder } from './sockets.ts';

const timeout = 60_000;
const echo: ListenOptions = { onConnection: (connection) => void connection.pipe(connection) };

test('T28: entries and sockets are 0600 whatever the umask', { timeout }, async () => {
  await using net = await tempOverlay();
  const before = process.umask(0);
  try {
    const listener = await net.overlay.listenEphemeral(echo);
    await net.overlay.createShare('stays');
    assert.equal(process.umask(), 0, 'and the umask is as it was');
    const run = join(net.home, 'run');
    const socket = join(run, await readlink(join(run, `${listener.share}.sock`)));
    const entries = (await readdir(join(net.home, 'shares'))).map((name) => join(net.home, 'shares', name));
    assert.equal(entries.length, 2);
    for (const file of [socket, ...entries]) assert.equal((await lstat(file)).mode & 0o777, 0o600, file);
    assert.ok((await lstat(socket)).isSocket());
  } finally {
    process.umask(before);
  }
});

test('nothing is left of an ephemeral share, and only the entry of a persistent one', { timeout }, async () => {
  await using net = await tempOverlay();
  await net.overlay.createShare('stays');
  await Promise.all([net.overlay.listenEphemeral(echo), net.overlay.listen('stays', echo)]);
  assert.equal((await readdir(join(net.home, 'run'))).length, 6);
  await net.overlay.close();
  assert.deepEqual(await readdir(join(net.home, 'run')), []);
  assert.deepEqual(await readdir(join(net.home, 'shares')), ['stays.json']);
});

test('what a killed ephemeral host left is swept by the next who lists or listens', { timeout }, async () => {
  await using net = await tempOverlay();
  for (const look of ['list', 'listen', 'listenEphemeral'] as const) {
    await using host = await spawnHost(net.env, 'local');
    await host.kill();
    assert.equal((await readdir(join(net.home, 'shares'))).length, 1);
    if (look === 'list') await net.overlay.listShares();
    else if (look === 'listen') await assert.rejects(net.overlay.listen('other', echo), coded('share_unknown'));
    else await (await net.overlay.listenEphemeral(echo)).close();
    assert.deepEqual(await readdir(join(net.home, 'shares')), [], look);
    assert.deepEqual(await readdir(join(net.home, 'run')), [], look);
  }
});

test('an ephemeral share of a dead host cannot be hosted by its name', { timeout }, async () => {
  await using net = await tempOverlay();
  await using host = await spawnHost(net.env, 'local');
  await host.kill();
  await assert.rejects(net.overlay.listen(host.share, echo), coded('share_unknown'));
});

test('a share that cannot be removed because no socket can be made is not said to be hosted', { timeout }, async () => {
  await using temp = await tempFolder();
  const overlay = createLocalOverlay({ env: { MCP_OVERLAY_HOME: join(temp.path, 'h'.repeat(100)) } });
  await overlay.createShare('stays');
  const { TMPDIR } = process.env;
  // Where the socket of a long path goes.
  process.env.TMPDIR = join(temp.path, 'absent');
  try {
    await assert.rejects(overlay.deleteShare('stays'), coded('state_folder_unsafe'));
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
  await overlay.deleteShare('stays');
  await overlay.close();
});

test('T28: a path too long for a socket moves the socket to a 0700 folder, and it goes with the share', {
  timeout,
}, async () => {
  await using temp = await tempFolder();
  const home = join(temp.path, 'x'.repeat(120));
  const env = { ...process.env, MCP_OVERLAY_HOME: home };
  const overlay = createLocalOverlay({ env });
  const listener = await overlay.listenEphemeral(echo);
  const socket = await readlink(join(home, 'run', `${listener.share}.sock`));
  assert.ok(Buffer.byteLength(socket) <= 100 && (await lstat(socket)).isSocket());
  assert.equal((await lstat(dirname(socket))).mode & 0o777, 0o700);
  const connection = await overlay.dial(listener.share);
  connection.write('x');
  await atLeast(connection, 1);
  connection.destroy();
  await overlay.close();
  await assert.rejects(lstat(dirname(socket)), { code: 'ENOENT' });

  await using host = await spawnHost(env, 'local');
  const left = await readlink(join(home, 'run', `${host.share}.sock`));
  await host.kill();
  await createLocalOverlay({ env }).listShares();
  await assert.rejects(lstat(dirname(left)), { code: 'ENOENT' }, 'swept after a kill too');
  assert.deepEqual(await readdir(join(home, 'run')), []);
});

test('a moved socket whose folder others can open is not dialled', { timeout }, async () => {
  await using temp = await tempFolder();
  const overlay = createLocalOverlay({ env: { MCP_OVERLAY_HOME: join(temp.path, 'x'.repeat(120)) } });
  const listener = await overlay.listenEphemeral(echo);
  const folder = dirname(await readlink(join(temp.path, 'x'.repeat(120), 'run', `${listener.share}.sock`)));
  await chmod(folder, 0o755);
  await assert.rejects(overlay.dial(listener.share), coded('share_not_hosted'));
  await chmod(folder, 0o700);
  (await overlay.dial(listener.share)).destroy();
  await overlay.close();
});

for (const bytes of [95, 99, 100, 101, 103, 104, 105, 108, 109, 120]) {
  test(`a socket name of ${bytes} bytes works`, { timeout }, async () => {
    await using temp = await tempFolder();
    const folder = join(temp.path, 'y'.repeat(bytes - temp.path.length - '/'.length - '/ü.sock'.length - 1));
    await mkdir(folder);
    const path = join(folder, 'ü.sock');
    assert.equal(Buffer.byteLength(path), bytes);
    const bound = await bindSocket(path, () => {});
    await assert.rejects(
      bindSocket(path, () => {}),
      coded('share_in_use'),
    );
    await bound.close();
    assert.deepEqual(await readdir(folder), []);
  });
}

for (const text of ['', '{', 'null', '[]', '{}', '{"persistent":1}', '{"persistent":true,"createdAt":"x"}', '\0\0']) {
  test(`an entry that holds ${JSON.stringify(text)} does not wedge its share`, { timeout }, async () => {
    await using net = await tempOverlay();
    await net.overlay.createShare('broken');
    await writeFile(join(net.home, 'shares', 'broken.json'), text);
    const [listed] = await net.overlay.listShares();
    assert.deepEqual([listed?.token, listed?.persistent], ['broken', true]);
    const listener = await net.overlay.listen('broken', echo);
    (await net.overlay.dial('broken')).destroy();
    await listener.close();
    await net.overlay.deleteShare('broken');
    await net.overlay.createShare('broken');
  });
}

test('files that are no entries are neither listed nor touched; old drafts are swept', { timeout }, async () => {
  await using net = await tempOverlay();
  await net.overlay.createShare('real');
  const shares = join(net.home, 'shares');
  const drafts = ['real.draft-0123456789', 'new.draft-0123456789'];
  const strangers = ['README', 'UPPER.json', 'x.json', '.json'];
  await Promise.all([...drafts, ...strangers].map((name) => writeFile(join(shares, name), '{}')));
  await utimes(join(shares, 'real.draft-0123456789'), 0, 0);
  assert.deepEqual(
    (await net.overlay.listShares()).map(({ token }) => token),
    ['real'],
  );
  assert.deepEqual((await readdir(shares)).sort(), [...strangers, 'real.json', 'new.draft-0123456789'].sort());
});

test('a share whose socket was left dead is hosted by whoever asks first', { timeout }, async () => {
  await using net = await tempOverlay();
  await net.overlay.createShare('stays');
  await deadSocket(join(net.home, 'run', 'stays.sock'));
  await assert.rejects(net.overlay.dial('stays'), coded('share_not_hosted'));
  const listener = await net.overlay.listen('stays', echo);
  (await net.overlay.dial('stays')).destroy();
  await listener.close();
});

test('an unsafe state folder stops every operation', { timeout }, async () => {
  await using net = await tempOverlay();
  await net.overlay.createShare('stays');
  await chmod(net.home, 0o755);
  const { overlay } = net;
  const operations = [
    overlay.dial('stays'),
    overlay.listen('stays', echo),
    overlay.listenEphemeral(echo),
    overlay.listShares(),
    overlay.createShare(),
    overlay.deleteShare('stays'),
  ];
  await Promise.all(operations.map((operation) => assert.rejects(operation, coded('state_folder_unsafe'))));
  await chmod(net.home, 0o700);
});

test('a host whose socket is removed under it says so', { timeout }, async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, 'name.sock');
  const lost = new Promise<Error>((resolve) => {
    void bindSocket(path, () => {}, { onLost: resolve, watchMs: 5 }).then(() => rm(path));
  });
  const error = await lost;
  assert.ok(coded('share_not_hosted')(error));
  assert.match(error.message, /name\.sock was removed/);
  assert.deepEqual(await readdir(temp.path), [], 'and it has stopped listening');
});

test('the entry of a share is readable by people', { timeout }, async () => {
  await using net = await tempOverlay();
  const { createdAt } = await net.overlay.createShare('stays');
  const entry = JSON.parse(await readFile(join(net.home, 'shares', 'stays.json'), 'utf8'));
  assert.deepEqual(entry, { persistent: true, createdAt: createdAt.toISOString() });
});

test('a temporary folder of another name is never removed', { timeout }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'somebody-'));
  try {
    await using temp = await tempFolder();
    const path = join(temp.path, 'name.sock');
    await writeFile(join(folder, 's'), 'precious');
    await symlink(join(folder, 's'), `${path}~0123456789`);
    await (await bindSocket(path, () => {})).close();
    assert.deepEqual(await readdir(folder), ['s']);
    assert.deepEqual(await readdir(temp.path), []);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('what the system refuses is told as an error of ours', { timeout }, async () => {
  await using net = await tempOverlay();
  await net.overlay.createShare('real');
  await mkdir(join(net.home, 'shares', 'folder.json'));
  await assert.rejects(net.overlay.listShares(), (error) => {
    assert.ok(coded('overlay_unavailable')(error));
    assert.match(String(error), /EISDIR/);
    return true;
  });
  await assert.rejects(
    bindSocket(join(net.home, 'no', 'such', 'folder', 's'), () => {}),
    coded('state_folder_unsafe'),
  );
});

test('sockets of hosts that were killed before their share had an entry are swept when they are old', {
  timeout,
}, async () => {
  await using net = await tempOverlay();
  const listener = await net.overlay.listenEphemeral(echo);
  const run = join(net.home, 'run');
  const living = (await readdir(run)).sort();
  const leave = async (token: string): Promise<string[]> => {
    const names = [`${token}.sock~0123456789.s`, `${token}.sock~0123456789`, `${token}.sock`];
    const [socket = '', ...links] = names;
    await deadSocket(join(run, socket));
    for (const link of links) await symlink(socket, join(run, link));
    return names;
  };
  for (const name of await leave('old')) await lutimes(join(run, name), 0, 0);
  await deadSocket(join(run, 'unclaimed.sock~0123456789.s'));
  await utimes(join(run, 'unclaimed.sock~0123456789.s'), 0, 0);
  const young = await leave('young');
  for (const name of living) await lutimes(join(run, name), 0, 0);
  await net.other.listShares();
  assert.deepEqual((await readdir(run)).sort(), [...living, ...young].sort());
  (await net.other.dial(listener.share)).destroy();
});
