// When servers are started and ended, and what they may have: spares, circuits, idle servers and sandboxes, through the built
// programs. What must stay true meanwhile: nobody gets another's server or secret, nothing runs on.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { processesWith, scriptedServer, untilNoneWith } from '@mcp-overlay/relay/testing';
import { House, root, runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { digestOf, modernTold, SecretsTown } from './secrets-town.ts';
import { commandBackend, fixture } from './servers.ts';

const hasWalls = (() => {
  try {
    execFileSync('bwrap', ['--unshare-pid', '--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', 'true']);
    return true;
  } catch {
    return false;
  }
})();
const withWalls = hasWalls ? {} : { skip: 'bubblewrap is not installed or does not work here: nothing is tested' };

describe('spares', () => {
  test('a session gets the server that was waiting, another is started for the next, and none is left at the end', async () => {
    await using house = await House.open();
    const server = scriptedServer({ name: 'warm' });
    const token = await house.gateway([commandBackend('warm', server, { warm: 1 })]);
    const pids: unknown[] = [];
    for (let n = 0; n < 3; n += 1) {
      await house.untilStatus(token, ({ backends }) => backends[0]?.servers?.spare === 1);
      const waiting = processesWith(server.marker).filter((pid) => !pids.includes(pid));
      assert.equal(waiting.length, 1);
      const agent = LineClient.spawn(house.agentProgram(token));
      await agent.initialize({}, `agent-${n}`);
      const { pid } = await agent.told('pid');
      assert.equal(pid, waiting[0], 'it was started before anybody came');
      assert.match(JSON.stringify(await agent.told('seen')), new RegExp(`agent-${n}`));
      pids.push(pid);
      if (n === 2) await agent[Symbol.asyncDispose]();
      else assert.equal(await agent.end(), 0);
    }
    assert.match((await runToEnd(house.program('gateway', 'status', token))).stdout, /SERVERS/);
  });

  test('a bridge has one ready before the first caller', async () => {
    await using house = await House.open();
    const server = scriptedServer({ name: 'warm' });
    const token = await house.bridge('--warm', '1', server.command, ...server.args);
    for (const until = Date.now() + 30_000; serversWith(server.marker).length !== 1; await wait(50)) {
      assert.ok(Date.now() < until, 'no spare was started');
    }
    const [waiting] = serversWith(server.marker);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    assert.equal((await agent.told('pid')).pid, waiting);
  });

  test('no identity is ever served by a spare with the credential of another', async () => {
    await using town = await SecretsTown.open();
    const people = ['alice', 'bob'];
    const perIdentity: Record<string, unknown> = {};
    for (const name of people) {
      perIdentity[`x509:CN=${name}`] = { env: { SECRET_T: `file:${await town.secret(name, `secret-of-${name}`)}` } };
    }
    const server = fixture('secret-server.mjs');
    const file = await town.house.config(
      [commandBackend('each', server, { era: 'legacy', warm: 2, inject: { per_identity: perIdentity } })],
      { share: { grants: ['network'] } },
    );
    const gateway = await town.house.start(town.house.gatewayProgram(file, ...(await town.as('gateway'))));
    const token = gateway.ready.share_token ?? '';
    const flags = new Map(await Promise.all(people.map(async (name) => [name, await town.as(name)] as const)));
    const served = new Map<unknown, string>();
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(
        people.map(async (name) => {
          await using agent = LineClient.spawn(town.house.agentProgram(token, ...(flags.get(name) ?? [])));
          await agent.initialize();
          const { digests, pid } = await agent.told('who');
          assert.deepEqual(digests, { SECRET_T: digestOf(`secret-of-${name}`) });
          assert.ok(!served.has(pid), 'a server served twice');
          served.set(pid, name);
        }),
      );
      await town.house.untilStatus(token, ({ backends }) => backends[0]?.servers?.spare === 4);
    }
    const environments = processesWith('secret-server.mjs').map((pid) =>
      readFileSync(`/proc/${pid}/environ`, 'latin1'),
    );
    const ours = environments.filter((text) => text.includes('SECRET_T=secret-of-'));
    assert.ok(ours.length >= 4);
    for (const text of ours) assert.ok(!(text.includes('secret-of-alice') && text.includes('secret-of-bob')));
  });
});

/** A bridge has its server's command line in its own. */
function serversWith(marker: string): number[] {
  return processesWith(marker).filter((pid) => !readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('mcp-bridge'));
}

describe('the circuit', () => {
  test('however many sessions want a server that does not start, it is left alone after five failures, and status says what is done', async () => {
    await using house = await House.open();
    const ledger = join(house.home, 'starts');
    const script = `echo x >> ${ledger}; echo "reading licence" >&2; echo "no licence found" >&2; exit 3`;
    const token = await house.gateway([
      commandBackend('broken', { command: '/bin/sh', args: ['-c', script] }),
      commandBackend('fine', scriptedServer({ name: 'fine' })),
    ]);
    const first = LineClient.spawn(house.agentProgram(token));
    const agents = [first, ...Array.from({ length: 3 }, () => LineClient.spawn(house.agentProgram(token)))];
    try {
      await Promise.all(agents.map((agent) => agent.initialize()));
      const { backends } = await house.untilStatus(token, (status) => status.backends[0]?.circuit === 'open');
      // Of those that were being started when the fifth failed each may have failed too: one for each session and the probe.
      const starts = readFileSync(ledger, 'utf8').length / 2;
      assert.ok(starts >= 5 && starts <= 9, `${starts} starts`);
      const [broken, fine] = backends;
      assert.equal(fine?.circuit, 'closed');
      assert.ok((broken?.servers?.retrySeconds ?? 0) > 60);
      assert.deepEqual(broken?.servers?.stderr, ['reading licence', 'no licence found']);
      const { stdout } = await runToEnd(house.program('gateway', 'status', token));
      assert.match(stdout, /broken.*no licence found/);
      assert.match(stdout, /it failed \d times.* \d+ s.*calls to it are refused at once/);

      const { error } = await first.call('broken__anything');
      assert.equal(error?.data?.error, 'backend_unavailable');
      assert.match(error?.message ?? '', /no licence found/);
      assert.equal((await first.told('fine__echo', { nonce: 1 })).nonce, 1);
      assert.equal(readFileSync(ledger, 'utf8').length / 2, starts, 'nobody started it meanwhile');
    } finally {
      await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
    }
  });
});

test('a dozen sessions later the gateway has the children, files and sockets that it had', async () => {
  await using house = await House.open();
  const [plain, boxed] = [scriptedServer({ name: 'plain' }), scriptedServer({ name: 'boxed' })];
  const file = await house.config([
    commandBackend('plain', plain, { warm: 1 }),
    commandBackend('boxed', boxed, { sandbox: 'auto' }),
  ]);
  const gateway = await house.start(house.gatewayProgram(file));
  const token = gateway.ready.share_token ?? '';
  const quiet = async (): Promise<{ children: number; files: number }> => {
    const { pid } = await house.untilStatus(
      token,
      ({ backends, sessions }) =>
        sessions.length === 0 && backends[0]?.servers?.running === 1 && backends[1]?.servers?.running === 0,
    );
    const children = processesWith(plain.marker).length + processesWith(boxed.marker).length;
    return { children, files: readdirSync(`/proc/${pid}/fd`).length };
  };
  const session = async (): Promise<void> => {
    await using client = LineClient.spawn(house.agentProgram(token));
    await client.initialize();
    await Promise.all([client.told('plain__pid'), client.told('boxed__pid')]);
  };
  await session();
  const before = await quiet();
  for (let n = 0; n < 6; n += 1) await Promise.all([session(), session()]);
  assert.deepEqual(await quiet(), before);
});

describe('idle servers', () => {
  for (const way of ['behind a gateway', 'behind a bridge'] as const) {
    test(`${way}: a shared server that nobody uses is ended, and its clients never notice`, async () => {
      await using house = await House.open();
      const server = scriptedServer({ name: 'idle' });
      const token =
        way === 'behind a gateway'
          ? await house.gateway([commandBackend('idle', server, { shared: true, idle: '3s' })])
          : await house.bridge('--shared', '--idle', '3s', server.command, ...server.args);
      await using one = LineClient.spawn(house.agentProgram(token));
      await using two = LineClient.spawn(house.agentProgram(token));
      await Promise.all([one.initialize(), two.initialize()]);
      const first = await one.told('pid');
      assert.deepEqual(await two.told('pid'), first);
      for (let round = 0; round < 2; round += 1) {
        for (const until = Date.now() + 30_000; serversWith(server.marker).length > 0; await wait(50)) {
          assert.ok(Date.now() < until, 'it is never ended');
        }
        if (way === 'behind a gateway') {
          await house.untilStatus(token, ({ backends }) => backends[0]?.servers?.asleep === 1);
          assert.match((await runToEnd(house.program('gateway', 'status', token))).stdout, /idle +stdio .* asleep /);
        }
        const [mine, theirs] = await Promise.all([one.told('pid'), two.told('pid')]);
        assert.deepEqual(mine, theirs);
        assert.notDeepEqual(mine, first);
      }
      if (way === 'behind a bridge') return;
      const { backends } = await house.status(token);
      assert.deepEqual([backends[0]?.state, backends[0]?.restarts, backends[0]?.circuit], ['up', 0, 'closed']);
    });
  }
});

test('a server of the modern era that nobody uses is ended, and the next request finds another', async () => {
  await using house = await House.open();
  const token = await house.gateway([commandBackend('idle', fixture('secret-server.mjs'), { idle: '1s' })]);
  await using agent = LineClient.spawn(house.agentProgram(token));
  const first = await modernTold(agent, 'who');
  await house.untilStatus(token, ({ backends }) => {
    const [idle] = backends;
    return idle?.servers?.asleep === 1 && idle.servers.running === 0;
  });
  const second = await modernTold(agent, 'who');
  assert.notEqual(second.pid, first.pid);
  const { backends } = await house.status(token);
  assert.deepEqual([backends[0]?.state, backends[0]?.restarts, backends[0]?.circuit], ['up', 0, 'closed']);
});

describe('sandboxes', () => {
  const files = join(root, 'node_modules', '@modelcontextprotocol', 'server-filesystem', 'dist', 'index.js');
  const fileServer = { command: process.execPath, args: [files, '/'] };

  test(
    'strict: a file server of the whole disk reads it, changes nothing of it, and finds none of our keys',
    withWalls,
    async () => {
      await using house = await House.open();
      const token = await house.gateway([commandBackend('all', fileServer, { sandbox: { tmp: 'shared' } })]);
      await using agent = LineClient.spawn(house.agentProgram(token));
      await agent.initialize();
      const target = join(homedir(), 'written-by-a-server');
      const told = async (name: string, args: object): Promise<string> => (await agent.call(name, { ...args })).raw;
      assert.match(await told('read_text_file', { path: join(root, 'package.json') }), /mcp-overlay/);
      assert.match(await told('write_file', { path: target, content: 'x' }), /EROFS|read-only/);
      assert.ok(!existsSync(target));
      assert.ok(existsSync(join(house.home, 'run')));
      assert.doesNotMatch(await told('list_directory', { path: house.home }), /run|admin|peers/);
    },
  );

  test(
    'strict: a deaf server and its deaf grandchildren end with the gateway, also when that is killed',
    withWalls,
    async () => {
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        await using house = await House.open();
        const deaf = { ignoreEof: true, ignoreSigterm: true } as const;
        const acts = [{ do: 'spawn', via: 'sh-setsid', deaf: true, clean: true } as const];
        const server = scriptedServer({ name: 'deaf', ...deaf, atStart: acts });
        const file = await house.config([commandBackend('deaf', server, { sandbox: 'strict', warm: 1 })]);
        const gateway = await house.start(house.gatewayProgram(file));
        await house.untilStatusOfAny(({ backends }) => backends[0]?.servers?.spare === 1);
        assert.ok(processesWith(server.marker).length >= 3);
        await gateway.end(signal);
        await untilNoneWith(server.marker);
      }
    },
  );

  test(
    'a bridge says at once that the system has no walls, and what to install',
    hasWalls ? { skip: 'bubblewrap is there' } : {},
    async () => {
      await using house = await House.open();
      const { code, stderr } = await runToEnd(
        house.program('bridge', '--overlay', 'local', '--sandbox', 'strict', 'cat'),
      );
      assert.equal(code, 2);
      assert.match(stderr, /its sandbox needs bwrap \(package bubblewrap\)/);
    },
  );
});
