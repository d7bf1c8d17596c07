// What a user gets: the tarball of the root package, installed into an empty folder without a network, and what `npm start`
// and `npm run demo` do on the repository. No build step, no install script, no native code, nothing left behind.

import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { type Command, type Finished, root } from './e2e/harness.ts';
import { LineClient } from './e2e/line-client.ts';
import { descendants, type ProcessLine, stillAlive } from './e2e/processes.ts';

/** A package that grows beyond this has taken something in that it does not need. A fifth of it is the parser of PostgreSQL, a tenth what
 * else judges rules. */
const MAX_PACKED_BYTES = 2048 * 1024;
/** What is promised of a program after SIGTERM is 8 s; npm and a loaded machine take more. */
const endMs = 20_000;
const programs = ['mcp-gateway', 'mcp-bridge', 'mcp-tools'];
const version = (JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }).version;

test('npm pack: a small tarball with no install script and no native file, which installs into an empty folder offline', async (t) => {
  await using folder = await tempFolder();
  const packed = await npm(folder.path, root, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder.path);
  const [about] = JSON.parse(packed) as {
    filename: string;
    size: number;
    unpackedSize: number;
    files: { path: string }[];
  }[];
  assert.ok(about);
  t.diagnostic(
    `${about.filename}: ${about.size} bytes packed, ${about.unpackedSize} unpacked, ${about.files.length} files`,
  );
  assert.ok(about.size < MAX_PACKED_BYTES, `${about.size} bytes`);
  const paths = about.files.map(({ path }) => path);
  for (const path of [
    ...programs.map((name) => `dist/${name}.js`),
    'README.md',
    'LICENSE',
    'dist/THIRD_PARTY_LICENSES.txt',
  ]) {
    assert.ok(paths.includes(path), `${path} is missing`);
  }
  const strange = paths.filter((path) =>
    /\.(?:node|gyp|so|dylib|dll|c|cc|ts|map)$|^(?:packages|test|bench|scripts)\//.test(path),
  );
  assert.deepEqual(strange, []);

  const place = join(folder.path, 'empty');
  await mkdir(place);
  await npm(folder.path, place, 'install', '--offline', join(folder.path, about.filename));
  const installed = join(place, 'node_modules', 'mcp-overlay');
  const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  assert.deepEqual(manifest.dependencies ?? {}, {});
  const scripts = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'].filter(
    (name) => manifest.scripts?.[name],
  );
  assert.deepEqual(scripts, []);
  assert.deepEqual(
    (await readdir(join(place, 'node_modules'))).filter((name) => !name.startsWith('.')),
    ['mcp-overlay'],
  );

  const home = join(folder.path, 'home');
  const installedProgram = (name: string, ...args: readonly string[]): Command => {
    const file = join(place, 'node_modules', '.bin', name);
    // As a shell starts it: the file itself, node found on PATH.
    return { command: file, args, env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, MCP_OVERLAY_HOME: home } };
  };
  for (const name of programs) {
    const { code, stdout } = await finished(installedProgram(name, '--version'));
    assert.deepEqual([code, stdout], [0, `${version}\n`], name);
  }
  const made = await finished(installedProgram('mcp-tools', 'create', 'my-bridge', '--overlay', 'local'));
  assert.deepEqual([made.code, made.stdout], [0, '{"share_token":"my-bridge"}\n'], made.stderr);
  const listed = await finished(installedProgram('mcp-tools', 'list', '--json', '--overlay', 'local'));
  assert.deepEqual(
    (JSON.parse(listed.stdout) as { token: string }[]).map(({ token }) => token),
    ['my-bridge'],
  );

  const server = scriptedServer();
  await using bridge = serve(
    installedProgram('mcp-bridge', '--share-token', 'my-bridge', server.command, ...server.args),
  );
  assert.equal(await bridge.until(/share_token/), '{"share_token":"my-bridge"}');
  await using agent = LineClient.spawn(installedProgram('mcp-tools', 'run', 'my-bridge'));
  await agent.initialize();
  assert.equal((await agent.told('echo', { nonce: 'installed' })).nonce, 'installed');
  assert.equal(await agent.end(), 0);
});

test('npm run demo: one call, request and result shown, exit 0, nothing left', async () => {
  await using folder = await tempFolder();
  await using demo = serve({ ...npmCommand('run', 'demo'), env: npmEnv(folder.path) }, root);
  assert.equal(await demo.ended(), 0);
  const request = /^→ (\{.*\})$/m.exec(demo.stdout())?.[1] ?? '';
  const result = /^← (\{.*\})$/m.exec(demo.stdout())?.[1] ?? '';
  assert.equal((JSON.parse(request) as { method: string }).method, 'tools/call');
  assert.match(JSON.stringify(JSON.parse(result)), /through four hops and back/);
});

test('npm start: the printed entry works in an empty environment from another folder; SIGTERM ends all of it', async () => {
  await using folder = await tempFolder();
  const home = join(folder.path, 'home');
  await using started = serve(
    { ...npmCommand('start'), env: { ...npmEnv(folder.path), MCP_OVERLAY_HOME: home } },
    root,
  );
  await started.until(/^Serving /);
  assert.match(started.stdout(), /^→ \{.*"method":"tools\/call"/m);
  const { mcpServers } = JSON.parse(/^\{$.*^\}$/ms.exec(started.stdout())?.[0] ?? '') as {
    mcpServers: Record<string, Command>;
  };
  const [entry] = Object.values(mcpServers);
  assert.ok(entry);
  const elsewhere = ['-c', 'cd / && exec "$0" "$@"', entry.command, ...entry.args];
  await using agent = LineClient.spawn({ command: '/bin/sh', args: elsewhere, env: entry.env });
  await agent.initialize();
  const names = await agent.toolNames();
  assert.ok(names.includes('everything__echo') && names.includes('docs__read_text_file'), names.join());
  const { result } = await agent.call('everything__echo', { message: 'from elsewhere' });
  assert.match(JSON.stringify(result), /from elsewhere/);
  assert.equal(await agent.end(), 0);
});

interface Served extends AsyncDisposable {
  stdout(): string;
  /** The first line on stdout that fits. */
  until(fits: RegExp): Promise<string>;
  ended(): Promise<number | null>;
}

/** Disposing sends SIGTERM, and fails if anything it started is still alive after. */
function serve({ command, args, env }: Command, cwd?: string): Served {
  const child: ChildProcessByStdio<null, Readable, Readable> = spawn(command, [...args], {
    env: { ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const ended = (once(child, 'exit') as Promise<[number | null]>).then(([code]) => code);
  const found = (fits: RegExp): string | undefined =>
    stdout
      .split('\n')
      .slice(0, -1)
      .find((line) => fits.test(line));
  return {
    stdout: () => stdout,
    ended: () => ended,
    until: (fits) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const line = found(fits);
          if (line !== undefined) resolve(line);
        };
        child.stdout.on('data', look);
        look();
        void ended.then((code) => reject(new Error(`ended (${code}) without ${fits}\n${stdout}\n${stderr}`)));
      }),
    [Symbol.asyncDispose]: async () => {
      const ours = await descendants([child.pid ?? -1]);
      child.kill('SIGTERM');
      await ended;
      await nothingLeft(ours);
    },
  };
}

async function nothingLeft(ours: readonly ProcessLine[]): Promise<void> {
  const until = Date.now() + endMs;
  for (;;) {
    const left = await stillAlive(ours);
    if (left.length === 0) return;
    if (Date.now() > until) {
      for (const { pid } of left) process.kill(pid, 'SIGKILL');
      throw new Error(`left behind: ${left.map(({ pid, args }) => `${pid} ${args}`).join('; ')}`);
    }
    await wait(50);
  }
}

async function finished({ command, args, env }: Command, cwd?: string): Promise<Finished> {
  const child = spawn(command, [...args], { env: { ...env }, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
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

function npmCommand(...args: readonly string[]): { command: string; args: string[] } {
  return { command: 'npm', args: ['--no-audit', '--no-fund', '--no-update-notifier', ...args] };
}

/** Nothing of the npm that may be running us, and no folder of this user. */
function npmEnv(folder: string): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: folder, npm_config_cache: join(folder, 'cache') };
}

async function npm(folder: string, cwd: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await finished({ ...npmCommand(...args), env: npmEnv(folder) }, cwd);
  assert.equal(code, 0, `npm ${args.join(' ')}: ${stderr}`);
  return stdout;
}

async function tempFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'package-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
