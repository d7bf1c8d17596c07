// Programs of other people as processes of a test: on loopback only, ended by process id, with nothing left behind.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Command, House } from '../e2e/harness.ts';
import { descendants, stillAlive } from '../e2e/processes.ts';

const loopback = fileURLToPath(new URL('./loopback.mjs', import.meta.url));
const readyMs = 20_000;
/** What supergateway and mcp-proxy leave their children is 5 s. */
const endMs = 15_000;

/** One of their scripts, with the state folder of the house for what it starts of ours. */
export function foreign(house: House, script: string, args: readonly string[], node = process.execPath): Command {
  const { PATH = '' } = process.env;
  // mcp-remote keeps what it learns about servers in its own folder.
  const folders = { HOME: house.home, MCP_OVERLAY_HOME: house.home, MCP_REMOTE_CONFIG_DIR: `${house.home}/mcp-remote` };
  return { command: node, args: ['--import', loopback, script, ...args], env: { PATH, ...folders, PORT: '0' } };
}

export interface ForeignHost extends AsyncDisposable {
  /** Where it listens, with a slash at the end. */
  readonly url: string;
  stderr(): string;
}

/** Starts one that listens (on port 0); ready when it does. */
export async function startHost({ command, args, env }: Command): Promise<ForeignHost> {
  const child = spawn(command, [...args], { env: { ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  const port = new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      const found = /^loopback port (\d+)$/m.exec(stderr)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`${args[2]} ended with ${code}\n${stderr}`)));
    setTimeout(() => reject(new Error(`${args[2]} does not listen\n${stderr}`)), readyMs).unref();
  });
  try {
    const url = `http://127.0.0.1:${await port}/`;
    return { url, stderr: () => stderr, [Symbol.asyncDispose]: () => end(child) };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** Told to end, it ends, and so does all that it started. */
async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  const family = await descendants([child.pid]);
  if (child.exitCode === null && child.signalCode === null) {
    const closed = once(child, 'exit');
    child.kill('SIGTERM');
    await Promise.race([closed, wait(endMs, undefined, { ref: false })]);
  }
  const until = Date.now() + endMs;
  for (;;) {
    const left = await stillAlive(family);
    if (left.length === 0) return;
    if (Date.now() > until) {
      for (const { pid } of left) process.kill(pid, 'SIGKILL');
      throw new Error(`left behind: ${left.map(({ pid, args }) => `${pid} ${args}`).join('; ')}`);
    }
    await wait(50);
  }
}
