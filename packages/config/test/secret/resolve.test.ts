// Reading secrets where references say, and every way in which that fails.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chown } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import test from 'node:test';
import { parseSecretReference, type ResolveOptions, resolveSecret, SecretError } from '../../src/index.ts';
import { tempFolder } from './folder.ts';

const CANARY = 'c4n4ry-9f2e7b1d';
const PATH = process.env.PATH;

async function read(text: string, options: Partial<ResolveOptions> = {}): Promise<string> {
  const reference = parseSecretReference(text);
  assert.ok(reference, `no reference: ${text}`);
  const secret = await resolveSecret(reference, { env: { PATH }, ...options });
  return secret.use((value) => value.toString());
}

async function failureOf(text: string, options: Partial<ResolveOptions> = {}): Promise<SecretError> {
  const error: unknown = await read(text, options).then(
    () => assert.fail(`read: ${text}`),
    (failure: unknown) => failure,
  );
  assert.ok(error instanceof SecretError, String(error));
  const shown = `${error.message} ${error.hint} ${error.stack} ${JSON.stringify(error)}`;
  assert.ok(!shown.includes(CANARY), `the error shows the secret: ${shown}`);
  return error;
}

/** `cmd:` of a program of one line. */
function program(script: string, ...args: string[]): string {
  return `cmd:${JSON.stringify([process.execPath, '-e', script, ...args])}`;
}

test('env: reads the variable as it is, newline and all', async () => {
  assert.equal(await read('env:T', { env: { T: `${CANARY}\n` } }), `${CANARY}\n`);
});

test('file: reads an absolute path, one in the home folder, and one relative to the base folder', async () => {
  await using folder = await tempFolder();
  const file = await folder.write('token', CANARY);
  assert.equal(await read(`file:${file}`), CANARY);
  assert.equal(await read('file:token', { baseDir: folder.path }), CANARY);
  assert.equal(await read('file:./token', { baseDir: folder.path }), CANARY);
  const up = `file:../${basename(folder.path)}/token`;
  assert.equal(await read(up, { baseDir: folder.path }), CANARY);
  const error = await failureOf('file:~/no-such-file-of-this-test', { baseDir: folder.path });
  assert.match(error.message, /^file:~\/no-such-file-of-this-test cannot be read \(ENOENT\)$/);
  assert.ok(homedir() !== folder.path);
});

test('one newline at the end is cut, and only there', async () => {
  await using folder = await tempFolder();
  for (const [content, value] of [
    [`${CANARY}\n`, CANARY],
    [`${CANARY}\r\n`, CANARY],
    [`${CANARY}\n\n`, `${CANARY}\n`],
    [`a\n${CANARY}`, `a\n${CANARY}`],
    [`${CANARY}\r`, `${CANARY}\r`],
  ] as const) {
    assert.equal(await read(`file:${await folder.write('t', content)}`), value, JSON.stringify(content));
  }
});

test('bytes that are no text stay what they are', async () => {
  await using folder = await tempFolder();
  const bytes = Buffer.from([0xff, 0x00, 0xfe, 0x0d, 0x80]);
  const reference = parseSecretReference(`file:${await folder.write('key', bytes)}`);
  assert.ok(reference);
  const secret = await resolveSecret(reference, { env: {} });
  assert.deepEqual(secret.use(Buffer.from), bytes);
});

test('creds: reads from the credentials folder of systemd, whose files the group may read', async () => {
  await using folder = await tempFolder();
  const env = { CREDENTIALS_DIRECTORY: folder.path };
  await folder.write('private', CANARY, 0o400);
  await folder.write('group', `${CANARY}\n`, 0o440);
  assert.equal(await read('creds:private', { env }), CANARY);
  assert.equal(await read('creds:group', { env }), CANARY);
  for (const mode of [0o444, 0o460, 0o404, 0o402]) {
    await folder.write('open', CANARY, mode);
    assert.equal((await failureOf('creds:open', { env })).code, 'secret_open_to_others', mode.toString(8));
  }
});

test('secret_missing: an unset variable, a file that is not there, an empty value, no credentials folder', async () => {
  await using folder = await tempFolder();
  const empty = await folder.write('empty', '\n');
  const missing: readonly [string, RegExp][] = [
    ['env:NOT_THERE', /^env:NOT_THERE: the variable is not set$/],
    ['env:EMPTY', /^env:EMPTY is empty$/],
    [`file:${folder.path}/none`, /none cannot be read \(ENOENT\)$/],
    [`file:${empty}`, /empty is empty$/],
    [`file:${folder.path}`, /is no regular file$/],
    ['creds:token', /CREDENTIALS_DIRECTORY is not set$/],
    [program(''), /is empty$/],
  ];
  for (const [text, message] of missing) {
    const error = await failureOf(text, { env: { PATH, EMPTY: '' } });
    assert.equal(error.code, 'secret_missing', text);
    assert.match(error.message, message);
  }
});

test('a pipe where a file should be is refused, not waited for', { skip: process.platform === 'win32' }, async () => {
  await using folder = await tempFolder();
  execFileSync('mkfifo', ['-m', '600', join(folder.path, 'pipe')]);
  const error = await failureOf(`file:${folder.path}/pipe`);
  assert.equal(error.code, 'secret_missing');
});

test('secret_open_to_others: a file that anybody else may read or write, and what to do', async () => {
  await using folder = await tempFolder();
  for (const mode of [0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o666, 0o777]) {
    const file = await folder.write('t', CANARY, mode);
    const error = await failureOf(`file:${file}`);
    assert.equal(error.code, 'secret_open_to_others', mode.toString(8));
    assert.equal(error.hint, `chmod 600 ${file}`);
  }
  for (const mode of [0o600, 0o400, 0o700]) {
    assert.equal(await read(`file:${await folder.write(`t${mode}`, CANARY, mode)}`), CANARY);
  }
});

test('secret_too_large: a file or an output over 64 KiB, however long it is', async () => {
  await using folder = await tempFolder();
  const most = 'x'.repeat(64 * 1024);
  assert.equal(await read(`file:${await folder.write('most', most)}`), most);
  assert.equal((await failureOf(`file:${await folder.write('more', `${most}x`)}`)).code, 'secret_too_large');
  const endless = program('setInterval(() => process.stdout.write("x".repeat(1024)), 0)');
  assert.equal((await failureOf(endless)).code, 'secret_too_large');
});

test('cmd: runs a program with its arguments as they are, without a shell, and takes what it prints', async () => {
  const shown = program('process.stdout.write(process.argv[1])', `$HOME \`id\` $(id) ; | & ' " \\ * ~`);
  assert.equal(await read(shown), `$HOME \`id\` $(id) ; | & ' " \\ * ~`);
  assert.equal(await read(program(`console.log('${CANARY}')`)), CANARY);
  assert.equal(await read(program('process.stdout.write(process.env.A)'), { env: { PATH, A: 'ours' } }), 'ours');
});

test('cmd: a program with a path is found relative to the base folder', async () => {
  await using folder = await tempFolder();
  await folder.write('show', '#!/bin/sh\necho "$1"\n', 0o700);
  assert.equal(await read('cmd:["./show", "x y"]', { baseDir: folder.path }), 'x y');
});

test('secret_command_failed: a program that is not there or fails; nothing it says is shown', async () => {
  // The arguments are the address, and the operator's own words: they stand in the hint, so the secret is put in otherwise.
  const failing = program('const c = process.env.C; console.log(c); console.error(c); process.exit(3)');
  const error = await failureOf(failing, { env: { PATH, C: CANARY } });
  assert.equal(error.code, 'secret_command_failed');
  assert.match(error.message, /of a cmd: reference failed \(3\)$/);
  assert.match(error.hint ?? '', /^run it by hand: \[/);
  const none = await failureOf('cmd:["/no/such/program"]');
  assert.equal(none.code, 'secret_command_failed');
  assert.match(none.message, /\(ENOENT\)$/);
});

test('a command that does not end is ended, with its secret unread', async () => {
  const hanging = program('process.stdout.write(process.env.C); setInterval(() => {}, 1000)');
  const error = await failureOf(hanging, { env: { PATH, C: CANARY }, commandMs: 500 });
  assert.equal(error.code, 'secret_command_failed');
  assert.match(error.message, /\(not within 0\.5 s\)$/);
});

test('a file of another user is refused, whoever may read it', { skip: process.getuid?.() !== 0 }, async () => {
  await using folder = await tempFolder();
  const file = await folder.write('t', CANARY);
  await chown(file, 12_345, 12_345);
  const error = await failureOf(`file:${file}`);
  assert.equal(error.code, 'secret_open_to_others');
  assert.match(error.message, /belongs to another user$/);
});
