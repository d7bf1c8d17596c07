// The measuring tool measures: figures for each chain and cell that was asked for, and nothing is left running.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './harness.ts';

interface Results {
  readonly failures: readonly unknown[];
  readonly figures: Readonly<
    Record<string, Readonly<Record<string, { readonly count: number; readonly p50: number }>>>
  >;
}

test('a quick run gives figures for every chain and ends what it started', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-test-'));
  try {
    const file = join(folder, 'figures.json');
    const run = await bench('--quick', '--chains', 'direct,bare,aead', '--cells', 'cold,latency,large', '--json', file);
    assert.equal(run.code, 0, run.stderr);
    assert.doesNotMatch(run.stderr, /left behind/);
    assert.match(run.stdout, /direct stdio +bare, three relays +bare \+ AEAD/);
    const { figures, failures } = JSON.parse(await readFile(file, 'utf8')) as Results;
    assert.deepEqual(failures, []);
    for (const chain of ['direct', 'bare', 'aead']) {
      for (const figure of ['coldMs', 'latencyMs', 'result1MiBMs']) {
        assert.ok((figures[chain]?.[figure]?.p50 ?? 0) > 0, `${chain} ${figure}`);
      }
      assert.equal(figures[chain]?.latencyMs?.count, 400);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('a chain or cell that does not exist is named, with those that do', async () => {
  const run = await bench('--chains', 'direct,bear');
  assert.equal(run.code, 2);
  assert.match(run.stderr, /no chain named bear: direct, bare, /);
});

async function bench(...args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const main = JSON.stringify(new URL('../../bench/main.mjs', import.meta.url).href);
  const script = `const { main } = await import(${main}); await main(process.argv.slice(1));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, '--', ...args], { cwd: root });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
