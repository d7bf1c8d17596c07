// Bundles the three programs into dist/, one start-up file each plus chunks that only some commands load.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root } from './ensure.mjs';

ensureInstalled();
const { build } = await import('esbuild');
const { parse } = await import('yaml');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const programs = ['gateway', 'bridge', 'tools'];

// Made aside and put in place at once: a program that starts meanwhile finds all of the old or all of the new.
const made = join(root, `dist.${process.pid}`);
const old = join(root, `dist.${process.pid}.old`);
const inputs = new Set();
// The OpenZiti client is large and loaded last: one bundle for all. Whoever imports it is a chunk itself, and finds it beside.
const client = 'ziti.js';
const apart = {
  name: 'ziti-apart',
  setup({ onResolve }) {
    onResolve({ filter: /^@mcp-overlay\/ziti$/ }, () => ({ path: `./${client}`, external: true }));
  },
};
// What emscripten made looks for its folder in a way that only CommonJS has; where its wasm is, it is told.
const noFolder = {
  name: 'no-folder',
  setup({ onLoad }) {
    onLoad({ filter: /libpg-query[\\/]wasm[\\/]libpg-query\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll('__dirname', '"."'),
    }));
  },
};
await bundle({ [client.replace('.js', '')]: 'packages/ziti/src/index.ts' }, join(made, 'chunks'), 'ziti', []);
// One bundle a program, so that none loads what only another needs; dynamic imports become chunks of their own.
for (const name of programs) {
  await bundle({ [`mcp-${name}`]: `packages/${name}/src/bin.ts` }, made, `chunks/${name}`, [apart, noFolder]);
}
// PostgreSQL's parser, read by the chunk beside it when a rule judges SQL.
const wasm = 'libpg-query.wasm';
copyFileSync(join(root, 'node_modules/libpg-query/wasm', wasm), join(made, 'chunks', wasm));
chmodSync(join(made, 'chunks', wasm), 0o644);
// A thread of its own, started from its own file; and the patterns, read by Node as JSON and by people as YAML.
await bundle({ 'scrub-worker': 'packages/gateway/src/scrub/worker.ts' }, join(made, 'chunks'), 'scrub', []);
shipPatterns(join(made, 'patterns'));
for (const name of programs) chmodSync(join(made, `mcp-${name}.js`), 0o755);
writeFileSync(join(made, 'THIRD_PARTY_LICENSES.txt'), licenses([...inputs]));
if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), old);
renameSync(made, join(root, 'dist'));
rmSync(old, { recursive: true, force: true });

async function bundle(entryPoints, outdir, chunks, plugins) {
  const result = await build({
    absWorkingDir: root,
    entryPoints,
    outdir,
    plugins,
    bundle: true,
    splitting: true,
    chunkNames: `${chunks}-[name]-[hash]`,
    format: 'esm',
    platform: 'node',
    target: 'node20.18',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    alias: { 'string-width': './scripts/shims/string-width.mjs' },
    metafile: true,
    define: {
      __MCP_OVERLAY_VERSION__: JSON.stringify(version),
      __PG_QUERY_WASM__: JSON.stringify('./libpg-query.wasm'),
    },
    // Some dependencies are CommonJS inside an ES module bundle.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  for (const input of Object.keys(result.metafile.inputs)) inputs.add(input);
}

/** Tests stay behind: they were run by ours. */
function shipPatterns(to) {
  const from = join(root, 'packages/gateway/patterns');
  mkdirSync(to);
  const entries = [];
  for (const name of readdirSync(from).sort()) {
    if (!name.endsWith('.yml')) copyFileSync(join(from, name), join(to, name));
    else entries.push(...parse(readFileSync(join(from, name), 'utf8')).patterns);
  }
  const defaults = { mode: 'flag', view: 'words', also: [], reach: 256, group: 0, entropy: 0, except: [] };
  const shipped = entries.map(({ tests: _, ...entry }) => ({
    ...defaults,
    ...entry,
    entropy: Number(entry.entropy ?? 0),
    tests: { hit: [], miss: [] },
  }));
  writeFileSync(join(to, 'shipped.json'), JSON.stringify(shipped));
}

/** The licence text of every package of which a file went into a bundle. */
function licenses(inputs) {
  const folders = new Set();
  for (const input of inputs) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) folders.add(match[1]);
  }
  const texts = [];
  for (const folder of [...folders].sort()) {
    const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(root, folder)).find((name) => /^licen[cs]e/i.test(name));
    const text = file
      ? readFileSync(join(root, folder, file), 'utf8')
      : `(${manifest.license}; no licence file in the package)`;
    texts.push(`${manifest.name} ${manifest.version} (${manifest.license})\n\n${text.trim()}\n`);
  }
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}
