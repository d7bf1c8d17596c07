// Processes of a measurement: hosts that are started and ended, what descends from them, and how much memory each holds.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

const READY_MS = 60_000;
const END_MS = 12_000;

/** Starts a serving process and resolves, when it has said its first line, with `{ pid, ready, end }`. */
export async function startHost({ command, args, env, readyWhen }) {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  const lines = createInterface({ input: child.stdout });
  const errorLines = createInterface({ input: child.stderr });
  errorLines.on('line', (line) => {
    stderr = `${stderr}${line}\n`.slice(-4096);
  });
  const ended = once(child, 'close');
  const end = async () => {
    child.kill('SIGTERM');
    if ((await Promise.race([ended, wait(END_MS, 'late', { ref: false })])) === 'late') {
      child.kill('SIGKILL');
      await ended;
    }
  };
  const ready = await new Promise((resolve, reject) => {
    const seen = (line) => (readyWhen === undefined || readyWhen.test(line)) && resolve(line);
    lines.on('line', seen);
    if (readyWhen) errorLines.on('line', seen);
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${code}\n${stderr}`)));
    setTimeout(() => reject(new Error(`${args.join(' ')} is not ready\n${stderr}`)), READY_MS).unref();
  }).catch(async (error) => {
    await end();
    throw error;
  });
  return { pid: child.pid, ready, end };
}

/** All that descend from these processes, with themselves: `[{ pid, args }]`. */
export function descendants(roots) {
  const table = execFileSync('ps', ['-Ao', 'pid=,ppid=,state=,args='], { maxBuffer: 16 << 20, encoding: 'utf8' })
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line))
    .filter((match) => match && !match[3].startsWith('Z'))
    .map(([, pid, parent, , args]) => ({ pid: Number(pid), parent: Number(parent), args }));
  const found = new Set(roots);
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const { pid, parent } of table) if (found.has(parent)) found.add(pid);
  }
  return table.filter(({ pid }) => found.has(pid));
}

/**
 * Proportional set size in MB, and the part of it that is nobody else's file (`own`): the first shrinks when more
 * processes share the node binary, so growth is told from the second. Elsewhere than on Linux both are the resident size.
 */
export function memoryOf(pid) {
  if (process.platform !== 'linux') {
    const kB = Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));
    return { pss: kB / 1024, own: kB / 1024 };
  }
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0) / 1024;
  return { pss: field('Pss'), own: field('Pss_Anon') };
}
