import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { test } from 'node:test';
import { agentEntry } from '../src/agent-entry.ts';

interface Entry {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

function entryOf(stateFolder: string, program?: string): Entry {
  const text = agentEntry({ token: 'my-gateway', overlay: 'local', stateFolder, ...(program ? { program } : {}) });
  const { mcpServers } = JSON.parse(text) as { mcpServers: Record<string, Entry> };
  assert.deepEqual(Object.keys(mcpServers), ['my-gateway']);
  return mcpServers['my-gateway'] as Entry;
}

test('an entry has absolute paths and names the overlay', () => {
  const { command, args } = entryOf('/srv/state', 'dist/mcp-tools.js');
  assert.equal(command, process.execPath);
  assert.ok(isAbsolute(args[0] ?? ''), args[0]);
  assert.deepEqual(args.slice(1), ['run', 'my-gateway', '--overlay', 'local']);
});

test('an entry names the state folder, unless an empty environment leads to it', () => {
  assert.deepEqual(entryOf('/srv/state').env, { MCP_OVERLAY_HOME: '/srv/state' });
  assert.equal(entryOf(join(userInfo().homedir, '.mcp-overlay')).env, undefined);
});

test('an entry says where tokens and trust are, never what they are, from any folder', () => {
  const text = agentEntry({
    token: 'my-gateway',
    overlay: 'local',
    stateFolder: '/srv/state',
    trust: ['ca.pem', 'spiffe://corp=b.json'],
    access: 'file:t',
    accessKey: 'file:~/k.pem',
  });
  const { args } = (JSON.parse(text) as { mcpServers: Record<string, Entry> }).mcpServers['my-gateway'] as Entry;
  assert.deepEqual(args.slice(5), [
    '--trust',
    join(process.cwd(), 'ca.pem'),
    '--trust',
    `spiffe://corp=${join(process.cwd(), 'b.json')}`,
    '--access',
    `file:${join(process.cwd(), 't')}`,
    '--access-key',
    'file:~/k.pem',
  ]);
  const other = agentEntry({ token: 'g', overlay: 'local', stateFolder: '/s', access: 'env:TOKEN' });
  assert.ok(other.includes('"env:TOKEN"'));
});
