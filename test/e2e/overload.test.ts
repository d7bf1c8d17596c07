// A gateway that has hardly any files left, as one for which too much was opened: it says so, takes nothing new, keeps what
// it has, and takes sessions again when some have gone.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { type Command, House, runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { stdioBackend } from './servers.ts';

const timeout = 120_000;

test('files run short: new sessions and calls are told to come again, those that are open go on, status says what to do', {
  timeout,
}, async () => {
  await using house = await House.open();
  const token = await house.createShare('steady');
  const program = house.gatewayProgram(await house.config([stdioBackend('one')], { share: { token } }));
  const files = await filesWith(house, program, token);
  // With one session it has 60 % of them, give or take one: well below the 72 % at which the level is left again.
  const limit = Math.ceil(files / 0.6);
  const few = withFiles(program, limit);
  const gateway = await house.start(few);
  await using first = LineClient.spawn(house.agentProgram(token));
  await first.initialize();
  assert.equal((await first.told('echo', { nonce: 'a' })).nonce, 'a');
  const more: LineClient[] = [];
  try {
    while ((await filesOf(gateway.pid)) <= limit * 0.8) {
      const client = await LineClient.connect(house.socket(token));
      more.push(client);
      await client.initialize();
    }
    const { overload, troubles } = await house.untilStatus(token, ({ overload: { level } }) => level > 0);
    const trouble = troubles.find(({ about }) => about === 'overload');
    assert.match(trouble?.failed ?? '', /^\d+ % of the files that this process may open are open$/);
    const shown = await runToEnd(house.program('gateway', 'status', token));
    assert.match(
      shown.stdout,
      /not well: overload, since .*\n {2}new sessions.*\n {2}to do: raise the limit of open files/,
    );
    const refused = await LineClient.connect(house.socket(token));
    refused.write('{"jsonrpc":"2.0","id":0,"method":"ping"}');
    const { value } = await refused.line(() => true, 'a refusal');
    assert.match(JSON.stringify(value), /overloaded and takes no new sessions.*retryAfterMs/);
    const { error } = await first.call('echo', { nonce: 'b' });
    if (overload.level === 1) assert.equal(error, undefined);
    else assert.equal(error?.data?.error, 'busy');
  } finally {
    for (const client of more) await client[Symbol.asyncDispose]();
  }
  await house.untilStatus(token, ({ overload }) => overload.level === 0);
  await using next = LineClient.spawn(house.agentProgram(token));
  await next.initialize();
  assert.equal((await first.told('echo', { nonce: 'c' })).nonce, 'c');
  assert.match(gateway.stderr(), /"about":"overload".*"msg":"trouble"|"msg":"overload"/);
});

/** How many it has with one session. */
async function filesWith(house: House, program: Command, token: string): Promise<number> {
  const gateway = await house.start(program);
  await using agent = LineClient.spawn(house.agentProgram(token));
  await agent.initialize();
  assert.equal((await agent.told('echo', { nonce: 'a' })).nonce, 'a');
  const count = await filesOf(gateway.pid);
  await agent.end();
  await gateway.end();
  return count;
}

async function filesOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

function withFiles({ command, args, env }: Command, files: number): Command {
  return { command: '/bin/sh', args: ['-c', `ulimit -n ${files}; exec "$0" "$@"`, command, ...args], env };
}
