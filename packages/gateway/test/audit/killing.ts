// Kills a writer over and over and looks at what it left: never a log that looks changed, never a record missing that the
// writer was told is there. Each log has kills of its own by seed and number, so that several can wait for their writers at
// once and a count can be made in pieces.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { build } from 'esbuild';
import { diskFiles } from '../../src/audit/files.ts';
import { logsIn } from '../../src/audit/folder.ts';
import { KeyRing } from '../../src/audit/keys.ts';
import type { Anchor } from '../../src/audit/verify/anchors.ts';
import { verifyLog } from '../../src/audit/verify/verify.ts';
import { KEY } from './sample.ts';

/** A log is begun anew after so many, or reading it would take longer each time. */
const KILLS_OF_ONE = 25;

export interface Killed {
  readonly kills: number;
  readonly acknowledged: number;
  readonly torn: number;
}

/** `lanes`: logs that are written to, and killed, at once. */
export async function killOverAndOver(
  kills: number,
  durability: 'commit' | 'os',
  seed: number,
  lanes = 1,
): Promise<Killed> {
  const folder = await mkdtemp(join(tmpdir(), 'audit-kill-'));
  try {
    const program = join(folder, 'writer.mjs');
    const entryPoints = [join(import.meta.dirname, 'writer-process.ts')];
    await build({
      entryPoints,
      outfile: program,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      logLevel: 'error',
      // Needed for locks elsewhere; a program that starts thousands of times should be small.
      external: process.platform === 'linux' ? ['@mcp-overlay/overlay'] : [],
    });
    const total = { kills: 0, acknowledged: 0, torn: 0 };
    let [base, begun] = [0, 0];
    const lane = async (): Promise<void> => {
      while (begun < kills) {
        const [number, share] = [base, Math.min(KILLS_OF_ONE, kills - begun)];
        base += 1;
        begun += share;
        const random = seeded(seed * 1_000_003 + number);
        const path = join(folder, `log-${number}`);
        const anchors: Anchor[] = [];
        for (let kill = 0; kill < share; kill += 1) {
          anchors.push(...(await killOne([program, path, durability, KEY.toString()], random)));
          total.kills += 1;
          total.torn += (await judge(path, anchors)) === 'torn' ? 1 : 0;
        }
        total.acknowledged += anchors.length;
        await rm(path, { recursive: true, force: true });
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return total;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What it said until it was killed. */
async function killOne(args: readonly string[], random: () => number): Promise<Anchor[]> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    said += text;
  });
  const closed = once(child, 'close');
  // Some while they open the log, most while they write.
  if (random() > 0.1) await Promise.race([once(child.stdout, 'data'), closed]);
  await pause(random() * 12);
  assert.equal(child.exitCode, null, 'the writer ended by itself');
  child.kill('SIGKILL');
  await closed;
  // The last line may be cut: what it says was not said.
  return said
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [seq = '', hash = ''] = line.split(' ');
      return { log: undefined, seq: Number(seq), hash, from: 'the writer' };
    });
}

async function judge(base: string, anchors: readonly Anchor[]): Promise<string> {
  const [id, ...others] = await logsIn(base, diskFiles);
  assert.deepEqual(others, [], 'it goes on with the same log');
  // Killed before there was a log.
  if (id === undefined) return 'ok';
  const folder = join(base, id);
  const found = await verifyLog({ folder, log: id, ring: new KeyRing([KEY]), files: diskFiles, anchors }).catch(
    (error) => {
      // Or before it had a first file.
      if (anchors.length === 0 && /no log in it/.test(String(error))) return undefined;
      throw error;
    },
  );
  if (found === undefined) return 'ok';
  assert.ok(found.status === 'ok' || found.status === 'torn', `${found.status}: ${JSON.stringify(found.first)}`);
  assert.equal(found.anchors, anchors.length);
  return found.status;
}

/** Mulberry32: the same kills for the same seed, as far as a machine repeats itself. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
