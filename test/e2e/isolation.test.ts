// No byte of one client reaches another: many clients that all count their ids from 0 call through one gateway, each with
// a mark of its own in all that it sends and answers, and every line that any of them gets is searched for marks.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { House } from './harness.ts';
import { type Json, LineClient } from './line-client.ts';
import { shareBackend, stdioBackend } from './servers.ts';

const CLIENTS = 64;
/** The rest speaks bare lines on the share's socket: a program for each would only measure the machine. */
const OVER_LINKS = 8;
/** A million: test/long/isolation.long.ts. */
const CALLS = 10_000;
const IN_FLIGHT = 8;
const MARK = /mark-[0-9a-f]{16}/g;

interface Marked {
  readonly mark: string;
  readonly client: LineClient;
}

describe('isolation of clients', () => {
  let house: House;
  let clients: readonly Marked[] = [];

  before(async () => {
    house = await House.open();
    const far = scriptedServer({ name: 'far' });
    const bridge = await house.bridge(far.command, ...far.args);
    const token = await house.gateway([stdioBackend('near'), shareBackend('far', bridge)]);
    clients = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, at) => {
        const mark = `mark-${randomBytes(8).toString('hex')}`;
        const client =
          at < OVER_LINKS ? LineClient.spawn(house.agentProgram(token)) : await LineClient.connect(house.socket(token));
        client.answers.set('sampling/createMessage', () => ({
          role: 'assistant',
          model: mark,
          content: { type: 'text', text: 'sampled' },
        }));
        // Every second client can be asked; the others must not look as if.
        const capabilities =
          at % 2 === 0 ? { sampling: {}, experimental: { [mark]: {} } } : { experimental: { [mark]: {} } };
        await client.initialize(capabilities, mark);
        return { mark, client };
      }),
    );
  });

  after(async () => {
    await Promise.all(clients.map(({ client }) => client.end()));
    await house[Symbol.asyncDispose]();
  });

  test(`T09: ${CLIENTS} clients that all count from 0, ${CALLS} calls: each gets its own answers`, async () => {
    const each = Math.ceil(CALLS / CLIENTS);
    await Promise.all(
      clients.map(async ({ mark, client }) => {
        let n = 0;
        const caller = async (): Promise<void> => {
          while (n < each) {
            n += 1;
            const nonce = `${mark}:${n}`;
            const told = await client.told(n % 2 === 0 ? 'near__echo' : 'far__echo', { nonce }, { nonce });
            assert.equal(told.nonce, nonce);
            assert.deepEqual(told.meta, { nonce });
          }
        };
        await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
      }),
    );
  });

  test("a client's capabilities and name reach its own child, and no other", async () => {
    await Promise.all(
      clients.map(async ({ mark, client }, at) => {
        for (const id of ['near', 'far']) {
          const { client: seen } = (await client.told(`${id}__seen`)) as { client: Json };
          const text = JSON.stringify(seen);
          assert.deepEqual([...new Set(text.match(MARK))], [mark], `${id} of client ${at}: ${text}`);
          assert.equal(text.includes('"sampling"'), at % 2 === 0, `${id} of client ${at}: ${text}`);
        }
      }),
    );
  });

  test('a question of a server reaches the client whose call it serves, and its answer that server', async () => {
    await Promise.all(
      clients.map(async ({ mark, client }, at) => {
        for (const id of ['near', 'far', 'near', 'far']) {
          const params = { messages: [], maxTokens: 1, systemPrompt: mark };
          const told = await client.told(`${id}__ask`, { method: 'sampling/createMessage', params });
          if (at % 2 === 0) assert.equal((told.result as Json).model, mark);
          else assert.equal((told.error as Json).code, -32601);
        }
        assert.equal(client.asked.length, at % 2 === 0 ? 4 : 0);
      }),
    );
  });

  test('what a server keeps in memory is of one client', async () => {
    const pids = await Promise.all(
      clients.flatMap(({ mark, client }) =>
        ['near', 'far'].map(async (id) => {
          assert.equal((await client.told(`${id}__state`, { value: mark })).before, null);
          const { before: kept, pid } = await client.told(`${id}__state`, { value: mark });
          assert.equal(kept, mark);
          return pid;
        }),
      ),
    );
    assert.equal(new Set(pids).size, CLIENTS * 2);
  });

  test('T09: no line that any client got has a mark of another', () => {
    let lines = 0;
    for (const { mark, client } of clients) {
      for (const { raw } of client.lines) {
        lines += 1;
        for (const found of raw.match(MARK) ?? []) assert.equal(found, mark, raw);
      }
    }
    assert.ok(lines > CALLS);
  });
});
