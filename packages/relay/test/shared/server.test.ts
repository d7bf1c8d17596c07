// One server, many clients, all in memory: what is told apart, what is kept from everybody, and who is given up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorMessage, notificationMessage, parseMessage, requestMessage, resultMessage } from '../../src/json-rpc.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Fault, Message } from '../../src/message.ts';
import { SharedServer } from '../../src/shared/server.ts';
import { type LinkedTransport, linkedTransports } from '../../src/testing/linked.ts';
import type { CloseReason, Transport } from '../../src/transport.ts';

const HELLO = {
  protocolVersion: '2025-11-25',
  capabilities: { tools: { listChanged: true }, logging: {}, tasks: {} },
  serverInfo: { name: 's', version: '1' },
};

interface PlayedServer {
  readonly near: LinkedTransport;
  readonly far: LinkedTransport;
  readonly got: Message[];
}

interface Seen {
  readonly transport: Transport;
  readonly messages: Message[];
  readonly faults: Fault[];
  closed: CloseReason | undefined;
  until<T>(look: () => T | undefined): Promise<T>;
}

/** `greets: false`: initialize is refused. */
function house({ greets = true, hardQueueBytes = LIMITS.hardQueueBytes as number } = {}) {
  const servers: PlayedServer[] = [];
  const shared = new SharedServer({
    by: 'test/1',
    limits: { hardQueueBytes },
    open: async () => {
      const [near, far] = linkedTransports();
      const server: PlayedServer = { near, far, got: [] };
      far.start({
        message: (message) => {
          server.got.push(message);
          if (message.method !== 'initialize') return;
          far.send(greets ? resultMessage(message.id ?? '', HELLO) : errorMessage(message.id ?? '', 'busy', 'no'));
        },
        fault: () => {},
        closed: () => {},
      });
      servers.push(server);
      return near;
    },
  });
  const attach = async (): Promise<Seen> => {
    const transport = await shared.attach();
    const seen: Seen = {
      transport,
      messages: [],
      faults: [],
      closed: undefined,
      until: async (look) => {
        for (;;) {
          const found = look();
          if (found !== undefined) return found;
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
    };
    transport.start({
      message: (message) => seen.messages.push(message),
      fault: (fault) => seen.faults.push(fault),
      closed: (reason) => {
        seen.closed = reason;
      },
    });
    return seen;
  };
  return { shared, servers, attach };
}

const gotBy = (server: PlayedServer | undefined, method: string) =>
  server?.got.filter((m) => m.method === method) ?? [];
const initialize = (id: string, protocolVersion = '2025-11-25') =>
  requestMessage(id, 'initialize', { protocolVersion, capabilities: { sampling: {} }, clientInfo: {} });

test('the server is greeted once, for the first client, without capabilities; each gets the answer in its revision', async () => {
  const { shared, servers, attach } = house();
  const [one, other] = await Promise.all([attach(), attach()]);
  assert.equal(servers.length, 1);
  one.transport.send(initialize('0'));
  other.transport.send(initialize('0', '2025-03-26'));
  const answers = await Promise.all([one, other].map((client) => client.until(() => client.messages[0])));
  const results = answers.map((answer) => parseMessage(answer).result as typeof HELLO);
  assert.deepEqual(
    results.map(({ protocolVersion }) => protocolVersion),
    ['2025-11-25', '2025-03-26'],
  );
  for (const { capabilities } of results) assert.deepEqual(capabilities, { tools: { listChanged: true } });
  const [hello, ...more] = gotBy(servers[0], 'initialize');
  assert.ok(hello && more.length === 0);
  assert.deepEqual((parseMessage(hello) as { params?: { capabilities: unknown } }).params?.capabilities, {});
  one.transport.send(requestMessage('1', 'logging/setLevel', { level: 'debug' }));
  const refused = await one.until(() => one.messages[1]);
  assert.match(refused.bytes.toString(), /-32601.*several clients share/);
  await shared.close();
});

test('a client that leaves takes its calls back; their late answers reach nobody', async () => {
  const { shared, servers, attach } = house();
  const [one, other] = await Promise.all([attach(), attach()]);
  for (const { transport } of [one, other]) transport.send(requestMessage('7', 'tools/call', { name: 'x' }));
  const calls = await one.until(() => (gotBy(servers[0], 'tools/call').length === 2 ? servers[0]?.got : undefined));
  assert.ok(calls);
  await one.transport.close();
  await other.until(() => gotBy(servers[0], 'notifications/cancelled')[0]);
  const ids = gotBy(servers[0], 'tools/call').map(({ id }) => id ?? '');
  for (const id of ids) servers[0]?.far.send(resultMessage(id, { of: id }));
  const answer = await other.until(() => other.messages[0]);
  assert.equal(answer.id, '7');
  assert.equal((parseMessage(answer).result as { of: string }).of, ids[1]);
  assert.equal(one.messages.length, 0);
  await shared.close();
});

test('a broken answer is a fault of the client whose call it was', async () => {
  const { shared, servers, attach } = house();
  const [one, other] = await Promise.all([attach(), attach()]);
  other.transport.send(requestMessage('5', 'tools/call', { name: 'x' }));
  const call = await other.until(() => gotBy(servers[0], 'tools/call')[0]);
  const fault: Fault = { code: 'too_deep', id: call.id, kind: 'response', bytes: 9, preview: '' };
  servers[0]?.near.injectFault(fault);
  assert.equal((await other.until(() => other.faults[0])).id, '5');
  assert.equal(one.faults.length, 0);
  await shared.close();
});

test('a client that takes nothing is given up and the others go on', async () => {
  const { shared, servers, attach } = house({ hardQueueBytes: 1000 });
  const [slow, quick] = await Promise.all([attach(), attach()]);
  await slow.until(() => gotBy(servers[0], 'initialize')[0]);
  slow.transport.pause();
  for (let n = 0; n < 30; n += 1) servers[0]?.far.send(notificationMessage('notifications/tools/list_changed'));
  assert.equal((await slow.until(() => slow.closed)).code, 'queue_full');
  await quick.until(() => (quick.messages.length === 30 ? true : undefined));
  assert.equal(quick.closed, undefined);
  await shared.close();
});

test('a server that refuses initialize ends for its clients, and the next one is asked anew', async () => {
  const { shared, servers, attach } = house({ greets: false });
  const one = await attach();
  assert.match((await one.until(() => one.closed)).reason, /refused initialize: no/);
  const other = await attach();
  await other.until(() => other.closed);
  assert.equal(servers.length, 2);
  await shared.close();
  await assert.rejects(shared.attach(), /ending/);
});

test('calls of a client that the server surely did not take are named to it under its own ids', async () => {
  const { shared, servers, attach } = house();
  const [one, other] = await Promise.all([attach(), attach()]);
  one.transport.send(requestMessage('1', 'tools/call', { name: 'x' }));
  const call = await one.until(() => gotBy(servers[0], 'tools/call')[0]);
  servers[0]?.far.break({ code: 'child_exited', reason: 'it died', notRun: [call.id ?? ''] });
  assert.deepEqual((await one.until(() => one.closed)).notRun, ['1']);
  assert.deepEqual((await other.until(() => other.closed)).notRun, []);
  await shared.close();
});
