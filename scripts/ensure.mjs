// What every script needs first: the dependencies of the lock file, and programs built from the sources as they are.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 18)) {
  process.stderr.write(`node ${process.versions.node} is too old: 20.18 or newer is needed\n`);
  process.exit(2);
}

/** Runs a command in the repository with inherited output on stderr; ends this process with its exit code when it fails. */
export function run(command, args, options = {}) {
  const { quiet = false, ...rest } = options;
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', quiet ? 'ignore' : 2, 2], ...rest });
  if (result.error) throw result.error;
  if (result.status !== 0) {
    process.stderr.write(`failed: ${command} ${args.join(' ')}\n`);
    process.exit(result.status ?? 1);
  }
}

export function ensureInstalled() {
  const stamp = join(root, 'node_modules', '.package-lock.json');
  const lock = join(root, 'package-lock.json');
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs) return;
  run('npm', ['ci', '--no-audit', '--no-fund']);
}

export function ensureBuilt() {
  const stamp = join(root, 'dist', '.stamp');
  const key = newestSource();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return;
  run(process.execPath, [join('scripts', 'build.mjs')]);
  writeFileSync(stamp, newestSource());
}

function newestSource() {
  let newest = 0;
  let count = 0;
  const visit = (folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== 'node_modules' && entry.name !== 'test') visit(path);
      } else {
        count += 1;
        newest = Math.max(newest, statSync(path).mtimeMs);
      }
    }
  };
  visit(join(root, 'packages'));
  visit(join(root, 'scripts'));
  return `${count} ${newest}`;
}
