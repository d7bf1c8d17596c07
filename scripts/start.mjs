// `npm start`: a gateway with two real servers, one of them behind a bridge; one real call through all of it; the entry
// to paste into an agent; then it keeps serving. `npm run demo` (`--once`) ends after the call.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ensureBuilt, ensureInstalled, root } from './ensure.mjs';

const onlyOnce = process.argv.includes('--once');
const SHARE = 'demo-gateway';
const PARENT_LOOK_MS = 500;
const say = (line = '') => process.stdout.write(`${line}\n`);

ensureInstalled();
ensureBuilt();

const folder = mkdtempSync(join(tmpdir(), 'mcp-overlay-demo-'));
// The demo call leaves nothing behind; a served gateway keeps its share, so that a pasted entry stays true.
const home = onlyOnce ? join(folder, 'home') : (process.env.MCP_OVERLAY_HOME ?? join(homedir(), '.mcp-overlay'));
const env = { ...process.env, MCP_OVERLAY_HOME: home };
const running = [];
const program = (name) => join(root, 'dist', `mcp-${name}.js`);
const server = (name) => join(root, 'node_modules', '@modelcontextprotocol', `server-${name}`, 'dist', 'index.js');

function start(name, args, stdin = 'ignore') {
  const child = spawn(process.execPath, [program(name), '--log-level', 'warn', ...args], {
    cwd: root,
    env,
    stdio: [stdin, 'pipe', 'inherit'],
  });
  running.push(child);
  return child;
}

async function firstLine(child) {
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`ended with exit code ${code} before it was ready`))),
  ]);
  return JSON.parse(line);
}

async function tools(...args) {
  const child = spawn(process.execPath, [program('tools'), ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`mcp-tools ${args.join(' ')} ended with exit code ${code}`);
  return JSON.parse(output);
}

/** The share that stays the same; undefined when another gateway serves it at this moment. */
async function keptShare() {
  if (onlyOnce) return undefined;
  const shares = await tools('list', '--json', '--overlay', 'local');
  const known = shares.find((share) => share.token === SHARE);
  if (known?.hosted) return undefined;
  if (!known) await tools('create', SHARE, '--overlay', 'local');
  return SHARE;
}

/** One agent: initialize, list, call, as any MCP client does it over stdio. */
async function oneCall(token) {
  const agent = start('tools', ['run', token, '--overlay', 'local'], 'pipe');
  const lines = createInterface({ input: agent.stdout });
  const waiting = new Map();
  lines.on('line', (line) => {
    const message = JSON.parse(line);
    waiting.get(message.id)?.(message);
  });
  let id = 0;
  const ask = async (method, params, shown) => {
    id += 1;
    const request = { jsonrpc: '2.0', id, method, params };
    if (shown) say(`\n→ ${JSON.stringify(request)}`);
    const answer = new Promise((resolve) => waiting.set(id, resolve));
    agent.stdin.write(`${JSON.stringify(request)}\n`);
    const message = await answer;
    if (shown) say(`← ${JSON.stringify(message)}\n`);
    if (message.error) throw new Error(message.error.message);
    return message.result;
  };
  const clientInfo = { name: 'demo-agent', version: '1.0.0' };
  await ask('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
  agent.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  const listed = await ask('tools/list', {});
  const names = listed.tools.map((tool) => tool.name);
  say(`${names.length} tools through the gateway: ${names.slice(0, 4).join(', ')}, …`);
  await ask('tools/call', { name: 'everything__echo', arguments: { message: 'through four hops and back' } }, true);
  agent.stdin.end();
  await once(agent, 'exit');
}

async function end(code) {
  const ended = running
    .filter((child) => child.exitCode === null && child.signalCode === null)
    .map((child) => {
      child.kill('SIGTERM');
      return once(child, 'exit');
    });
  await Promise.all(ended);
  rmSync(folder, { recursive: true, force: true });
  process.exit(code);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void end(0));
// npm starts us through a shell, which takes the SIGTERM that npm passes on and dies alone.
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) void end(0);
  }, PARENT_LOOK_MS).unref();
}

try {
  const bridge = await firstLine(start('bridge', ['--overlay', 'local', process.execPath, server('everything')]));
  const token = await keptShare();
  const config = join(folder, 'gateway.yml');
  const share = token === undefined ? '' : `share: { token: ${token} }\n`;
  writeFileSync(
    config,
    `${share}backends:
  - id: docs
    transport: { type: stdio, command: ${JSON.stringify(process.execPath)}, args: ${JSON.stringify([server('filesystem'), join(root, 'docs')])} }
  - id: everything
    transport: { type: share, share_token: ${bridge.share_token} }
`,
  );
  const gateway = await firstLine(start('gateway', ['run', config, '--overlay', 'local']));
  say('agent → mcp-tools → mcp-gateway → mcp-bridge → server');
  await oneCall(gateway.share_token);
  if (onlyOnce) await end(0);
  const entry = {
    command: process.execPath,
    args: [program('tools'), 'run', gateway.share_token, '--overlay', 'local'],
    env: { MCP_OVERLAY_HOME: home },
  };
  say("Paste this into your agent's configuration; it works from any folder:\n");
  say(JSON.stringify({ mcpServers: { demo: entry } }, null, 2));
  say(`\nServing ${gateway.share_token}. Ctrl-C ends it.`);
} catch (error) {
  process.stderr.write(`${error.stack ?? error}\n`);
  await end(1);
}
