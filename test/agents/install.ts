// Real agents, installed once into a git-ignored folder of their own: several hundred megabytes, so they are no part of
// `npm test`. Their install scripts do not run.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** docs/COMPATIBILITY.md names the same. */
export const AGENTS = {
  '@anthropic-ai/claude-code': '2.1.328',
  '@openai/codex': '0.169.0',
  '@google/gemini-cli': '0.61.0',
} as const;

const installMs = 600_000;
const cache = fileURLToPath(new URL('./.cache/', import.meta.url));

/** Command and leading arguments of each. */
export type Agents = Readonly<Record<'claude' | 'codex' | 'gemini', readonly [string, ...string[]]>>;

export type Installed = { readonly agents: Agents } | { readonly impossible: string };

/** No network is a reason to skip, never one to pass. */
export async function installAgents(): Promise<Installed> {
  const folder = join(cache, Object.values(AGENTS).join('_'));
  if (!existsSync(folder)) {
    // Installed aside and moved, so that an install that was cut off is never taken for a whole one.
    await mkdir(cache, { recursive: true });
    const aside = await mkdtemp(join(cache, 'install-'));
    try {
      await writeFile(join(aside, 'package.json'), '{"private":true}\n');
      const wanted = Object.entries(AGENTS).map(([name, version]) => `${name}@${version}`);
      const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', aside, ...wanted];
      const npm = spawn('npm', args, { stdio: ['ignore', 'ignore', 'inherit'], timeout: installMs });
      const [code] = (await once(npm, 'close')) as [number | null];
      if (code !== 0) return { impossible: `npm install ended with ${code}` };
      await rename(aside, folder);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  }
  const modules = join(folder, 'node_modules');
  const native = join(modules, '@anthropic-ai', `claude-code-${process.platform}-${process.arch}`, 'claude');
  if (!existsSync(native)) return { impossible: `no ${native}` };
  return {
    agents: {
      claude: [native],
      codex: [process.execPath, join(modules, '@openai', 'codex', 'bin', 'codex.js')],
      gemini: [process.execPath, join(modules, '@google', 'gemini-cli', 'bundle', 'gemini.js')],
    },
  };
}
