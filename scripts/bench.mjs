// `npm run bench`: builds what is missing, then measures (bench/main.mjs; `-- --help` shows the options).
import { ensureBuilt, ensureInstalled } from './ensure.mjs';

ensureInstalled();
ensureBuilt();
const { main } = await import('../bench/main.mjs');
await main(process.argv.slice(2));
