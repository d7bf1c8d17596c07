import assert from 'node:assert/strict';
import { readdirSync, realpathSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { processesWith, untilNoneWith } from '../../../src/testing/scripted-server.ts';
import { OWNER_VARIABLE } from '../../../src/transports/child/processes.ts';
import { host } from './harness.ts';

test('messages go both ways and an orderly end is told once with our reason', async () => {
  await using server = host();
  const { result } = await server.request('initialize', { protocolVersion: '2025-11-25' });
  assert.equal(result?.protocolVersion, '2025-11-25');
  assert.equal((await server.call('echo', { nonce: 'n1' })).nonce, 'n1');
  await Promise.all([
    server.child.close({ code: 'away', reason: 'restart' }),
    server.child.close(),
    server.child.close(),
  ]);
  assert.deepEqual(server.closings, [{ code: 'away', reason: 'restart' }]);
  assert.deepEqual(await server.child.exited, { code: 0, signal: null });
  assert.deepEqual(processesWith(server.marker), []);
});

test('a child sees the safe names, what was declared, our mark, and nothing else', async () => {
  process.env.CANARY_OF_OURS = 'canary-value';
  try {
    await using server = host({ env: { DECLARED: 'yes' } });
    const { env } = await server.call('env');
    const expected = ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER'].filter(
      (name) => process.env[name] !== undefined,
    );
    assert.deepEqual(Object.keys(env).sort(), ['DECLARED', OWNER_VARIABLE, ...expected].sort());
    assert.doesNotMatch(JSON.stringify(env), /canary-value/);
  } finally {
    delete process.env.CANARY_OF_OURS;
  }
});

test('a child runs in the folder it was given', async () => {
  const folder = realpathSync(await mkdtemp(join(tmpdir(), 'child-')));
  try {
    await using server = host({ cwd: folder });
    assert.equal((await server.call('env')).cwd, folder);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('what cannot start is told by name, with the remedy, and apart from each other', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'child-'));
  const script = join(folder, 'script');
  await writeFile(script, '#!/no/such/interpreter\n');
  const cases: [object, RegExp][] = [
    [
      { command: 'no-such-command-here' },
      /^scripted did not start: the command "no-such-command-here" was not found \(install it.*PATH \(searched: /,
    ],
    [{ command: './no-such-file', cwd: folder }, new RegExp(`the file ${folder}/no-such-file is not there`)],
    [{ cwd: join(folder, 'missing') }, new RegExp(`its working folder ${folder}/missing is not there`)],
    [{ command: script }, /script may not be executed \(chmod/],
  ];
  try {
    for (const [options, message] of cases) {
      await using server = host({ ...options, args: [] });
      await assert.rejects(server.child.started, { name: 'RelayError', code: 'child_start_failed' });
      const { code, reason } = await server.closed;
      assert.equal(code, 'child_start_failed');
      assert.match(reason, message);
      assert.equal(server.child.pid, undefined);
      assert.deepEqual(await server.child.exited, { code: null, signal: null });
    }
    await chmod(script, 0o700);
    await using server = host({ command: script, args: [] });
    assert.match((await server.closed).reason, /the interpreter that .*script names is not there/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('arguments the system refuses are a failed start too, not an exception', async () => {
  await using tooLong = host({ args: ['x'.repeat(4 * 1024 * 1024)] });
  assert.match((await tooLong.closed).reason, /arguments and environment are too long/);
  await using withNul = host({ args: ['a\0b'] });
  assert.equal((await withNul.closed).code, 'child_start_failed');
});

test('an exit is told with its code and the telling line of stderr', async () => {
  await using server = host({
    script: { atStart: [{ do: 'die', code: 3, stderr: 'Error: no database\nNode.js v20.0.0' }] },
  });
  assert.deepEqual(await server.closed, {
    code: 'child_exited',
    reason: 'scripted exited with code 3: Error: no database',
  });
  assert.match(server.child.stderrTail(), /no database/);
  assert.ok(server.stderr.includes('[scripted] Error: no database'));
});

test('an exit with 0 and a death by signal are told as such', async () => {
  await using zero = host({ script: { atStart: [{ do: 'die', code: 0 }] } });
  assert.equal((await zero.closed).reason, 'scripted exited with code 0');
  await using killed = host({ script: { atCall: { 2: [{ do: 'die', signal: 'SIGKILL' }] } } });
  await killed.call('echo');
  void killed.request('tools/call', { name: 'echo' });
  assert.equal((await killed.closed).reason, 'scripted was killed by SIGKILL');
});

test('what a child said before it died arrives before the news of its death', async () => {
  await using server = host({
    script: {
      atStart: [
        { do: 'log', count: 300 },
        { do: 'die', code: 0 },
      ],
    },
  });
  await server.closed;
  assert.equal(server.messages.length, 300);
});

test('an owner that is paused, or has not started yet, loses nothing of a dead child', async () => {
  await using server = host({
    script: {
      atStart: [
        { do: 'log', count: 50 },
        { do: 'die', code: 0 },
      ],
    },
  });
  await using late = host({
    start: false,
    script: {
      atStart: [
        { do: 'log', count: 50 },
        { do: 'die', code: 0 },
      ],
    },
  });
  server.child.pause();
  await Promise.all([server.child.exited, late.child.exited]);
  // The whole life of another child: time for everything that wrongly happens by itself.
  await using other = host();
  await other.call('echo');
  await other.child.close();
  assert.deepEqual([server.closings, server.messages], [[], []]);
  server.child.resume();
  late.begin();
  assert.equal((await server.closed).code, 'child_exited');
  assert.equal((await late.closed).code, 'child_exited');
  assert.deepEqual([server.messages.length, late.messages.length], [50, 50]);
});

test('writing to a dying child costs none of its last words', async () => {
  await using server = host({
    script: {
      atStart: [
        { do: 'log', count: 50 },
        { do: 'die', code: 0 },
      ],
      startDelayMs: 50,
    },
  });
  server.child.pause();
  await server.child.exited;
  for (let n = 0; n < 100; n += 1) {
    server.child.send({ kind: 'notification', id: undefined, method: 'x', bytes: Buffer.alloc(10_000, '"') });
    await new Promise((resolve) => setImmediate(resolve));
  }
  server.child.resume();
  assert.equal((await server.closed).reason, 'scripted exited with code 0');
  assert.equal(server.messages.length, 50);
});

test('a close ends the wait for an owner that never started', async () => {
  await using server = host({
    start: false,
    script: {
      atStart: [
        { do: 'log', count: 5 },
        { do: 'die', code: 0 },
      ],
    },
  });
  await server.child.exited;
  await server.child.close();
});

test('a child that closes its output is over, even if it goes on living', async () => {
  await using server = host({ script: { ignoreEof: true }, stop: { eofMs: 100, termMs: 1000 } });
  void server.act({ do: 'close_stdout' });
  const { code, reason } = await server.closed;
  assert.equal(code, 'child_exited');
  assert.match(reason, /closed its output and was ended/);
  await untilNoneWith(server.marker);
});

test('stray lines are faults, shown and survived', async () => {
  await using server = host();
  await server.act(
    ...['non_json', 'partial_json', 'not_json_rpc', 'batch', 'invalid_utf8', 'nul', 'bom'].map((kind) => ({
      do: 'garbage',
      kind,
    })),
  );
  assert.equal((await server.call('echo', { nonce: 'alive' })).nonce, 'alive');
  assert.ok(server.faults.length >= 5);
  assert.ok(server.logged.includes('stray output'));
});

test('a flood of stray lines quarantines the child', async () => {
  await using server = host({ limits: { strayLines: 100 } });
  void server.act({ do: 'flood', lines: 0, text: 'debug: working' });
  const { code, reason } = await server.closed;
  assert.equal(code, 'child_flooded');
  assert.match(reason, /scripted wrote more than 100 lines or 1048576 bytes to stdout within 10 s/);
  await untilNoneWith(server.marker);
});

test('a stray line without end is skipped and quarantines the child when it ends', async () => {
  const bytes = process.env.TEST_LONG ? 2 ** 30 : 2 ** 25;
  await using server = host();
  void server.act({ do: 'garbage', kind: 'huge_line', bytes });
  assert.equal((await server.closed).code, 'child_flooded');
});

test('a flood on stderr neither stops the answers nor fills the memory', async () => {
  await using server = host({ script: { atStart: [{ do: 'print', stream: 'stderr', text: 'first words' }] } });
  void server.act({ do: 'flood', stream: 'stderr', lines: 0, text: 'x'.repeat(100) });
  assert.equal((await server.call('echo', { nonce: 'through' })).nonce, 'through');
  assert.ok(server.child.stderrTail().length <= 64 * 1024);
  assert.ok(server.stderr.length <= 210);
});

test('a server that drips byte by byte is understood', async () => {
  await using server = host({ script: { drip: true } });
  assert.equal((await server.call('echo', { nonce: 'ä☃' })).nonce, 'ä☃');
});

test('sending after the end is dropped without a word', async () => {
  await using server = host();
  await server.child.close();
  assert.equal(server.child.send({ kind: 'notification', id: undefined, method: 'x', bytes: Buffer.from('{}') }), true);
  await server.child.drained();
});

test('a hundred lives leave no descriptor, process or timer behind', async () => {
  await using first = host({ command: '/bin/cat', args: [] });
  const life = async () => {
    const cat = host({ command: '/bin/cat', args: [], watcher: first.watcher });
    await cat.child.started;
    await cat.child.close();
  };
  const count = () => readdirSync('/proc/self/fd').length + process.getActiveResourcesInfo().length;
  await life();
  const before = count();
  for (let n = 0; n < 10; n += 1) await Promise.all(Array.from({ length: 10 }, () => life()));
  await new Promise((resolve) => setImmediate(resolve));
  // Fewer is fine: what earlier tests left to be closed is closed by now.
  assert.ok(count() <= before, `${count()} > ${before}`);
});
