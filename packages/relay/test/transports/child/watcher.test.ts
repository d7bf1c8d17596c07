// The watcher's shell script alone: what it strikes and what it spares. Groups are real, recorded by hand.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { OWNER_VARIABLE, startTimeOf } from '../../../src/transports/child/processes.ts';
import { Watcher } from '../../../src/transports/child/watcher.ts';

interface Victim {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly start: number;
  readonly gone: Promise<unknown>;
}

async function victim(script = 'echo up; exec sleep 1000', mark?: string): Promise<Victim> {
  const env = { PATH: process.env.PATH, ...(mark === undefined ? {} : { [OWNER_VARIABLE]: mark }) };
  const child = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'], env });
  const gone = once(child, 'exit');
  await once(child.stdout ?? child, 'data');
  const pid = child.pid ?? Number.NaN;
  return { child, pid, start: startTimeOf(pid) ?? 0, gone };
}

describe('watcher', { concurrency: 6 }, () => {
  test('recorded groups are struck at the end of the pipe, forgotten ones are not', async () => {
    const watcher = new Watcher();
    watcher.prepare();
    const [first, second, third] = await Promise.all([victim(), victim(), victim()]);
    try {
      for (const one of [first, second, third]) watcher.record(one.pid, one.start);
      watcher.forget(second.pid);
      await watcher.close();
      await Promise.all([first.gone, third.gone]);
      assert.equal(second.child.exitCode ?? second.child.signalCode, null);
    } finally {
      second.child.kill('SIGKILL');
    }
  });

  test('a group whose number was given to somebody else is spared', async () => {
    const watcher = new Watcher();
    watcher.prepare();
    const [reused, unknown] = await Promise.all([victim(), victim()]);
    try {
      watcher.record(reused.pid, reused.start - 1);
      watcher.record(unknown.pid, 0);
      await watcher.close();
      await unknown.gone;
      assert.equal(reused.child.exitCode ?? reused.child.signalCode, null);
    } finally {
      reused.child.kill('SIGKILL');
    }
  });

  test('a process with our mark is struck though nobody recorded it, one with another mark is not', async () => {
    const watcher = new Watcher();
    const mark = watcher.prepare();
    const [ours, theirs] = await Promise.all([victim(undefined, mark), victim(undefined, new Watcher().owner)]);
    const recorded = await victim();
    try {
      watcher.record(recorded.pid, recorded.start);
      await watcher.close();
      await ours.gone;
      assert.equal(theirs.child.exitCode ?? theirs.child.signalCode, null);
    } finally {
      theirs.child.kill('SIGKILL');
    }
  });

  test('who ignores SIGTERM is killed; a program with blanks and brackets in its name is recognised', async () => {
    const watcher = new Watcher();
    watcher.prepare();
    const deaf = await victim("trap '' TERM; echo up; while :; do sleep 1; done");
    watcher.record(deaf.pid, deaf.start);
    await watcher.close();
    assert.deepEqual(await deaf.gone, [null, 'SIGKILL']);
  });

  test('an orderly end with nothing recorded strikes nobody', async () => {
    const watcher = new Watcher();
    const mark = watcher.prepare();
    const marked = await victim(undefined, mark);
    try {
      await watcher.close();
      assert.equal(marked.child.exitCode ?? marked.child.signalCode, null);
    } finally {
      marked.child.kill('SIGKILL');
    }
  });

  test('five hundred children are recorded and forgotten in any order', async () => {
    const watcher = new Watcher();
    watcher.prepare();
    const kept = await victim();
    watcher.record(kept.pid, kept.start);
    const groups = Array.from({ length: 500 }, (_, n) => 5_000_000 + n);
    for (const group of groups) watcher.record(group, 1);
    for (const group of groups.toSorted((a, b) => (a % 7) - (b % 7))) watcher.forget(group);
    await watcher.close();
    await kept.gone;
  });
});
