// Real walls around real processes. Where bubblewrap, prlimit or setpriv is not installed the test says so and is skipped.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { RelayError } from '../../../../src/errors.ts';
import { processesWith, untilNoneWith } from '../../../../src/testing/scripted-server.ts';
import { Sandbox } from '../../../../src/transports/child/sandbox/sandbox.ts';
import { findSandboxTools, NO_TOOLS } from '../../../../src/transports/child/sandbox/tools.ts';
import type { SandboxWish } from '../../../../src/transports/child/sandbox/wish.ts';
import { host } from '../harness.ts';

const LOOKER = fileURLToPath(new URL('./looker.mjs', import.meta.url));
const tools = await findSandboxTools();
const needs = (...names: (keyof typeof tools)[]) => {
  const [name] = names.filter((one) => tools[one].path === undefined);
  return name === undefined ? {} : { skip: `${name} ${tools[name].trouble}: nothing is tested here` };
};

interface Looked extends AsyncDisposable {
  /** What the code returned, or the code of its error. */
  run(code: string): Promise<unknown>;
  readonly marker: string;
  readonly child: ReturnType<typeof host>['child'];
  readonly closed: ReturnType<typeof host>['closed'];
}

async function looker(
  wish: SandboxWish,
  more: { hidden?: string[]; cwd?: string; args?: string[]; env?: Record<string, string> } = {},
): Promise<Looked> {
  const marker = `looker-${randomBytes(8).toString('hex')}`;
  const [command, args] = [process.execPath, [LOOKER, ...(more.args ?? []), marker]];
  const sandbox = await new Sandbox({ hidden: more.hidden ?? [] }).wrap(wish, {
    name: 'looker',
    command,
    args,
    env: { PATH: process.env.PATH ?? '' },
    cwd: more.cwd,
  });
  const { cwd, env = {} } = more;
  const hosted = host({ command, args, marker, sandbox, env, ...(cwd === undefined ? {} : { cwd }) });
  return {
    marker,
    child: hosted.child,
    closed: hosted.closed,
    async run(code) {
      const { result } = await hosted.request('run', { code });
      return result?.failed ?? result?.value;
    },
    [Symbol.asyncDispose]: () => hosted[Symbol.asyncDispose](),
  };
}

function folder(): Disposable & { readonly path: string } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'sandbox-')));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

const WRITE = (path: string) => `fs.writeFileSync(${JSON.stringify(path)}, 'x'); return 'written'`;
const READ = (path: string) => `return fs.readFileSync(${JSON.stringify(path)}, 'utf8')`;

describe('walls', () => {
  test('without a wish the child is started as it is', async () => {
    await using server = await looker('none');
    assert.deepEqual(processesWith(server.marker), [server.child.pid]);
  });

  test(
    'strict: it sees no process but its own, none of our environment, and cannot write outside of its folder and /tmp',
    needs('bwrap'),
    async () => {
      using own = folder();
      const home = join(homedir(), `.sandbox-${randomBytes(6).toString('hex')}`);
      await using server = await looker('strict', { cwd: own.path });
      const seen = await server.run(`return fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length`);
      assert.ok(Number(seen) <= 3, `${seen} processes are seen`);
      assert.equal(await server.run(`return fs.existsSync('/proc/${process.pid}/environ')`), false);
      assert.equal(await server.run(WRITE(home)), 'EROFS');
      assert.equal(await server.run(WRITE('/etc/sandboxed')), 'EROFS');
      assert.equal(await server.run(WRITE(join(own.path, 'mine'))), 'written');
      assert.ok(existsSync(join(own.path, 'mine')));
      assert.equal(await server.run('return process.cwd()'), own.path);
      assert.ok(!existsSync(home));
    },
  );

  test('strict: /tmp is its own, empty at first, and gone with it', needs('bwrap'), async () => {
    using outside = folder();
    writeFileSync(join(outside.path, 'secret'), 'of another');
    await using server = await looker('strict');
    assert.equal(await server.run(READ(join(outside.path, 'secret'))), 'ENOENT');
    const name = `/tmp/left-${randomBytes(6).toString('hex')}`;
    assert.equal(await server.run(WRITE(name)), 'written');
    assert.ok(!existsSync(name));
  });

  test(
    'strict: folders of ours are empty for it, and sockets of the machine are out of its reach',
    needs('bwrap'),
    async () => {
      using keys = folder();
      writeFileSync(join(keys.path, 'token-key'), 'private');
      const away = join(homedir(), `.keys-${randomBytes(6).toString('hex')}`);
      mkdirSync(away);
      writeFileSync(join(away, 'token-key'), 'private');
      try {
        await using server = await looker('strict', { hidden: [away, keys.path, '/not/there'] });
        assert.equal(await server.run(READ(join(away, 'token-key'))), 'ENOENT');
        assert.deepEqual(await server.run(`return fs.readdirSync(${JSON.stringify(away)})`), []);
        assert.deepEqual(
          await server.run(
            `return fs.readdirSync('/run').filter((name) => !/^(systemd|resolvconf|NetworkManager|nscd|current-system)$/.test(name))`,
          ),
          [],
        );
      } finally {
        rmSync(away, { recursive: true });
      }
    },
  );

  test(
    'a folder that may be written shows nothing of ours in it either, and no file of ours can be read',
    needs('bwrap'),
    async () => {
      using all = folder();
      const [keys, config] = [join(all.path, 'keys'), join(all.path, 'gateway.yml')];
      mkdirSync(keys);
      writeFileSync(join(keys, 'token-key'), 'private');
      writeFileSync(config, 'secrets of others');
      await using server = await looker({ write: [all.path] }, { hidden: [keys, config] });
      assert.equal(await server.run(WRITE(join(all.path, 'mine'))), 'written');
      assert.equal(await server.run(READ(join(keys, 'token-key'))), 'ENOENT');
      assert.equal(await server.run(READ(config)), 'EACCES');
      assert.equal(readFileSync(config, 'utf8'), 'secrets of others');
    },
  );

  test('network: false leaves it nobody to talk to, not even on this machine', needs('bwrap'), async () => {
    const listener = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
    await new Promise((resolve) => listener.once('listening', resolve));
    const { port } = listener.address() as { port: number };
    const connect = `return new Promise((resolve, reject) => net.connect(${port}, '127.0.0.1').on('connect', () => resolve('connected')).on('error', reject))`;
    try {
      await using open = await looker({ network: true });
      assert.equal(await open.run(connect), 'connected');
      await using shut = await looker({ network: false });
      assert.equal(await shut.run(connect), 'ECONNREFUSED');
      assert.deepEqual(await shut.run('return Object.keys(os.networkInterfaces())'), ['lo']);
    } finally {
      listener.close();
    }
  });

  test(
    'named folders: it sees the system and these, writes only where it may, and nothing of anybody’s home',
    needs('bwrap'),
    async () => {
      using shown = folder();
      using own = folder();
      using other = folder();
      writeFileSync(join(shown.path, 'data'), 'to be read');
      const program = fileURLToPath(new URL('.', import.meta.url));
      await using server = await looker({ read: [shown.path, program], write: [own.path] });
      assert.equal(await server.run(READ(join(shown.path, 'data'))), 'to be read');
      assert.equal(await server.run(WRITE(join(shown.path, 'data'))), 'EROFS');
      assert.equal(await server.run(WRITE(join(own.path, 'mine'))), 'written');
      assert.equal(await server.run(`return fs.existsSync(${JSON.stringify(other.path)})`), false);
      assert.equal(await server.run(`return fs.existsSync('/root') || fs.existsSync('/home')`), false);
      assert.equal(await server.run('return process.cwd()'), '/');
    },
  );

  test(
    'end: a server that is deaf to the end of its input gets SIGTERM and its time, as without walls',
    needs('bwrap'),
    async () => {
      using own = folder();
      const words = join(own.path, 'words');
      await using server = await looker('strict', {
        cwd: own.path,
        args: ['--deaf-to-eof'],
        env: { LAST_WORDS: words },
      });
      await server.run('return 1');
      await server.child.close();
      assert.equal(readFileSync(words, 'utf8'), 'ended in order');
      assert.deepEqual(processesWith(server.marker), []);
    },
  );

  test(
    'end: what it started in a session of its own with a wiped environment ends with it',
    needs('bwrap'),
    async () => {
      await using server = await looker('strict');
      const start = `child_process.spawn('setsid', ['sh', '-c', 'trap "" TERM HUP; sleep 600; : ${server.marker}'], { env: {}, detached: true, stdio: 'ignore' }).unref(); return 1`;
      await server.run(start);
      assert.ok(processesWith(server.marker).length >= 3);
      // It dies by itself: nobody looked at its family before.
      process.kill(Math.max(...processesWith(server.marker).filter((pid) => isServer(pid))), 'SIGKILL');
      await server.closed;
      await untilNoneWith(server.marker);
    },
  );

  test('a server that meets a wall and dies says so in its reason', needs('bwrap'), async () => {
    await using server = await looker('strict');
    void server.run(`console.error('Error: EROFS: read-only file system, open /etc/x'); process.exit(1)`);
    const { code, reason } = await server.closed;
    assert.equal(code, 'child_exited');
    assert.match(reason, /EROFS.*\(it runs in a sandbox: sandbox\.read and sandbox\.write/);
  });
});

function isServer(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith(process.execPath);
}

describe('limits', () => {
  test('memory and files are limits of the process, and walls are not needed for them', needs('prlimit'), async () => {
    await using server = await looker({ memoryBytes: 256 * 1024 * 1024, files: 77 });
    const limits = String(await server.run(READ('/proc/self/limits')));
    assert.match(limits, /Max data size +268435456 +268435456/);
    assert.match(limits, /Max open files +77 +77/);
    assert.deepEqual(processesWith(server.marker), [server.child.pid]);
  });

  test('one that takes more memory than it may dies, and nobody else', needs('prlimit'), async () => {
    await using server = await looker({ memoryBytes: 192 * 1024 * 1024 });
    void server.run(`globalThis.kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1))`).catch(() => {});
    assert.equal((await server.closed).code, 'child_exited');
  });

  test('the number of processes is a limit of the sandbox', needs('bwrap', 'prlimit'), async () => {
    await using server = await looker({ processes: 40 });
    assert.match(String(await server.run(READ('/proc/self/limits'))), /Max processes +40 +40/);
  });

  test(
    'a fork bomb ends at that number, whatever else its user runs',
    process.getuid?.() === 0 ? { skip: 'root is not held by it: run as somebody else' } : needs('bwrap', 'prlimit'),
    async () => {
      await using server = await looker({ processes: 60 });
      const forks = await server.run(`
        const all = [];
        try {
          for (let n = 0; n < 120; n += 1) {
            const child = child_process.spawn('sleep', ['60'], { stdio: 'ignore' });
            child.on('error', () => {});
            if (child.pid === undefined) break;
            all.push(child);
          }
        } catch {}
        for (const child of all) child.kill('SIGKILL');
        return all.length;
      `);
      assert.ok(Number(forks) > 10 && Number(forks) < 60, `${forks} processes`);
    },
  );
});

describe('what is not there', () => {
  const start = { name: 'server', command: process.execPath, args: ['-e', ''], env: { PATH: '/usr/bin' } };
  const without = (...names: (keyof typeof tools)[]) =>
    new Sandbox({
      tools: async () => ({ ...tools, ...Object.fromEntries(names.map((name) => [name, NO_TOOLS[name]])) }),
    });

  test('strict refuses to start and names the package to install', async () => {
    await assert.rejects(without('bwrap').wrap('strict', start), (error: RelayError) => {
      assert.equal(error.code, 'child_start_failed');
      assert.match(error.message, /its sandbox needs bwrap \(package bubblewrap\), which is not there/);
      assert.match(error.hint ?? '', /install bubblewrap/);
      return true;
    });
    await assert.rejects(without('prlimit').wrap({ memoryBytes: 1 }, start), /needs prlimit/);
    await assert.rejects(without('bwrap').wrap({ network: false }, start), /needs bwrap/);
  });

  test('auto takes what is left: the end with us by setpriv, then nothing, and says what is missing', async () => {
    const less = await without('bwrap').wrap('auto', start);
    assert.match(less?.missing.join() ?? '', /no walls \(bwrap is not there\)/);
    const nothing = await without('bwrap', 'setpriv').wrap('auto', start);
    assert.deepEqual([nothing?.command, nothing?.args, nothing?.kind], [process.execPath, ['-e', ''], 'plain']);
    assert.match(nothing?.missing.join() ?? '', /setpriv is not there/);
  });

  test('what is hidden is hidden in the folders of the system too, and in a common /tmp, where folders are named', async () => {
    using keys = folder();
    const [system, shown] = [realpathSync('/etc/passwd'), realpathSync('/usr/share')];
    const bwrap = { path: '/usr/bin/bwrap', trouble: undefined, sizes: true };
    const sandbox = new Sandbox({
      hidden: [system, shown, keys.path],
      tools: async () => ({ ...NO_TOOLS, bwrap }),
    });
    const plan = await sandbox.wrap({ read: [fileURLToPath(new URL('.', import.meta.url))], tmp: 'shared' }, start);
    const line = plan?.args.join(' ') ?? '';
    for (const place of [`--ro-bind /dev/null ${system}`, `--tmpfs ${shown}`, `--tmpfs ${keys.path}`]) {
      assert.ok(line.includes(`${place} `), place);
    }
  });

  test('what is hidden in a folder is hidden where a link names that folder', async () => {
    using all = folder();
    const [real, link] = [join(all.path, 'real'), join(all.path, 'link')];
    mkdirSync(join(real, 'keys'), { recursive: true });
    symlinkSync(real, link);
    const bwrap = { path: '/usr/bin/bwrap', trouble: undefined, sizes: true };
    const sandbox = new Sandbox({ hidden: [join(real, 'keys')], tools: async () => ({ ...NO_TOOLS, bwrap }) });
    for (const [kind, wish] of [
      ['--ro-bind', { read: [link] }],
      ['--bind', { write: [link] }],
    ] as const) {
      const line = (await sandbox.wrap(wish, start))?.args.join(' ') ?? '';
      const [shown, hidden] = [`${kind} ${link} ${link} `, `--tmpfs ${join(link, 'keys')} `].map((part) =>
        line.lastIndexOf(part),
      );
      assert.ok(Number(shown) > 0 && Number(hidden) > Number(shown), line);
    }
  });

  test('a command, a folder or a named path that is not there is said as such', async () => {
    const sandbox = new Sandbox();
    await assert.rejects(
      sandbox.wrap('auto', { ...start, command: 'no-such-server' }),
      /"no-such-server" was not found/,
    );
    await assert.rejects(
      sandbox.wrap('auto', { ...start, cwd: '/not/there' }),
      /working folder \/not\/there is not there/,
    );
    await assert.rejects(sandbox.wrap({ write: ['/not/there'] }, start), /\/not\/there, which its sandbox names/);
  });
});

test('without walls it still gains no rights and ends with us', needs('setpriv'), async () => {
  const marker = `looker-${randomBytes(8).toString('hex')}`;
  const [command, args] = [process.execPath, [LOOKER, marker]];
  const sandbox = await new Sandbox({ tools: async () => ({ ...tools, bwrap: NO_TOOLS.bwrap }) }).wrap('auto', {
    ...{ name: 'looker', command, args },
    env: { PATH: process.env.PATH ?? '' },
  });
  await using server = host({ command, args, marker, sandbox });
  const { result } = await server.request('run', { code: READ('/proc/self/status') });
  assert.match(String(result?.value), /NoNewPrivs:\s+1/);
  assert.deepEqual(processesWith(marker), [server.child.pid]);
});
