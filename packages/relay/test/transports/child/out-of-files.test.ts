import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(new URL('./out-of-files.ts', import.meta.url));
const onPosix = process.platform === 'win32' ? { skip: 'no ulimit there' } : {};

test(
  'out of files: a child that cannot be started says so and nothing else breaks; the next one is started and watched',
  onPosix,
  async () => {
    const line = 'ulimit -n 256; exec "$0" --import tsx "$1"';
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', line, process.execPath, program]);
    const { code, message, reason, watched } = JSON.parse(stdout);
    assert.equal(code, 'child_start_failed');
    assert.equal(message, 'fs did not start: the system is out of files or processes (EMFILE)');
    assert.equal(reason.code, 'child_start_failed');
    assert.match(reason.reason, /out of files or processes \(EMFILE\)/);
    assert.equal(watched, true);
  },
);
