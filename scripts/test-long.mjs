// `npm run test:long`: the big counts, `test/long/*.long.ts`, of which `npm test` runs samples. Arguments choose files.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, root, run } from './ensure.mjs';

ensureInstalled();
ensureBuilt();
const wanted = process.argv.slice(2);
const files = readdirSync(join(root, 'test', 'long'))
  .filter((file) => file.endsWith('.long.ts') && (wanted.length === 0 || wanted.some((word) => file.includes(word))))
  .map((file) => join('test', 'long', file));
run(process.execPath, ['--import', 'tsx', '--test', '--test-reporter=spec', '--test-concurrency=1', ...files], {
  stdio: ['ignore', 'inherit', 'inherit'],
});
