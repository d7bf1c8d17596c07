// `npm run bench`: starts the chains, measures cell by cell, prints a table and the bars, writes the same as JSON.
// stdout carries the table, stderr how far it is. Bars that do not hold are shown, not an exit code: machines differ.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureAudit } from './audit.mjs';
import { cells } from './cells.mjs';
import { chains, usual } from './chains.mjs';
import { bars, summary, table } from './figures.mjs';
import { measureList } from './list.mjs';
import { measureMemory } from './memory.mjs';
import { ensurePeers, peerChains } from './peers.mjs';
import { descendants } from './processes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const CELLS = [...Object.keys(cells), 'memory', 'list', 'audit', 'scrub'];
const HELP = `Usage: npm run bench -- [options]

  --quick           a smoke test: every cell, too few samples to compare
  --cells A,B       of ${CELLS.join(', ')}
  --chains A,B      of ${Object.keys(chains).join(', ')} (default: ${usual.join(', ')})
  --peers           also mcp-remote in front of supergateway and of mcp-proxy, installed into bench/peers
  --rounds N        N times as many rounds
  --profile DIR     CPU profiles of our programs, for the developer tools of a browser; figures are then worth little
  --json FILE       default: bench/results/<time>.json
`;

/** Where it says something about us; fifty sessions of the peers would take minutes. */
const MEMORY_CHAINS = ['bare', 'overlay', 'installed', 'gateway'];

const USUAL = {
  rounds: { cold: 10, latency: 8, throughput: 8, large: 5, huge: 4, list: 5, audit: 3, scrub: 20 },
  calls: { warm: 2000, latency: 600, memory: 3000, large: 8, huge: 2 },
  throughputMs: 600,
  auditRecords: 60_000,
  sessions: 50,
};
const QUICK = {
  rounds: { cold: 2, latency: 2, throughput: 2, large: 1, huge: 1, list: 1, audit: 1, scrub: 4 },
  calls: { warm: 200, latency: 200, memory: 300, large: 2, huge: 1 },
  throughputMs: 200,
  auditRecords: 4000,
  sessions: 5,
};

export async function main(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      cells: { type: 'string' },
      chains: { type: 'string' },
      peers: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '1' },
      profile: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  if (values.peers) ensurePeers();
  const known = values.peers ? { ...chains, ...peerChains } : chains;
  const wantedCells = chosen(values.cells, CELLS, CELLS, 'cell');
  const wantedChains = chosen(
    values.chains,
    Object.keys(known),
    [...usual, ...(values.peers ? Object.keys(peerChains) : [])],
    'chain',
  );
  const size = scaled(values.quick ? QUICK : USUAL, Number(values.rounds));

  const options = values.profile ? { nodeArgs: ['--cpu-prof', '--cpu-prof-dir', resolve(values.profile)] } : {};
  const began = Date.now();
  const samples = Object.fromEntries(wantedChains.map((name) => [name, {}]));
  const failures = [];
  for (const cell of wantedCells) {
    say(`${cell} …`);
    const found = await measure(cell, wantedChains, known, size, options);
    for (const [name, { failed, ...figures }] of Object.entries(found)) {
      Object.assign(samples[name], figures);
      if (failed === undefined) continue;
      failures.push({ chain: name, cell, reason: failed });
      say(`${known[name].label}: ${failed}`);
    }
  }
  const left = descendants([process.pid]).filter(({ pid, args }) => pid !== process.pid && !args.startsWith('ps '));
  for (const { pid, args } of left) say(`left behind: ${pid} ${args}`);
  print(samples, failures, known);
  save(values.json, { machine: machine(), tookMs: Date.now() - began, quick: values.quick, failures, samples });
}

/** Each cell has its own processes: what one leaves behind must not weigh on the next. */
async function measure(cell, names, known, size, options) {
  if (cell === 'list') return names.includes('overlay') ? { overlay: await measureList(size) } : {};
  if (cell === 'scrub') return names.includes('overlay') ? { overlay: measureScrub(size) } : {};
  if (cell === 'audit') return names.includes('overlay') ? { overlay: await measureAudit(size) } : {};
  if (cell === 'memory') return await measureMemory(only(known, names, MEMORY_CHAINS), size);
  const started = {};
  try {
    for (const name of names) started[name] = await known[name].start(options);
    return await cells[cell](started, size);
  } finally {
    for (const { end } of Object.values(started)) await end();
  }
}

/** In a process of its own, from the sources. */
function measureScrub({ rounds }) {
  const args = ['--import', 'tsx', join(root, 'bench', 'scrub.ts'), String(rounds.scrub)];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }));
}

function only(known, names, useful) {
  return Object.fromEntries(names.filter((name) => useful.includes(name)).map((name) => [name, known[name]]));
}

function chosen(given, possible, usually, what) {
  const names = given?.split(',') ?? usually;
  const unknown = names.find((name) => !possible.includes(name));
  if (unknown !== undefined) {
    process.stderr.write(`no ${what} named ${unknown}: ${possible.join(', ')}\n`);
    process.exit(2);
  }
  return names;
}

function scaled(size, factor) {
  return {
    ...size,
    rounds: Object.fromEntries(Object.entries(size.rounds).map(([cell, n]) => [cell, Math.ceil(n * factor)])),
  };
}

function print(samples, failures, known) {
  const names = Object.keys(samples);
  const rows = [
    [machine().summary, ...names.map((name) => known[name].label)],
    ...table(samples, failures).map(({ title, cells: found }) => [title, ...names.map((name) => found[name] ?? '')]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const write = (row) =>
    row.map((text, at) => (at === 0 ? text.padEnd(widths[at]) : text.padStart(widths[at]))).join('  ');
  process.stdout.write(`${rows.map(write).join('\n')}\n\n`);
  for (const { bar, value, holds } of bars(samples)) {
    process.stdout.write(`${holds ? 'holds ' : 'FAILS '} ${bar}: ${value.toFixed(2)}\n`);
  }
}

function save(file, { samples, ...about }) {
  const path = file ?? join(root, 'bench', 'results', `${new Date().toISOString().replaceAll(':', '-')}.json`);
  if (file === undefined) mkdirSync(join(root, 'bench', 'results'), { recursive: true });
  const figures = summary(samples);
  writeFileSync(path, `${JSON.stringify({ ...about, bars: bars(samples), figures }, null, 2)}\n`);
  say(`figures in ${path}`);
}

function machine() {
  const [cpu] = cpus();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const about = {
    version,
    commit: commit(),
    node: process.version,
    system: `${type()} ${release()}`,
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
    time: new Date().toISOString(),
  };
  return { ...about, summary: `${about.cores} cores, node ${process.versions.node}` };
}

function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

function say(text) {
  process.stderr.write(`${text}\n`);
}
