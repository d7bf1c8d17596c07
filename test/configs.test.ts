// Every file in configs/ loads as it stands; example.yml shows every key.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { parseDocument } from 'yaml';
import {
  describeBackends,
  documentedKeys,
  loadGatewayConfig,
  parseGatewayConfig,
} from '../packages/config/src/index.ts';

const folder = join(import.meta.dirname, '../configs');
const around = { env: { HOME: '/home/ann', ISSUES_TOKEN: 'x', API_TOKEN: 'y' }, cwd: folder };

/** What each file is for: kept by hand, so that a file that stops meaning something is noticed. */
const EXPECTED: Readonly<Record<string, { format: string; runs: string[]; notes: string[] }>> = {
  'chain.yml': {
    format: 'ours',
    runs: ['build: share build-box', 'team-b: share team-b', 'files: npx -y @modelcontextprotocol/server-filesystem .'],
    notes: [],
  },
  'example.yml': {
    format: 'ours',
    runs: [
      'files: npx -y @modelcontextprotocol/server-filesystem /home/ann (passes TZ)',
      'build: share build-box',
      'time: disabled',
      'issues: https://mcp.example.com/mcp (streamable; headers Authorization)',
      'local-http: disabled',
    ],
    notes: ['disabled', 'disabled'],
  },
  'http.yml': {
    format: 'ours',
    runs: [
      'issues: https://mcp.example.com/mcp (streamable; headers Authorization)',
      'internal: https://mcp.internal.example/sse (sse; ca /etc/ssl/certs/internal-ca.pem)',
      'dev: http://localhost:8080/mcp (auto)',
    ],
    notes: [],
  },
  'mcp-servers.json': {
    format: 'mcp-servers',
    runs: [
      `filesystem: npx -y @modelcontextprotocol/server-filesystem ${folder}`,
      'Issue-Tracker: https://mcp.example.com/mcp (streamable; headers Authorization)',
      'team: mcp-tools run my-gateway',
      'old: disabled',
    ],
    notes: ['renamed', 'disabled'],
  },
  'minimal.yml': {
    format: 'ours',
    runs: ['files: npx -y @modelcontextprotocol/server-filesystem .'],
    notes: [],
  },
  'original.yml': {
    format: 'original',
    runs: [
      'notes: mcp-filesystem /srv/notes (in /srv; env LOG_LEVEL)',
      'remote: share xyz789abc',
      'api: https://mcp.example.com/sse (sse; headers Authorization; ca /etc/ssl/certs/internal-ca.pem)',
      'dev: http://localhost:8080/mcp (streamable)',
    ],
    notes: ['differs'],
  },
  'team.yml': {
    format: 'ours',
    runs: [
      'files: npx -y @modelcontextprotocol/server-filesystem@2026.8.31 /srv/team',
      'db: share team-db',
      'tickets: /usr/local/bin/tickets-server (injects by identity TICKETS_TOKEN)',
    ],
    notes: [],
  },
};

test('no file in configs/ is unknown to this test', () => {
  assert.deepEqual(readdirSync(folder).sort(), Object.keys(EXPECTED).sort());
});

for (const [name, { format, runs, notes }] of Object.entries(EXPECTED)) {
  test(`configs/${name} loads and runs what it says`, async () => {
    const loaded = await loadGatewayConfig(name, around);
    assert.equal(loaded.config.format, format);
    assert.deepEqual(describeBackends(loaded.config), runs);
    assert.deepEqual(
      loaded.notes.map(({ kind }) => kind),
      notes,
    );
  });
}

/** The settings of example.yml that are off: `#key: value`, taken out of their comments. */
function everythingOn(): string {
  return readFileSync(join(folder, 'example.yml'), 'utf8').replace(/^(\s*)#(?=[a-z_]+:)/gm, '$1');
}

/** Keys that only files of the Go original have. */
const NOT_OURS = /^(?:share_token|orchestrator)(?:\.|$)/;

test('configs/example.yml shows every key of the schema, commented or not', () => {
  const paths = new Set<string>();
  const visit = (value: unknown, path: string): void => {
    if (Array.isArray(value)) for (const item of value) visit(item, `${path}[]`);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        const next = path === '' ? key : `${path}.${key}`;
        paths.add(next);
        visit(inner, next);
      }
    }
  };
  visit(parseDocument(everythingOn()).toJS(), '');
  const missing = documentedKeys().filter(({ key }) => !paths.has(key) && !NOT_OURS.test(key));
  assert.deepEqual(
    missing.map(({ key }) => key),
    [],
  );
  const text = readFileSync(join(folder, 'original.yml'), 'utf8');
  for (const { key } of documentedKeys().filter(({ key }) => NOT_OURS.test(key))) {
    assert.match(text, new RegExp(`^ *${key.split('.').at(-1)}:`, 'm'));
  }
});

test('configs/example.yml loads with every setting on, and its defaults are the real ones', () => {
  const on = parseGatewayConfig(everythingOn(), { ...around, file: 'example.yml' }).config;
  const off = parseGatewayConfig('backends: [{ id: a, transport: { type: share, share_token: ab1 } }]', {
    ...around,
    file: 'm.yml',
  }).config;
  const { separator, connectTimeoutMs, callTimeoutMs, listWaitMs } = on.aggregator;
  assert.deepEqual({ separator, connectTimeoutMs, callTimeoutMs, listWaitMs }, off.aggregator);
  assert.equal(Object.keys(on.limits).length, 7);
});
