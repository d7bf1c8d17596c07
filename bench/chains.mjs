// The ways from agent to server that are compared. A chain is `{ label, start() }`; started it is
// `{ agent, hosts, end() }`: the command that an agent would run, and the processes that were up before.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnv } from './driver.mjs';
import { startHost } from './processes.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const node = process.execPath;
export const echoServer = join(here, 'echo-server.mjs');

export const chains = {
  direct: {
    label: 'direct stdio',
    start: async () => ({
      agent: { command: node, args: [echoServer], env: cleanEnv() },
      hosts: [],
      end: async () => {},
    }),
  },
  bare: { label: 'bare, three relays', start: () => startRelays(false) },
  aead: { label: 'bare + AEAD', start: () => startRelays(true) },
  overlay: { label: 'tools → gateway → bridge', start: (options) => startOverlay({ ...options, bridge: true }) },
  installed: {
    label: 'the same, nothing configured',
    start: (options) => startOverlay({ ...options, bridge: true, governed: 'default' }),
  },
  governed: {
    label: 'the same, ruled and audited',
    start: (options) => startOverlay({ ...options, bridge: true, governed: 'os' }),
  },
  durable: {
    label: 'the same, durable',
    start: (options) => startOverlay({ ...options, bridge: true, governed: 'commit' }),
  },
  ungoverned: {
    label: 'the same, all of it off',
    start: (options) => startOverlay({ ...options, bridge: true, governed: 'nothing' }),
  },
  everything: {
    label: 'the same, all of it on',
    start: (options) => startOverlay({ ...options, bridge: true, governed: 'everything' }),
  },
  gateway: { label: 'tools → gateway', start: (options) => startOverlay({ ...options, bridge: false }) },
};

/** What runs when nothing else is asked for; `gateway` shows what the bridge adds, and is only run by name. */
export const usual = ['direct', 'bare', 'aead', 'overlay'];

async function startRelays(sealed) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const [first, second] = [join(folder, 'a'), join(folder, 'b')];
  const flag = (name) => (sealed ? [name] : []);
  const relay = (...args) => ({ command: node, args: [join(here, 'relay.mjs'), ...args], env: cleanEnv() });
  const started = [];
  const end = async () => {
    for (const { end: stop } of started.toReversed()) await stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return await orEnd(end, async () => {
    const bridge = await startHost(relay('--from', second, ...flag('--sealed-from'), '--', node, echoServer));
    started.push(bridge);
    const sealedBoth = [...flag('--sealed-from'), ...flag('--sealed-to')];
    const gateway = await startHost(relay('--from', first, '--to', second, ...sealedBoth));
    started.push(gateway);
    const hosts = [
      { role: 'gateway', pid: gateway.pid },
      { role: 'bridge', pid: bridge.pid },
    ];
    return { agent: relay('--from', 'stdio', '--to', first, ...flag('--sealed-to')), hosts, end };
  });
}

/**
 * Our programs over the local overlay, in a state folder of their own. `backends` replaces the echo server; `nodeArgs` go
 * to node in front of the program.
 */
export async function startOverlay({ bridge = false, backends, nodeArgs = [], governed }) {
  const home = mkdtempSync(join(tmpdir(), 'bench-'));
  const env = cleanEnv({ MCP_OVERLAY_HOME: home });
  const program = (name, ...args) => ({
    command: node,
    args: [...nodeArgs, join(here, '..', 'dist', `mcp-${name}.js`), ...args],
    env,
  });
  const started = [];
  const hosts = [];
  const end = async () => {
    for (const { end: stop } of started.toReversed()) await stop();
    rmSync(home, { recursive: true, force: true });
  };
  const host = async (role, command) => {
    const running = await startHost(command);
    started.push(running);
    hosts.push({ role, pid: running.pid });
    return JSON.parse(running.ready).share_token;
  };
  return await orEnd(end, async () => {
    const echo = { type: 'stdio', command: node, args: [echoServer] };
    const transport = bridge
      ? { type: 'share', share_token: await host('bridge', program('bridge', '--overlay', 'local', node, echoServer)) }
      : echo;
    const config = join(home, 'gateway.yml');
    // JSON is YAML.
    const rules = (GOVERNED[governed] ?? governance)(governed);
    writeFileSync(config, JSON.stringify({ backends: backends ?? [{ id: 'echo', transport }], ...rules }));
    const token = await host('gateway', program('gateway', 'run', config, '--overlay', 'local'));
    return { agent: program('tools', 'run', token, '--overlay', 'local'), hosts, end, folder: home };
  });
}

const GOVERNED = {
  undefined: () => ({ audit: 'off' }),
  default: () => ({}),
  nothing: () => ({ audit: 'off', scrub: 'off', pins: 'off' }),
  /** What configs/team.yml has; nothing that a bench would be slowed by. */
  everything: () => ({
    ...governance('os'),
    pins: 'first-use',
    scrub: { rules: { 'secret-*': 'redact' } },
    limits: { identities: { owner: { rate: '1000000/s', burst: 1000000, concurrent: 1000 } } },
    alarms: { loop: { calls: 1000000, within: '60s' }, rate: { calls: 1000000, within: '60s' } },
  }),
};

/** Rules as a team has them, and the log; the rule that decides is the last one. */
function governance(durability) {
  const rules = Array.from({ length: 99 }, (_, at) => ({
    deny: { backend: 'echo', tools: [`*_${at}`], args: { text: { pattern: '^[a-z]{1,40}$' } } },
  }));
  return {
    roles: { all: [...rules, { allow: { backend: 'echo', tools: ['*'] } }] },
    identities: { owner: ['all'] },
    audit: { path: './audit', durability },
  };
}

async function orEnd(end, start) {
  try {
    return await start();
  } catch (error) {
    await end();
    throw error;
  }
}
