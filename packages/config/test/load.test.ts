import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ConfigError, loadGatewayConfig, parseBridgeEnv } from '../src/index.ts';

async function openFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-config-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

const around = (cwd: string) => ({ env: { HOME: '/home/ann' }, cwd });

test('a file is read, and its relative paths begin beside it', async () => {
  await using place = await openFolder();
  await mkdir(join(place.folder, 'sub'));
  const text = 'log_file: x.log\nbackends: [{ id: a, transport: { type: stdio, command: ./s } }]\n';
  await writeFile(join(place.folder, 'sub/g.yml'), text);
  const { config, notes } = await loadGatewayConfig('sub/g.yml', around(place.folder));
  assert.equal(config.file, join(place.folder, 'sub/g.yml'));
  assert.equal(config.logFile, join(place.folder, 'sub/x.log'));
  assert.equal(config.digest, `sha256:${createHash('sha256').update(text).digest('hex')}`);
  assert.equal(notes[0]?.text.startsWith('sub/g.yml:'), true);
});

const BAD: readonly (readonly [string, (path: string) => Promise<unknown>, string])[] = [
  ['a missing file', async () => {}, 'no such file'],
  ['a folder', (path) => mkdir(path), 'expected a file (got a folder)'],
  ['a circle of links', (path) => symlink(path, path), 'its symbolic links go round in a circle'],
  ['2 MB', (path) => writeFile(path, 'x'.repeat(2_000_000)), 'expected at most 1024 KiB (got more)'],
  ['a device without end', (path) => symlink('/dev/zero', path), 'expected at most 1024 KiB (got more)'],
  ['300 KB of YAML', (path) => writeFile(path, '#'.repeat(300_000)), 'expected at most 256 KiB of YAML (got 293 KiB)'],
  ['an empty file', (path) => writeFile(path, ''), 'expected a configuration (got an empty file)'],
  [
    'Latin-1',
    (path) => writeFile(path, Buffer.from('a: b\nname: caf\xe9\n', 'latin1')),
    ':2:10: expected UTF-8 text (got bytes that are not)',
  ],
  [
    'UTF-16',
    (path) => writeFile(path, '\ufeffa: b\n', 'utf16le'),
    ':1:1: expected UTF-8 text (got bytes that are not)',
  ],
];

for (const [title, make, expected] of BAD) {
  test(`${title} instead of a file is refused by name`, async () => {
    await using place = await openFolder();
    const path = join(place.folder, 'g.yml');
    await make(path);
    await assert.rejects(loadGatewayConfig(path, around('/')), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.code, 'config_invalid');
      assert.equal(error.message, `${path}${expected.startsWith(':') ? '' : ': '}${expected}`);
      return true;
    });
  });
}

test('a file that may not be read is refused by name', {
  skip: process.getuid?.() === 0 && 'root reads everything',
}, async () => {
  await using place = await openFolder();
  const path = join(place.folder, 'g.yml');
  await writeFile(path, 'a: b');
  await chmod(path, 0);
  await assert.rejects(loadGatewayConfig(path, around('/')), { message: `${path}: not allowed to read it` });
});

test('a path with a NUL is refused as any other', async () => {
  await assert.rejects(loadGatewayConfig('a\0b', around('/')), ConfigError);
});

test('K=V sets a variable of the bridge’s server, K passes ours on', () => {
  const env = { OURS: 'x', EMPTY: '' };
  assert.deepEqual(parseBridgeEnv(['A=b=c', 'B=', 'OURS', 'EMPTY', 'A=last'], env), {
    A: 'last',
    B: '',
    OURS: 'x',
    EMPTY: '',
  });
  assert.deepEqual(Object.keys(parseBridgeEnv(['__proto__=x'], env)), ['__proto__']);
});

test('a variable that is not set, or has no name, is refused without its value', () => {
  assert.throws(() => parseBridgeEnv(['NOPE'], {}), {
    name: 'ConfigError',
    message: '--env: variable NOPE is not set',
    hint: 'set it, or write --env NOPE=VALUE',
  });
  assert.throws(() => parseBridgeEnv(['=hunter2'], {}), {
    message: '--env: expected K=V or K (got a value without a name)',
  });
  assert.throws(
    () => parseBridgeEnv(['A B=hunter2'], {}),
    (error: Error) => !error.message.includes('hunter2'),
  );
  assert.throws(() => parseBridgeEnv(['constructor'], {}), ConfigError);
});
