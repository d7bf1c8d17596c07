// SIGHUP to a program that can read its configuration again: from whoever manages it that is a word, from a terminal that
// closes it is the end. The terminal is a real one, made by script(1).

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const signals = fileURLToPath(new URL('../src/signals.ts', import.meta.url));
const withTerminal = spawnSync('script', ['--version']).status === 0 ? {} : { skip: 'needs script(1) of util-linux' };

async function program(hangup: boolean) {
  const folder = await mkdtemp(join(tmpdir(), 'signals-'));
  const said = join(folder, 'said');
  const file = join(folder, 'program.mts');
  await writeFile(
    file,
    `import { appendFileSync } from 'node:fs';
import { endSignal } from ${JSON.stringify(signals)};
const say = (text) => appendFileSync(${JSON.stringify(said)}, text + '\\n');
using end = endSignal(${hangup ? "{ onHangup: () => say('again') }" : ''});
const alive = setInterval(() => {}, 1000);
say('pid ' + process.pid);
await end.ended;
say('end');
clearInterval(alive);
`,
  );
  const text = (): Promise<string> => readFile(said, 'utf8').catch(() => '');
  return {
    line: ['--import', import.meta.resolve('tsx'), file],
    says: async (word: RegExp): Promise<string> => {
      for (let left = 400; left > 0; left -= 1) {
        const [found] = word.exec(await text()) ?? [];
        if (found !== undefined) return found;
        await wait(50);
      }
      throw new Error(`it never said ${word}: ${await text()}`);
    },
    pid: async () => Number(/pid (\d+)/.exec(await text())?.[1]),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

test('without a terminal SIGHUP is a word, and SIGTERM is the end', async () => {
  await using at = await program(true);
  const child = spawn(process.execPath, at.line, { stdio: 'ignore', detached: true });
  const gone = once(child, 'close');
  await at.says(/pid \d+/);
  child.kill('SIGHUP');
  await at.says(/again\n/);
  child.kill('SIGHUP');
  await at.says(/again\nagain\n/);
  child.kill('SIGTERM');
  await at.says(/end\n/);
  await gone;
});

test('a program that has nothing to read again ends at SIGHUP', async () => {
  await using at = await program(false);
  const child = spawn(process.execPath, at.line, { stdio: 'ignore', detached: true });
  const gone = once(child, 'close');
  await at.says(/pid \d+/);
  child.kill('SIGHUP');
  await at.says(/end\n/);
  await gone;
});

test(
  'in a terminal SIGHUP is a word as long as the terminal is there, and the end when it closes',
  withTerminal,
  async () => {
    await using at = await program(true);
    const line = [process.execPath, ...at.line].map((word) => `'${word}'`).join(' ');
    const terminal = spawn('script', ['-qec', line, '/dev/null'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const gone = once(terminal, 'close');
    await at.says(/pid \d+/);
    process.kill(await at.pid(), 'SIGHUP');
    await at.says(/again\n/);
    // Whoever held the terminal is gone, and with it the terminal.
    terminal.kill('SIGKILL');
    await at.says(/end\n/);
    await gone;
  },
);
