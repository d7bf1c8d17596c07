// A client of revision 2025-03-26 sends batches: through mcp-tools (stdio, HTTP) and on a share's own socket, to gateway
// and bridge, with servers of either era behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixtureCommand } from '../conformance/fixture.ts';
import { House } from './harness.ts';
import { type Json, LineClient } from './line-client.ts';
import { commandBackend } from './servers.ts';

const REVISION = '2025-03-26';
const HELLO = { protocolVersion: REVISION, capabilities: {}, clientInfo: { name: 'old', version: '1' } };
const commandOf = (era: 'legacy' | 'modern') => {
  const [command, ...args] = fixtureCommand(era);
  return { command, args };
};
const batchOf = (names: readonly string[]): readonly Json[] => [
  ...names.map((name, id) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: {} } })),
  { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'none', progress: 1 } },
  { jsonrpc: '2.0', id: 'list', method: 'tools/list' },
  { jsonrpc: '2.0', id: 'no', method: 'never/heard/of' },
];

function told(answers: readonly Json[], names: readonly string[]): void {
  const of = (id: unknown): Json => answers.find((answer) => answer.id === id) as Json;
  assert.equal(answers.length, names.length + 2, JSON.stringify(answers));
  for (const id of names.keys()) assert.match(JSON.stringify(of(id).result), /simple text/);
  assert.ok((of('list').result as Json).tools);
  assert.equal((of('no').error as Json).code, -32601);
}

test('a batch is answered as its revision wants it, whoever hosts the share and whatever the server speaks', async () => {
  await using house = await House.open();
  const bridge = await house.bridge(...fixtureCommand('modern'));
  const gateway = await house.gateway([
    commandBackend('old', commandOf('legacy')),
    commandBackend('new', commandOf('modern')),
  ]);
  const hosts = [
    [bridge, ['test_simple_text']],
    [gateway, ['old__test_simple_text', 'new__test_simple_text']],
  ] as const;
  for (const [share, names] of hosts) {
    for (const open of [
      () => LineClient.spawn(house.agentProgram(share)),
      () => LineClient.connect(house.socket(share)),
    ]) {
      await using agent = await open();
      const hello = await agent.request('initialize', HELLO);
      assert.equal(hello.result?.protocolVersion, REVISION);
      agent.notify('notifications/initialized');
      agent.write(JSON.stringify(batchOf(names)));
      const { raw } = await agent.line((line) => line.raw.startsWith('['), 'the array of answers');
      told(JSON.parse(raw), names);
    }
    const door = await house.http(share);
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    const post = (body: unknown, more: Record<string, string> = {}): Promise<Response> =>
      fetch(door, { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(body) });
    const greeted = await post({ jsonrpc: '2.0', id: 'hello', method: 'initialize', params: HELLO });
    await greeted.text();
    const session = { 'mcp-session-id': greeted.headers.get('mcp-session-id') ?? '' };
    assert.equal((await post([{ jsonrpc: '2.0', method: 'notifications/initialized' }], session)).status, 202);
    const answered = await post(batchOf(names), session);
    assert.equal(answered.status, 200);
    const events = (await answered.text()).matchAll(/^data: (\{.*)$/gm);
    told(
      [...events].map(([, data = '']) => JSON.parse(data) as Json).filter(({ id }) => id !== undefined),
      names,
    );
  }
});
