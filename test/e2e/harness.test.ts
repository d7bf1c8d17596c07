// The house notices what it is there to notice: a process that outlives the program that started it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Command, House } from './harness.ts';
import { descendants } from './processes.ts';

test('a house whose program leaves a process behind names it, and ends it', async () => {
  const house = await House.open(1000);
  const running = await house.start(
    script(`
      const orphan = require('node:child_process').spawn('sleep', ['61'], { detached: true, stdio: 'ignore' });
      orphan.unref();
      console.log(JSON.stringify({ orphan: String(orphan.pid) }));
      setInterval(() => {}, 1000);
    `),
  );
  const orphan = Number(running.ready.orphan);
  await assert.rejects(house[Symbol.asyncDispose](), /left behind: \d+ sleep 61/);
  assert.deepEqual(
    (await descendants([orphan])).filter(({ state }) => !state.startsWith('Z')),
    [],
  );
});

test('a program that does not become ready is ended, and its last words are told', async () => {
  await using house = await House.open();
  const program = script('console.error("no such overlay"); process.exitCode = 2;');
  await assert.rejects(house.start(program), /ended with 2\nno such overlay/);
});

function script(code: string): Command {
  return { command: process.execPath, args: ['-e', code], env: { PATH: process.env.PATH ?? '' } };
}
