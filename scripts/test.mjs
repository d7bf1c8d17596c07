// `npm test`: installs and builds what is missing, then runs every *.test.ts (or those whose path contains an argument).
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './ensure.mjs';

ensureInstalled();
ensureBuilt();

const wanted = process.argv.slice(2);
const files = [];
const visit = (folder) => {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) visit(path);
    else if (entry.name.endsWith('.test.ts')) files.push(relative('.', path));
  }
};
visit('packages');
visit('test');
const chosen = files.filter((file) => wanted.length === 0 || wanted.some((word) => file.includes(word))).sort();
if (chosen.length === 0) {
  process.stderr.write(`no test file matches ${wanted.join(' ')}\n`);
  process.exit(2);
}
const child = spawn(
  process.execPath,
  ['--import', 'tsx', '--test', '--test-reporter=spec', '--test-concurrency=2', '--test-timeout=300000', ...chosen],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
);
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
