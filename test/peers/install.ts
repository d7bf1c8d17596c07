// Programs of other people that stand in front of ours, installed once into a git-ignored folder of their own. Their
// install scripts do not run, but for the one that fetches the newer Node which the Inspector needs.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** docs/COMPATIBILITY.md names the same. */
export const PEERS = {
  'mcp-remote': '0.15.1',
  supergateway: '4.0.0',
  'mcp-proxy': '6.7.19',
  '@modelcontextprotocol/inspector': '2.12.0',
  node: '22',
} as const;

const SCRIPTS = {
  'mcp-remote': 'mcp-remote/dist/proxy.js',
  supergateway: 'supergateway/dist/index.js',
  'mcp-proxy': 'mcp-proxy/dist/bin/mcp-proxy.mjs',
  inspector: '@modelcontextprotocol/inspector/clients/launcher/build/index.js',
} as const;

const installMs = 180_000;
const cache = fileURLToPath(new URL('./.cache/', import.meta.url));

export interface Peers {
  /** Node 22, for what does not run on 20. */
  readonly node22: string;
  readonly script: Readonly<Record<keyof typeof SCRIPTS, string>>;
}

export type Installed = { readonly peers: Peers } | { readonly impossible: string };

/** No network is a reason to skip, never one to pass. */
export async function installPeers(): Promise<Installed> {
  // Another version is another folder.
  const folder = join(cache, Object.values(PEERS).join('_'));
  if (existsSync(folder)) return { peers: peersIn(folder) };
  // Installed aside and moved, so that an install that was cut off is never taken for a whole one.
  await mkdir(cache, { recursive: true });
  const aside = await mkdtemp(join(cache, 'install-'));
  try {
    await writeFile(join(aside, 'package.json'), '{"private":true}\n');
    const wanted = Object.entries(PEERS).map(([name, version]) => `${name}@${version}`);
    const impossible =
      (await failureOf('npm', [
        'install',
        '--no-audit',
        '--no-fund',
        '--ignore-scripts',
        '--prefix',
        aside,
        ...wanted,
      ])) ??
      (await failureOf('npm', ['rebuild', '--ignore-scripts=false', '--prefix', aside, 'node'])) ??
      (await failureOf(peersIn(aside).node22, ['--version']));
    if (impossible !== undefined) return { impossible };
    await rename(aside, folder).catch((error: unknown) => {
      // A second run was faster.
      if (!existsSync(folder)) throw error;
    });
    return { peers: peersIn(folder) };
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

function peersIn(folder: string): Peers {
  const modules = join(folder, 'node_modules');
  const scripts = Object.entries(SCRIPTS).map(([name, path]) => [name, join(modules, path)]);
  return { node22: join(modules, 'node', 'bin', 'node'), script: Object.fromEntries(scripts) as Peers['script'] };
}

/** Why the command failed, undefined when it did not. */
async function failureOf(command: string, args: readonly string[]): Promise<string | undefined> {
  const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: installMs });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-64 * 1024);
    });
  }
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return code === 0 ? undefined : `${command} ${args[0]} failed: ${output.trim().split('\n').slice(-5).join(' | ')}`;
  } catch (error) {
    return `${command} does not start: ${error instanceof Error ? error.message : String(error)}`;
  }
}
