// T09, all of it: 64 clients that all count their ids from 0 call one gateway a million times, each with a mark of its own in
// all that it sends. Each gets its own answers, and no line has a mark of another. CALLS chooses another count.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { House } from '../e2e/harness.ts';
import { LineClient } from '../e2e/line-client.ts';
import { shareBackend, stdioBackend } from '../e2e/servers.ts';
import { MarkedCaller } from './marked-caller.ts';

const CALLS = Number(process.env.CALLS ?? 1_000_000);
const CLIENTS = 64;
/** The rest speaks bare lines on the share's socket: a program for each would only measure the machine. */
const OVER_LINKS = 8;
const IN_FLIGHT = 8;

test(`T09: ${CLIENTS} clients that all count from 0, ${CALLS} calls: each gets its own answers, and nothing of others`, async (t) => {
  await using house = await House.open(60_000);
  const far = scriptedServer({ name: 'far' });
  const bridge = await house.bridge(far.command, ...far.args);
  const token = await house.gateway([stdioBackend('near'), shareBackend('far', bridge)]);
  // One after the other: 64 at once is an overload, and the last ones would be told so.
  const clients: { readonly client: LineClient; readonly caller: MarkedCaller }[] = [];
  for (let at = 0; at < CLIENTS; at += 1) {
    const mark = `mark-${randomBytes(8).toString('hex')}`;
    const client =
      at < OVER_LINKS ? LineClient.spawn(house.agentProgram(token)) : await LineClient.connect(house.socket(token));
    await client.initialize({ experimental: { [mark]: {} } }, mark);
    clients.push({ client, caller: new MarkedCaller(mark, client.ends) });
  }
  const each = Math.ceil(CALLS / CLIENTS);
  const lines = await Promise.all(clients.map(({ caller }) => caller.call(each, IN_FLIGHT)));
  const all = lines.reduce((sum, count) => sum + count, 0);
  assert.ok(all >= each * CLIENTS);
  t.diagnostic(`${each * CLIENTS} calls, ${all} lines`);
  await Promise.all(clients.map(({ client }) => client.end()));
});
