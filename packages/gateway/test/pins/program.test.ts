// T31: what is run for a backend, and whether it may be something else tomorrow.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { StdioConfig } from '@mcp-overlay/config';
import { programOf, sameProgram, unpinned } from '../../src/pins/program.ts';

const run = (command: string, args: readonly string[], cwd?: string): StdioConfig => ({
  type: 'stdio',
  command,
  args,
  env: {},
  envPass: [],
  ...(cwd === undefined ? {} : { cwd }),
});

const LOOSE: readonly (readonly [string, readonly string[]])[] = [
  ['npx', ['-y', 'server']],
  ['npx', ['-y', '@scope/server@latest', '/data']],
  ['/usr/bin/npx', ['--yes', '--package=server@^1.2.3', 'bin']],
  ['npx', ['-p', 'server', 'bin']],
  ['npx.cmd', ['server@1.2']],
  ['uvx', ['mcp-server-git']],
  ['uvx', ['--from', 'mcp-server>=1', 'mcp-server']],
  ['bunx', ['server@next']],
];
const FIXED: readonly (readonly [string, readonly string[]])[] = [
  ['npx', ['-y', '@scope/server@1.2.3', '/data']],
  ['npx', ['--package', 'server@2026.8.31', 'bin']],
  ['uvx', ['mcp-server-git==2.1.0']],
  ['uvx', ['--from', 'mcp-server-git@2.1.0', 'mcp-server-git']],
  ['npx', ['./server']],
  ['node', ['server.mjs']],
  ['server', []],
];

test('T31 npx and uvx without an exact version are warned of, with how to name one', () => {
  for (const [command, args] of LOOSE) {
    assert.match(unpinned(run(command, args)) ?? '', /runs whatever version of .* was published last/, args.join(' '));
  }
  for (const [command, args] of FIXED) assert.equal(unpinned(run(command, args)), undefined, args.join(' '));
  assert.match(unpinned(run('uvx', ['a-server'])) ?? '', /a-server==1\.2\.3/);
  assert.equal(unpinned({ type: 'share', token: 'x' }), undefined);
});

test('T31 the version and the entry file of a package that npx finds are kept, and another file is another program', async () => {
  const home = await mkdtemp(join(tmpdir(), 'programs-'));
  try {
    const spec = '@scope/server@latest';
    const asked = createHash('sha512').update(spec).digest('hex').slice(0, 16);
    const folder = join(home, '.npm', '_npx', asked, 'node_modules', '@scope', 'server');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'package.json'), JSON.stringify({ version: '3.2.1', bin: { server: 'main.js' } }));
    await writeFile(join(folder, 'main.js'), 'one');
    const transport = run('npx', ['-y', spec], home);
    const first = await programOf(transport, { HOME: home });
    assert.equal(first?.package, '@scope/server@3.2.1');
    assert.equal(first?.file, `sha256:${createHash('sha256').update('one').digest('hex')}`);
    await writeFile(join(folder, 'main.js'), 'two');
    const second = await programOf(transport, { HOME: home });
    assert.ok(first && second && !sameProgram(first, second));
    // Nothing there yet: what was asked for is what is known.
    const other = await programOf(run('npx', ['-y', 'none'], home), { HOME: home });
    assert.deepEqual([other?.package, other?.file], ['none', undefined]);
    // A script, and a program of PATH.
    await writeFile(join(home, 's.mjs'), 'one');
    assert.equal((await programOf(run('node', ['--flag', 's.mjs'], home), {}))?.file, first?.file);
    await writeFile(join(home, 'tool'), 'one');
    assert.equal((await programOf(run('tool', [], home), { PATH: home }))?.file, first?.file);
    assert.equal((await programOf(run('missing', [], home), { PATH: home }))?.file, undefined);
  } finally {
    await rm(home, { recursive: true });
  }
});

test('T31 the version and the digest of a package that uvx finds are kept: an installed tool, else the newest of its cache', async () => {
  const home = await mkdtemp(join(tmpdir(), 'programs-'));
  try {
    const tools = join(home, '.local', 'share', 'uv', 'tools', 'mcp-server-git');
    const cache = join(home, '.cache', 'uv', 'environments-v2', 'cpython');
    const put = async (environment: string, version: string, ...hashes: string[]) => {
      const folder = join(environment, 'lib', 'python3.12', 'site-packages', `mcp_server_git-${version}.dist-info`);
      await mkdir(folder, { recursive: true });
      const lines = hashes.map((hash, at) => `mcp_server_git/m${at}.py,sha256=${hash},12`);
      // What the installation adds is of this place.
      const added = [
        `../../../bin/mcp-server-git,sha256=${environment.length}x,1`,
        'mcp_server_git.dist-info/RECORD,,',
      ];
      await writeFile(join(folder, 'RECORD'), [...lines, ...added].join('\n'));
    };
    const env = { HOME: home };
    const of = (...args: string[]) => programOf(run('uvx', args, home), env);
    assert.deepEqual(
      [(await of('mcp-server-git'))?.package, (await of('mcp-server-git'))?.file],
      ['mcp-server-git', undefined],
    );
    await put(join(cache, 'one'), '1.0.0', 'aaa', 'bbb');
    const first = await of('mcp-server-git');
    assert.equal(first?.package, 'mcp-server-git==1.0.0');
    assert.match(first?.file ?? '', /^sha256:[0-9a-f]{64}$/);
    await put(join(cache, 'two'), '1.1.0', 'aaa', 'ccc');
    assert.equal((await of('mcp-server-git@latest'))?.package, 'mcp-server-git==1.1.0');
    assert.equal((await of('mcp-server-git==1.0.0'))?.file, first?.file);
    assert.equal((await of('--from', 'mcp_server.git[x]>=1', 'mcp-server-git'))?.package, 'mcp_server.git==1.1.0');
    // An installed tool goes first, but for the latest; the same package in another place is the same program.
    await put(tools, '1.0.0', 'aaa', 'bbb');
    const installed = await of('mcp-server-git');
    assert.ok(first && installed && sameProgram(first, installed));
    assert.equal((await of('mcp-server-git@latest'))?.package, 'mcp-server-git==1.1.0');
    await put(tools, '1.0.0', 'aaa', 'changed');
    const changed = await of('mcp-server-git');
    assert.ok(changed && !sameProgram(installed, changed));
    assert.equal(
      (
        await programOf(run('uvx', ['mcp-server-git'], home), {
          HOME: home,
          UV_TOOL_DIR: '/none',
          UV_CACHE_DIR: '/none',
        })
      )?.file,
      undefined,
    );
  } finally {
    await rm(home, { recursive: true });
  }
});
