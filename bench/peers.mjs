// The npm packages that people join for the same purpose today, for comparison only: installed on request, into a folder
// of their own that is never committed.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { echoServer } from './chains.mjs';
import { cleanEnv } from './driver.mjs';
import { startHost } from './processes.mjs';

const PEERS = { 'mcp-proxy': '6.7.19', supergateway: '4.0.0', 'mcp-remote': '0.15.1' };
const folder = fileURLToPath(new URL('./peers/', import.meta.url));
const loopback = new URL('./loopback.mjs', import.meta.url).href;
const node = process.execPath;
const bin = (name) => join(folder, 'node_modules', '.bin', name);

export function ensurePeers() {
  if (Object.keys(PEERS).every((name) => existsSync(bin(name)))) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  const wanted = Object.entries(PEERS).map(([name, version]) => `${name}@${version}`);
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', folder, ...wanted], {
    stdio: ['ignore', 2, 2],
  });
}

export const peerChains = {
  'remote-supergateway': {
    label: 'mcp-remote → supergateway',
    start: () =>
      startPeer((port) => ({
        args: [
          bin('supergateway'),
          '--stdio',
          `${node} ${echoServer}`,
          '--outputTransport',
          'streamableHttp',
          '--stateful',
          '--port',
          `${port}`,
        ],
        readyWhen: /Listening on port/i,
      })),
  },
  'remote-proxy': {
    label: 'mcp-remote → mcp-proxy',
    start: () =>
      startPeer((port) => ({
        args: [
          bin('mcp-proxy'),
          '--host',
          '127.0.0.1',
          '--port',
          `${port}`,
          '--server',
          'stream',
          '--',
          node,
          echoServer,
        ],
        readyWhen: /starting server|listening/i,
      })),
  },
};

async function startPeer(describe) {
  const port = await freePort();
  const { args, readyWhen } = describe(port);
  const host = await startHost({ command: node, args: ['--import', loopback, ...args], env: cleanEnv(), readyWhen });
  const url = `http://127.0.0.1:${port}/mcp`;
  return {
    agent: {
      command: node,
      args: [bin('mcp-remote'), url, '--allow-http', '--transport', 'http-only'],
      env: cleanEnv(),
    },
    hosts: [{ role: 'gateway', pid: host.pid }],
    end: host.end,
  };
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
