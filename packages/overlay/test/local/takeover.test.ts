// Names of dead processes are taken over at once, and never by two: real processes, races, and kills at any moment.

import assert from 'node:assert/strict';
import { readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { bindSocket } from '../../src/index.ts';
import { coded } from '../../src/testing/index.ts';
import { type Contender, contender, deadSocket, heard, tempFolder } from './sockets.ts';

const timeout = 120_000;
const long = process.env.TEST_LONG !== undefined;

/** Ways a dead process may have left a name. */
const LEFTOVERS: Record<string, (path: string) => Promise<void>> = {
  'a dead socket': (path) => deadSocket(path),
  'a link to nothing': (path) => symlink('gone', path),
  'a link to itself': (path) => symlink('name.sock', path),
  'everything of a host that was killed': async (path) => {
    await deadSocket(`${path}~0123456789.s`);
    await symlink('name.sock~0123456789.s', `${path}~0123456789`);
    await symlink('name.sock~0123456789.s', path);
  },
  'a claim killed before it was published': async (path) => {
    await deadSocket(`${path}~ffffffffff.s`);
    await symlink('name.sock~ffffffffff.s', `${path}~ffffffffff`);
    await symlink('name.sock~ffffffffff.s', `${path}~ffffffffff~`);
  },
  'an old socket killed before it was claimed': async (path) => {
    await deadSocket(`${path}~0000000000.s`);
    await utimes(`${path}~0000000000.s`, 0, 0);
  },
};

for (const [what, leave] of Object.entries(LEFTOVERS)) {
  test(`${what} is taken over at once, and swept`, { timeout }, async () => {
    await using temp = await tempFolder();
    const path = join(temp.path, 'name.sock');
    await leave(path);
    const bound = await bindSocket(path, (socket) => socket.end('mine'));
    assert.equal(await heard(path), 'mine');
    assert.equal((await readdir(temp.path)).length, 3, 'the name, the claim and the socket');
    await bound.close();
    assert.deepEqual(await readdir(temp.path), []);
  });
}

test('a socket that another is about to claim is left alone', { timeout }, async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, 'name.sock');
  await deadSocket(`${path}~0000000000.s`);
  const bound = await bindSocket(path, () => {});
  await bound.close();
  assert.deepEqual(await readdir(temp.path), ['name.sock~0000000000.s']);
});

test('claims on other names, however alike, are nobody else’s', { timeout }, async () => {
  await using temp = await tempFolder();
  const names = ['name.sock', 'name.sock~', 'name.sock~0123456789', 'name.soc', 'aname.sock'];
  const bind = (name: string) => bindSocket(join(temp.path, name), (s) => s.end(name));
  const bound = await Promise.all(names.map(bind));
  // Also one after the other, the one that looks like a claim first.
  await bound.shift()?.close();
  bound.unshift(await bind('name.sock'));
  for (const name of names) assert.equal(await heard(join(temp.path, name)), name);
  await Promise.all(bound.map((one) => one.close()));
  assert.deepEqual(await readdir(temp.path), []);
});

test('processes that race for a dead name: one wins, each time', { timeout }, async () => {
  await using temp = await tempFolder();
  await using first = await contender();
  await using second = await contender();
  const racers = [first, second];
  const leftovers = Object.values(LEFTOVERS);
  for (let round = 0; round < (long ? 3000 : 150); round += 1) {
    const path = join(temp.path, 'name.sock');
    await leftovers[round % leftovers.length]?.(path);
    const said = await race(racers, path);
    assert.equal(said.filter((word) => word === 'won').length, 1, `round ${round}: ${said}`);
    assert.ok(said.every((word) => word === 'won' || word === 'share_in_use'));
    assert.equal(await heard(path), 'here\n');
    await Promise.all(racers.map((one) => tell(one, 'release')));
    assert.deepEqual(await readdir(temp.path), [], 'nothing is left behind');
  }
});

test('a process killed at any moment of its takeover never wedges the name', { timeout }, async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, 'name.sock');
  for (let round = 0; round < (long ? 200 : 8); round += 1) {
    await using victim = await contender();
    victim.child.send({ bind: path });
    // From nothing done to all done; what matters is that no moment is special.
    await pause(round % 8);
    await victim.kill();
    const bound = await bindSocket(path, (socket) => socket.end('mine'));
    assert.equal(await heard(path), 'mine');
    await bound.close();
    const left = await readdir(temp.path);
    assert.ok(
      left.every((name) => name.endsWith('.s')),
      `only a socket that was not claimed yet may wait for its sweep: ${left}`,
    );
  }
});

test('a living process keeps its name, also against a program that is not ours', { timeout }, async () => {
  await using temp = await tempFolder();
  const path = join(temp.path, 'name.sock');
  await using holder = await contender();
  assert.equal(await tell(holder, { bind: path }), 'won');
  await assert.rejects(
    bindSocket(path, () => {}),
    coded('share_in_use'),
  );
  holder.child.kill('SIGSTOP');
  await assert.rejects(
    bindSocket(path, () => {}),
    coded('share_in_use'),
  );
  holder.child.kill('SIGCONT');
  assert.equal(await heard(path), 'here\n');
  await holder.kill();
  await (await bindSocket(path, () => {})).close();
});

test('what is no socket is never replaced', { timeout }, async () => {
  await using temp = await tempFolder();
  const file = join(temp.path, 'file');
  await writeFile(file, 'precious');
  await symlink('file', join(temp.path, 'link'));
  for (const path of [file, join(temp.path, 'link'), temp.path]) {
    await assert.rejects(
      bindSocket(path, () => {}),
      coded('share_in_use'),
    );
  }
  assert.deepEqual((await readdir(temp.path)).sort(), ['file', 'link']);
});

async function race(racers: readonly Contender[], path: string): Promise<string[]> {
  return Promise.all(racers.map((one) => tell(one, { bind: path })));
}

function tell(one: Contender, message: { bind: string } | 'release'): Promise<string> {
  const said = one.said();
  one.child.send(message);
  return said;
}
