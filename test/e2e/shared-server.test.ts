// One server for all clients (`mcp-bridge --shared`, `shared: true`): one process serves them, each gets its own answers
// and progress, and what nobody can say whose it is reaches none of them.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { House, runToEnd } from './harness.ts';
import { type Json, LineClient } from './line-client.ts';
import { shareBackend, stdioBackend } from './servers.ts';

const CLIENTS = 12;
const CALLS = 40;
const MARK = /mark-[0-9a-f]{16}/g;

const WAYS = {
  'a bridge that is dialled directly': (house: House) => sharedBridge(house),
  'a bridge behind a gateway': async (house: House) => house.gateway([shareBackend('only', await sharedBridge(house))]),
  'a gateway': (house: House) => house.gateway([stdioBackend('only', {}, { shared: true })]),
};

function sharedBridge(house: House): Promise<string> {
  const { command, args } = scriptedServer({ name: 'only' });
  return house.bridge('--shared', '--', command, ...args);
}

for (const [way, open] of Object.entries(WAYS)) {
  describe(`one server for all clients, at ${way}`, () => {
    test('one process serves everybody, and nobody gets what is not theirs', async () => {
      await using house = await House.open();
      const token = await open(house);
      const marked = await Promise.all(
        Array.from({ length: CLIENTS }, async () => {
          const mark = `mark-${randomBytes(8).toString('hex')}`;
          const client = await LineClient.connect(house.socket(token));
          const { capabilities } = await client.initialize({ sampling: {}, experimental: { [mark]: {} } }, mark);
          assert.equal((capabilities as Json).logging, undefined);
          return { mark, client };
        }),
      );
      try {
        const pids = await Promise.all(marked.map(async ({ client }) => (await client.told('pid')).pid));
        assert.equal(new Set(pids).size, 1);
        await Promise.all(
          marked.map(async ({ mark, client }) => {
            for (let n = 0; n < CALLS; n += 1) {
              const nonce = `${mark}:${n}`;
              assert.equal((await client.told('echo', { nonce }, { progressToken: 'same', nonce })).nonce, nonce);
            }
            await client.told('progress', { steps: 2 }, { progressToken: 'same' });
            const steps = client.lines.filter(({ value }) => value?.method === 'notifications/progress');
            assert.equal(steps.length, 2);
            for (const { raw } of steps) assert.match(raw, /"progressToken":"same"/);
            await client.call('log', { level: 'error', count: 1, data: mark });
            const { error } = await client.told('ask', { method: 'sampling/createMessage', params: { messages: [] } });
            assert.equal((error as { code: number }).code, -32601);
          }),
        );
        for (const { mark, client } of marked) {
          assert.equal(client.asked.length, 0);
          for (const { raw } of client.lines) {
            for (const found of raw.match(MARK) ?? []) assert.equal(found, mark, raw);
            assert.ok(!raw.includes('notifications/message'), raw);
          }
        }
      } finally {
        await Promise.all(marked.map(({ client }) => client.end()));
      }
    });

    test('updates reach those who asked for them, list changes everybody; the last to leave takes the subscription along', async () => {
      await using house = await House.open();
      const token = await open(house);
      const connect = () => LineClient.connect(house.socket(token));
      await using keen = await connect();
      await using other = await connect();
      await Promise.all([keen.initialize(), other.initialize()]);
      {
        await using also = await connect();
        await also.initialize();
        for (const client of [keen, also]) {
          assert.deepEqual((await client.request('resources/subscribe', { uri: 'scripted://text' })).result, {});
        }
        await other.call('act', { acts: [{ do: 'update', uri: 'scripted://text' }] });
        await Promise.all([keen, also].map((client) => client.heard('notifications/resources/updated')));
        assert.deepEqual((await keen.request('resources/unsubscribe', { uri: 'scripted://text' })).result, {});
        assert.deepEqual((await other.told('seen')).subscriptions, ['scripted://text']);
        await also.end();
      }
      while (((await other.told('seen')).subscriptions as unknown[]).length > 0) await other.request('ping');
      await other.call('act', { acts: [{ do: 'tools', add: ['fresh'] }] });
      await Promise.all([keen, other].map((client) => client.heard('notifications/tools/list_changed')));
      assert.ok(!other.lines.some(({ value }) => value?.method === 'notifications/resources/updated'));
    });

    test('when it dies every client goes on with the next one, and open calls are answered as unknown', async () => {
      await using house = await House.open();
      const token = await open(house);
      await using one = await LineClient.connect(house.socket(token));
      await using other = await LineClient.connect(house.socket(token));
      await Promise.all([one.initialize(), other.initialize()]);
      const before = await one.told('pid');
      const open_ = other.call('hang');
      await other.told('echo');
      await one.call('act', { acts: [{ do: 'die', signal: 'SIGKILL' }] });
      assert.equal((await open_).error?.data?.error, 'outcome_unknown');
      const pids = await Promise.all([one, other].map(async (client) => (await client.told('pid')).pid));
      assert.equal(pids[0], pids[1]);
      assert.notEqual(pids[0], before.pid);
    });
  });
}

test('shared belongs to servers that the gateway starts itself', async () => {
  await using house = await House.open();
  const file = await house.config([shareBackend('far', 'build-box', { shared: true })]);
  const { code, stderr } = await runToEnd(house.program('gateway', 'check', file, '--offline'));
  assert.equal(code, 2);
  assert.match(stderr, /belongs to type stdio, not share: say --shared to its bridge/);
});
