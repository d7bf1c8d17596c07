import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectSocket, isAlive, socketBehind } from '../../src/local/connect-socket.ts';
import { deadSocket, tempFolder } from './sockets.ts';

const timeout = 60_000;

test('a host that does not keep up is tried again until it does', { timeout }, async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, 's');
  const program = `require('net').createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log())`;
  const host = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = once(host, 'exit');
  try {
    await once(host.stdout, 'data');
    host.kill('SIGSTOP');
    const waiting = AbortSignal.timeout(timeout);
    const tries = Array.from({ length: 10 }, () => connectSocket(path, waiting));
    let settled = 0;
    for (const one of tries) void one.then(() => (settled += 1));
    // The backlog takes two or three (listen(2)); whoever comes now waits for room.
    await Promise.race(tries);
    assert.ok(await isAlive(path), 'a full backlog is a sign of life');
    assert.ok(settled < 10, 'the others are still trying');
    const given = new AbortController();
    const giving = connectSocket(path, given.signal);
    given.abort(new Error('enough'));
    await assert.rejects(giving, /enough/);
    host.kill('SIGCONT');
    for (const socket of await Promise.all(tries)) {
      assert.ok(socket);
      socket.destroy();
    }
  } finally {
    host.kill('SIGKILL');
    await gone;
  }
});

test('nothing, a dead socket, a dead link, a file and a loop are not alive', { timeout }, async () => {
  await using temp = await tempFolder();
  const at = (name: string): string => join(temp.path, name);
  await deadSocket(at('dead'));
  await symlink('dead', at('link'));
  await symlink('loop', at('loop'));
  await symlink('/nowhere/at/all', at('far'));
  for (const name of ['nothing', 'dead', 'link', 'loop', 'far', 'dead/below']) {
    assert.equal(await isAlive(at(name)), false, name);
    assert.equal(await connectSocket(at(name), new AbortController().signal), undefined, name);
  }
});

test('a name leads to what its link says, relative to its folder', { timeout }, async () => {
  await using temp = await tempFolder();
  await symlink('target', join(temp.path, 'name'));
  assert.equal(await socketBehind(join(temp.path, 'name')), join(temp.path, 'target'));
  assert.equal(await socketBehind(join(temp.path, 'absent')), undefined);
});
