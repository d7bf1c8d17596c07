// `npm run check`: types, lint and format, then all tests (architecture and documentation tests among them).
// `--no-tests` leaves the tests out, for whoever has just run them.
import { join } from 'node:path';
import { ensureInstalled, root, run } from './ensure.mjs';

ensureInstalled();
const bin = (name) => join(root, 'node_modules', '.bin', name);
run(bin('tsc'), ['-p', '.']);
run(bin('biome'), ['check', '--error-on-warnings', '.']);
process.stderr.write('types, lint and format: ok\n');
if (!process.argv.includes('--no-tests'))
  run(process.execPath, [join('scripts', 'test.mjs')], { stdio: ['ignore', 'inherit', 'inherit'] });
