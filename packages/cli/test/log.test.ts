import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, symlink, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openLog } from '../src/log.ts';
import { prettyLine } from '../src/pretty.ts';

async function tempFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'cli-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

test('a log file is made for its owner alone and holds a JSON record a line', async () => {
  await using folder = await tempFolder();
  const file = join(folder.path, 'log');
  const log = openLog({ program: 'test', file });
  log.debug({ a: 1 }, 'not shown');
  log.info({ backend: 'fs' }, 'backend up');
  log.child({ session: 2 }).warn({}, 'slow');
  const records = (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    records.map(({ level, program, backend, session, msg }) => ({ level, program, backend, session, msg })),
    [
      { level: 30, program: 'test', backend: 'fs', session: undefined, msg: 'backend up' },
      { level: 40, program: 'test', backend: undefined, session: 2, msg: 'slow' },
    ],
  );
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test('a log file that cannot be opened is wrong use, with its path and the reason', async () => {
  await using folder = await tempFolder();
  for (const [file, reason] of [
    [join(folder.path, 'absent', 'log'), /^the log file cannot be opened: ENOENT: .*absent\/log/],
    [folder.path, /^the log file cannot be opened: EISDIR: /],
  ] as const) {
    const message = reason;
    assert.throws(() => openLog({ program: 'test', file }), { code: 'usage', message, hint: /must exist/ });
  }
});

const onLinux = process.platform === 'linux' ? {} : { skip: '/dev/full is a file of Linux' };

test('a full disk stops nobody', onLinux, async () => {
  await using folder = await tempFolder();
  const file = join(folder.path, 'log');
  await symlink('/dev/full', file);
  const log = openLog({ program: 'test', file });
  for (let n = 0; n < 1000; n += 1) log.error({ n }, 'cannot be written');
  await unlink(file);
});

test('a stderr that nobody reads holds nobody, and what was lost is said once it is read again', async () => {
  const log = JSON.stringify(fileURLToPath(new URL('../src/log.ts', import.meta.url)));
  const text = `import { openLog } from ${log};
    const log = openLog({ program: 'p' });
    for (let n = 0; n < 20000; n += 1) log.info({ n, pad: 'x'.repeat(200) }, 'line');
    process.stdout.write('went on\\n');
    process.stdin.once('data', () => { log.info({}, 'after'); process.stdin.destroy(); });`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', text], { stdio: 'pipe' });
  try {
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    assert.equal(said.toString(), 'went on\n');
    let all = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      all += chunk;
    });
    // Its backlog has passed when a line that it wrote last before the gap is here.
    while (!all.endsWith('\n') || all.length < 256 * 1024) await once(child.stderr, 'data');
    child.stdin.write('go on\n');
    await once(child, 'close');
    const records = all
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { n?: number; lost?: number; msg: string });
    const lines = records.filter(({ msg }) => msg === 'line').length;
    const [{ lost = 0 } = {}, last] = records.slice(-2);
    assert.equal(last?.msg, 'after');
    assert.equal(lines + lost, 20_000);
  } finally {
    child.kill('SIGKILL');
  }
});

test('silent says nothing', async () => {
  await using folder = await tempFolder();
  const file = join(folder.path, 'log');
  openLog({ program: 'test', file, level: 'silent' }).error({}, 'never');
  assert.equal(await readFile(file, 'utf8').catch(() => ''), '');
});

test('a record for a person: time, level, event, fields, its hint on a line of its own', () => {
  const record = {
    level: 40,
    time: '2026-01-02T03:04:05.678Z',
    pid: 1,
    program: 'p',
    backend: 'fs',
    why: 'two words',
    msg: 'failed',
  };
  assert.equal(prettyLine(JSON.stringify(record)), '03:04:05.678 warn  failed backend=fs why="two words"\n');
  assert.equal(
    prettyLine(JSON.stringify({ ...record, hint: 'start it' })),
    '03:04:05.678 warn  failed backend=fs why="two words"\n  start it\n',
  );
});

test('a record cannot steer the terminal of who reads it', () => {
  const record = { level: 30, time: '2026-01-02T03:04:05.678Z', line: '\u001b[31mred\r\nforged 03:04', msg: 'stderr' };
  const line = prettyLine(JSON.stringify(record));
  assert.equal(line.split('\n').length, 2);
  assert.ok(!line.includes('\u001b'));
});
