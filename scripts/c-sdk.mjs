// Finds the OpenZiti C SDK as a Python wheel, or installs it into node_modules/.cache/c-sdk, and prints its python. Some tests
// use it as a peer that we did not write; without it they are skipped and say so. Needs python3 with venv, on x86_64 Linux.
// `--find` installs nothing.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root } from './ensure.mjs';

/** C SDK 0.29.3. Newer wheels were not tried. */
const WHEEL = 'openziti==0.6.0';
const folder = join(root, 'node_modules', '.cache', 'c-sdk');
const python = join(folder, 'bin', 'python');

const works = () =>
  existsSync(python) && spawnSync(python, ['-c', 'import openziti'], { stdio: 'ignore', timeout: 30_000 }).status === 0;

function step(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2] });
  if (status === 0) return;
  rmSync(folder, { recursive: true, force: true });
  process.stderr.write(
    `the C SDK could not be installed: ${command} ${args.join(' ')} ${error?.message ?? 'failed'}\n`,
  );
  process.exit(1);
}

if (!works()) {
  if (process.argv.includes('--find')) {
    process.stderr.write('the C SDK is not installed; node scripts/c-sdk.mjs installs it\n');
    process.exit(1);
  }
  // Later it would empty node_modules.
  ensureInstalled();
  rmSync(folder, { recursive: true, force: true });
  step('python3', ['-m', 'venv', folder]);
  step(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', WHEEL]);
  if (!works()) {
    process.stderr.write(`${WHEEL} was installed, but python cannot import it\n`);
    process.exit(1);
  }
}
process.stdout.write(`${python}\n`);
