// A real program with children is killed in every way; nothing of it may be left, its watcher included.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { processesWith, type ServerScript, untilNoneWith } from '../../../src/testing/scripted-server.ts';

const HOSTING = fileURLToPath(new URL('./hosting.ts', import.meta.url));
const DEAF: ServerScript = { ignoreEof: true, ignoreSigterm: true };
const GRANDCHILDREN = ['direct', 'sh', 'setsid', 'sh-setsid'].map((via) => ({ do: 'spawn', via, deaf: true }));

interface Parent extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly marker: string;
  readonly watcher: number;
  /** Rejects when the line does not come. */
  line(text: string): Promise<string>;
}

async function parent(
  options: { children?: number; script?: ServerScript; acts?: object[]; shell?: boolean } = {},
): Promise<Parent> {
  const { children = 1, script = DEAF, acts = GRANDCHILDREN } = options;
  const marker = `hosted-${randomBytes(8).toString('hex')}`;
  const scripts = Array.from({ length: children }, () => ({ ...script, marker }));
  const hosting = spawn(process.execPath, ['--import', 'tsx', HOSTING, JSON.stringify({ scripts, acts })], {
    // A group of its own, so that a test can signal it as a terminal would.
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let heard = '';
  hosting.stdout.on('data', (chunk) => {
    heard += chunk;
  });
  const ended = once(hosting, 'close').then(([code, signal]) => `ended with ${signal ?? code}`);
  const line = async (text: string) => {
    while (!heard.includes(text)) {
      const over = await Promise.race([once(hosting.stdout, 'data').then(() => undefined), ended]);
      assert.ok(over === undefined || heard.includes(text), `no ${text}: ${over}`);
    }
    return heard;
  };
  const watcher = Number(/ready (\d+)/.exec(await line('ready'))?.[1]);
  return {
    process: hosting,
    marker,
    watcher,
    line,
    async [Symbol.asyncDispose]() {
      hosting.kill('SIGKILL');
      for (const pid of processesWith(marker)) process.kill(pid, 'SIGKILL');
    },
  };
}

function alive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

async function untilGone(pid: number): Promise<void> {
  const until = performance.now() + 10_000;
  while (alive(pid)) {
    assert.ok(performance.now() < until, `process ${pid} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// Side by side: each one mostly waits for the patience of the watcher.
describe('parent death', { concurrency: 5 }, () => {
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGABRT'] as const) {
    test(`T24: after ${signal} of the program its deaf children and grandchildren are gone, and the watcher too`, async () => {
      await using hosting = await parent();
      assert.equal(processesWith(hosting.marker).length, 8);
      hosting.process.kill(signal);
      await untilNoneWith(hosting.marker);
      await untilGone(hosting.watcher);
    });
  }

  test('a signal to the whole group of the program, as a terminal sends it, leaves nothing behind', async () => {
    await using hosting = await parent();
    process.kill(-(hosting.process.pid ?? Number.NaN), 'SIGINT');
    await untilNoneWith(hosting.marker);
    await untilGone(hosting.watcher);
  });

  test('the watcher ignores signals while the program lives', async () => {
    await using hosting = await parent({ acts: [] });
    for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGQUIT'] as const) process.kill(hosting.watcher, signal);
    assert.ok(alive(hosting.watcher));
    hosting.process.kill('SIGKILL');
    await untilNoneWith(hosting.marker);
  });

  test('children that obey are ended by end of input and SIGTERM, and the watcher does not keep the streams of the program', async () => {
    await using hosting = await parent({ script: {}, acts: [], children: 5 });
    hosting.process.kill('SIGKILL');
    // It resolves only when nobody holds stdout open any more.
    await once(hosting.process, 'close');
    await untilNoneWith(hosting.marker);
    await untilGone(hosting.watcher);
  });

  test('after an orderly end the watcher goes at once and by itself', async () => {
    await using hosting = await parent({ script: {}, children: 3 });
    hosting.process.kill('SIGUSR2');
    await hosting.line('closed');
    assert.equal(alive(hosting.watcher), false);
    assert.deepEqual(
      processesWith(hosting.marker).filter((pid) => pid !== hosting.process.pid),
      [],
    );
  });

  test('a killed watcher is replaced, and the new one knows every child', async () => {
    await using hosting = await parent({ children: 2, acts: [] });
    process.kill(hosting.watcher, 'SIGKILL');
    await untilGone(hosting.watcher);
    const replaced = await untilShellOf(hosting.process.pid ?? Number.NaN, hosting.watcher);
    hosting.process.kill('SIGKILL');
    await untilNoneWith(hosting.marker);
    await untilGone(replaced);
  });
});

async function untilShellOf(parentPid: number, not: number): Promise<number> {
  const until = performance.now() + 10_000;
  for (;;) {
    const found = processesWith('mcp-overlay-watcher').find(
      (pid) => pid !== not && new RegExp(`^PPid:\\s+${parentPid}$`, 'm').test(readStatus(pid)),
    );
    if (found !== undefined) return found;
    assert.ok(performance.now() < until, 'no new watcher came');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return '';
  }
}
