// `npm run soak -- --minutes N [--seed S]`: load and a fault every 30 s, then the verdict. See test/chaos/soak.ts.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root } from './ensure.mjs';

ensureInstalled();
ensureBuilt();
const program = join(root, 'test', 'chaos', 'soak.ts');
const child = spawn(process.execPath, ['--import', 'tsx', program, ...process.argv.slice(2)], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
});
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
