import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  LIMITS,
  leaving,
  type Message,
  notificationMessage,
  parseMessage,
  requestMessage,
  resultMessage,
  type SourceEvents,
  type SteadyOptions,
  SteadySession,
} from '../../src/index.ts';
import { type LinkedTransport, linkedTransports } from '../../src/testing/linked.ts';

type Server = {
  ours: LinkedTransport;
  transport: LinkedTransport;
  events: SourceEvents;
  got: Message[];
  next(): Promise<Message>;
};

/** A steady session whose servers are made here, one for each time it opens. */
function setup(options: Partial<SteadyOptions> = {}, beforeOpening = (): void => {}) {
  const servers: Server[] = [];
  const openings: ((server: Server) => void)[] = [];
  const toClient: Message[] = [];
  const clientWaits: (() => void)[] = [];
  let closed: string | undefined;
  const session = new SteadySession({
    name: 'backend fs',
    open: async (events) => {
      beforeOpening();
      const [ours, theirs] = linkedTransports();
      const got: Message[] = [];
      const waits: ((message: Message) => void)[] = [];
      theirs.start({
        message: (message) => {
          const wait = waits.shift();
          if (wait) wait(message);
          else got.push(message);
        },
        fault: () => {},
        closed: () => {},
      });
      const next = (): Promise<Message> => {
        const message = got.shift();
        return message ? Promise.resolve(message) : new Promise((resolve) => waits.push(resolve));
      };
      const server = { ours, transport: theirs, events, got, next };
      servers.push(server);
      openings.shift()?.(server);
      return ours;
    },
    backoff: { next: () => 0, note: () => {} },
    waitMs: 60_000,
    startMs: 60_000,
    unavailable: 'backend_unavailable',
    facts: { backend: 'fs' },
    ...options,
  });
  session.start({
    message: (message) => {
      toClient.push(message);
      for (const wake of clientWaits.splice(0)) wake();
    },
    fault: () => assert.fail('a fault reached the client'),
    closed: ({ code }) => {
      closed = code;
    },
  });
  let opened = 0;
  return {
    session,
    /** The nth server, when it was opened. */
    async server(): Promise<Server> {
      const at = opened++;
      return servers[at] ?? new Promise((resolve) => openings.push(resolve));
    },
    async fromSession(): Promise<Message> {
      for (;;) {
        const message = toClient.shift();
        if (message) return message;
        await new Promise<void>((resolve) => clientWaits.push(resolve));
      }
    },
    toClient,
    closed: () => closed,
    [Symbol.asyncDispose]: () => session.close(),
  };
}

const INIT = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } };
const welcome = { protocolVersion: '2025-11-25', capabilities: { logging: {}, tools: {} }, serverInfo: { name: 's' } };

/** Client and server have shaken hands. */
async function established(options: Partial<SteadyOptions> = {}, beforeOpening = (): void => {}) {
  const house = setup(options, beforeOpening);
  const server = await house.server();
  house.session.send(requestMessage('0', 'initialize', INIT));
  const initialize = await server.next();
  assert.equal(initialize.method, 'initialize');
  server.transport.send(resultMessage('0', welcome));
  assert.equal((await house.fromSession()).id, '0');
  house.session.send(notificationMessage('notifications/initialized'));
  assert.equal((await server.next()).method, 'notifications/initialized');
  return { ...house, first: server };
}

const errorOf = (message: Message) =>
  (parseMessage(message) as { error?: { code: number; message: string; data: Record<string, unknown> } }).error;

/** What a rebuild asks of a new server, answered. */
async function answerRebuild(server: Server): Promise<Message[]> {
  const asked: Message[] = [];
  for (;;) {
    const message = await server.next();
    asked.push(message);
    if (message.kind === 'notification') return asked;
    server.transport.send(resultMessage(message.id ?? '', welcome));
  }
}

test('a call that was open when the server died is answered as unknown, names who failed, and is not sent again', async () => {
  await using house = await established();
  house.session.send(requestMessage('7', 'tools/call', { name: 'pay' }));
  await house.first.next();
  house.first.transport.break({ code: 'child_exited', reason: 'it exited with code 1' });
  const answer = await house.fromSession();
  assert.equal(answer.id, '7');
  const error = errorOf(answer);
  assert.equal(error?.code, -31051);
  assert.match(error?.message ?? '', /outcome unknown: backend fs .*exited with code 1/);
  assert.deepEqual(error?.data, { error: 'outcome_unknown', backend: 'fs' });
  const second = await house.server();
  const asked = await answerRebuild(second);
  assert.deepEqual(
    asked.map(({ method }) => method),
    ['initialize', 'notifications/initialized'],
  );
});

test('the session is rebuilt on the new server: the same initialize, log level and subscriptions', async () => {
  await using house = await established();
  const level = requestMessage('1', 'logging/setLevel', { level: 'debug' });
  const subscribe = (id: string, uri: string): Message => requestMessage(id, 'resources/subscribe', { uri });
  const unsubscribe = requestMessage('4', 'resources/unsubscribe', { uri: 'memo:b' });
  for (const request of [level, subscribe('2', 'memo:a'), subscribe('3', 'memo:b'), unsubscribe]) {
    house.session.send(request);
    house.first.transport.send(resultMessage((await house.first.next()).id ?? '', {}));
    await house.fromSession();
  }
  house.first.transport.break();
  const second = await house.server();
  const initialize = await second.next();
  assert.deepEqual((parseMessage(initialize) as { params: unknown }).params, INIT);
  second.transport.send(resultMessage(initialize.id ?? '', welcome));
  assert.equal((await second.next()).method, 'notifications/initialized');
  const replayed = [await second.next(), await second.next()];
  assert.deepEqual(
    replayed.map((message) => [message.method, (parseMessage(message) as { params: unknown }).params]),
    [
      ['logging/setLevel', { level: 'debug' }],
      ['resources/subscribe', { uri: 'memo:a' }],
    ],
  );
});

test('a request without effects is asked once more on the new server, and only once', async () => {
  await using house = await established();
  house.session.send(requestMessage('5', 'resources/read', { uri: 'memo:a' }));
  await house.first.next();
  house.first.transport.break();
  const second = await house.server();
  await answerRebuild(second);
  const again = await second.next();
  assert.deepEqual([again.method, again.id], ['resources/read', '5']);
  await house.fromSession(); // the log message of the restart
  second.transport.break({ code: 'child_exited', reason: 'it exited again' });
  const answer = await house.fromSession();
  assert.equal(answer.id, '5');
  assert.equal(errorOf(answer)?.code, -31050);
});

test('a request that comes while there is no server waits for the next one', async () => {
  await using house = await established();
  house.first.transport.break();
  const second = await house.server();
  house.session.send(requestMessage('"x"', 'tools/call', { name: 'a' }));
  await answerRebuild(second);
  const call = await second.next();
  assert.equal(call.id, '"x"');
  second.transport.send(resultMessage('"x"', { content: [] }));
  const answers = [await house.fromSession(), await house.fromSession()];
  assert.ok(answers.some((message) => message.id === '"x"'));
});

test('a request that waited in vain gets an error that says since when and why', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  let opens = 0;
  const house = setup({
    open: () => {
      opens += 1;
      return Promise.reject(new Error('nobody is there'));
    },
    backoff: { next: () => 1_000_000, note: () => {} },
    waitMs: 60_000,
  });
  await Promise.resolve();
  house.session.send(requestMessage('1', 'initialize', INIT));
  t.mock.timers.tick(60_000);
  const error = errorOf(await house.fromSession());
  assert.equal(error?.code, -31050);
  assert.match(
    error?.message ?? '',
    /backend fs has not been reachable since 1970-01-01T00:16:40.000Z: nobody is there/,
  );
  assert.equal(opens, 1);
  await house.session.close();
});

test('what a restarted server asks never carries an id the client has seen, and answers find their way back', async () => {
  await using house = await established();
  house.first.transport.send(requestMessage('0', 'sampling/createMessage', {}));
  assert.equal((await house.fromSession()).id, '0');
  house.first.transport.break({ code: 'child_exited', reason: 'gone' });
  const cancelled = await house.fromSession();
  assert.equal(cancelled.method, 'notifications/cancelled');
  assert.equal((parseMessage(cancelled) as { params: { requestId: unknown } }).params.requestId, 0);
  const second = await house.server();
  await answerRebuild(second);
  second.transport.send(requestMessage('0', 'sampling/createMessage', {}));
  let asked = await house.fromSession();
  while (asked.kind !== 'request') asked = await house.fromSession();
  assert.notEqual(asked.id, '0');
  // The late answer to the dead server goes nowhere; the answer to the new one arrives under its own id.
  house.session.send(resultMessage('0', { late: true }));
  house.session.send(resultMessage(asked.id ?? '', { fresh: true }));
  const answer = await second.next();
  assert.equal(answer.id, '0');
  assert.deepEqual((parseMessage(answer) as { result: unknown }).result, { fresh: true });
});

test('answers nobody asked for and second answers are dropped', async () => {
  await using house = await established();
  house.session.send(requestMessage('3', 'tools/call', {}));
  await house.first.next();
  for (const id of ['99', '"3"', '3', '3']) house.first.transport.send(resultMessage(id, { id }));
  house.first.transport.send(notificationMessage('notifications/mark'));
  assert.equal((await house.fromSession()).id, '3');
  assert.equal((await house.fromSession()).method, 'notifications/mark');
});

test('an id that is in use is refused, the first request goes on', async () => {
  await using house = await established();
  house.session.send(requestMessage('3', 'tools/call', { first: true }));
  house.session.send(requestMessage('3', 'tools/call', { second: true }));
  assert.equal(errorOf(await house.fromSession())?.code, -32600);
  await house.first.next();
  house.first.transport.send(resultMessage('3', { ok: true }));
  const answer = await house.fromSession();
  assert.deepEqual((parseMessage(answer) as { result: unknown }).result, { ok: true });
});

test('an answer that cannot be passed on becomes an error for its request', async () => {
  await using house = await established();
  house.session.send(requestMessage('3', 'tools/call', {}));
  await house.first.next();
  const fault = { code: 'message_too_large', id: '3', kind: 'response', bytes: 2e7, preview: '{' } as const;
  house.first.ours.injectFault(fault);
  const error = errorOf(await house.fromSession());
  assert.equal(error?.code, -31053);
  assert.match(error?.message ?? '', /the answer of backend fs was not passed on: it is too large \(20000000 bytes\)/);
});

test('a question of the server that cannot be passed on is refused to the server; the call under the same id goes on', async () => {
  await using house = await established();
  house.session.send(requestMessage('3', 'tools/call', {}));
  await house.first.next();
  house.first.ours.injectFault({ code: 'number_too_large', id: '3', kind: 'request', bytes: 99, preview: '{' });
  const refusal = await house.first.next();
  assert.deepEqual([refusal.kind, refusal.id, errorOf(refusal)?.code], ['response', '3', -32600]);
  house.first.transport.send(resultMessage('3', { ok: true }));
  assert.equal(errorOf(await house.fromSession()), undefined);
});

test('a suspended way lets new requests wait here and loses nothing when it is mended', async () => {
  await using house = await established();
  house.first.events.suspended('network gone');
  assert.equal(house.session.state.phase, 'suspended');
  house.session.send(requestMessage('8', 'tools/call', {}));
  assert.equal(house.first.got.length, 0);
  house.first.events.resumed();
  assert.equal((await house.first.next()).id, '8');
});

test('a way that is shut: what waits and what comes is told at once, until it is open again', async () => {
  const refusal = Object.assign(new Error('not you'), { hint: 'ask her' });
  const refusedWith = (error: unknown) => (error === refusal ? 'peer_denied' : undefined);
  await using house = await established({ refusedWith, unavailable: 'share_unreachable' });
  house.session.send(requestMessage('7', 'tools/call', {}));
  assert.equal((await house.first.next()).id, '7');
  house.first.events.suspended('network gone');
  house.session.send(requestMessage('8', 'tools/call', {}));
  house.first.events.suspended('network gone', new Error('still gone'));
  assert.deepEqual(house.toClient, []);
  house.first.events.suspended('network gone', refusal);
  house.session.send(requestMessage('9', 'tools/call', {}));
  for (const id of ['8', '9']) {
    const answer = await house.fromSession();
    assert.equal(answer.id, id);
    const error = errorOf(answer);
    assert.equal(error?.code, -31054);
    assert.match(error?.message ?? '', /: not you \(ask her\)$/);
    assert.equal((error as { data?: { refused?: string } }).data?.refused, 'peer_denied');
  }
  // What was sent is still the way's own business; an attempt that fails for another reason ends the refusal.
  house.first.events.suspended('network gone', new Error('gone again'));
  house.session.send(requestMessage('10', 'tools/call', {}));
  house.first.events.resumed();
  assert.equal((await house.first.next()).id, '10');
  house.first.transport.send(resultMessage('7', {}));
  assert.equal((await house.fromSession()).id, '7');
});

test('an opening that is refused is tried on, and nobody waits for it', async () => {
  let refuse = false;
  let opened = 0;
  await using house = await established({ refusedWith: () => 'host_changed' }, () => {
    opened += 1;
    if (refuse) throw new Error('another host');
  });
  refuse = true;
  house.session.send(requestMessage('7', 'tools/list', {}));
  await house.first.next();
  house.first.transport.break();
  const error = errorOf(await house.fromSession());
  assert.match(error?.message ?? '', /another host/);
  house.session.send(requestMessage('8', 'tools/call', {}));
  assert.match(errorOf(await house.fromSession())?.message ?? '', /another host/);
  assert.ok(opened > 1);
  refuse = false;
  const second = await house.server();
  await answerRebuild(second);
  house.session.send(requestMessage('9', 'tools/call', {}));
  assert.equal((await second.next()).id, '9');
});

test('a host that has forgotten the link gets the session anew, again and again', async () => {
  await using house = await established();
  for (const round of [1, 2]) {
    house.first.events.suspended('gone');
    house.first.events.renewed();
    await answerRebuild(house.first);
    house.session.send(requestMessage(`${100 + round}`, 'tools/call', {}));
    assert.equal((await house.first.next()).id, `${100 + round}`);
    assert.equal(house.session.state.rebuilt, round);
  }
});

test('list_changed follows a restart only where a list is not what the client saw', async () => {
  for (const changed of [false, true]) {
    await using house = await established();
    house.session.send(requestMessage('2', 'tools/list', {}));
    house.first.transport.send(resultMessage((await house.first.next()).id ?? '', { tools: [{ name: 'a' }] }));
    await house.fromSession();
    house.first.transport.break();
    const second = await house.server();
    await answerRebuild(second);
    const list = await second.next();
    assert.equal(list.method, 'tools/list');
    const tools = changed ? [{ name: 'a' }, { name: 'b' }] : [{ name: 'a' }];
    second.transport.send(resultMessage(list.id ?? '', { tools }));
    second.transport.send(notificationMessage('notifications/mark'));
    const seen: (string | undefined)[] = [];
    while (!seen.includes('notifications/mark')) seen.push((await house.fromSession()).method);
    if (changed && !seen.includes('notifications/tools/list_changed')) seen.push((await house.fromSession()).method);
    assert.equal(seen.includes('notifications/tools/list_changed'), changed, seen.join(' '));
  }
});

test('a fatal opening error answers the first request and ends the session', async () => {
  const house = setup({
    open: () => Promise.reject(new Error('share x does not exist')),
    isFatal: () => true,
    failGraceMs: 60_000,
    unavailable: 'share_unreachable',
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(house.closed(), undefined);
  house.session.send(requestMessage('0', 'initialize', INIT));
  const error = errorOf(await house.fromSession());
  assert.equal(error?.code, -31054);
  assert.match(error?.message ?? '', /share x does not exist/);
  await house.session.close();
  assert.equal(house.closed(), 'failed');
});

test('close answers what is open, exactly once, and is idempotent', async () => {
  const house = await established();
  house.session.send(requestMessage('9', 'tools/call', {}));
  await Promise.all([house.session.close(), house.session.close()]);
  assert.deepEqual(
    house.toClient.map(({ id }) => id),
    ['9'],
  );
  assert.equal(house.closed(), 'done');
});

test('a session that drains finishes what is open and refuses what is new, saying that it was not run', async () => {
  await using house = await established();
  house.session.send(requestMessage('3', 'tools/call', {}));
  const drained = house.session.drain();
  house.session.send(requestMessage('4', 'tools/call', {}));
  const refused = errorOf(await house.fromSession());
  assert.equal(refused?.code, -31056);
  assert.equal(refused?.data?.error, 'ending');
  assert.match(refused?.message ?? '', /backend fs is ending .* not run/);
  assert.equal((await house.first.next()).id, '3');
  house.first.transport.send(resultMessage('3', {}));
  await drained;
  assert.equal((await house.fromSession()).id, '3');
});

test('what a leaving host did not run waits for its successor, in order, and is sent there once', async () => {
  await using house = await established({ outlivesHosts: true });
  for (const id of ['3', '4', '5']) house.session.send(requestMessage(id, 'tools/call', {}));
  for (const id of ['3', '4', '5']) assert.equal((await house.first.next()).id, id);
  for (const id of ['3', '5']) house.first.transport.send(leaving(id, 'the gateway'));
  house.first.transport.send(resultMessage('4', { ran: 'here' }));
  assert.equal((await house.fromSession()).id, '4');
  house.first.transport.break({ code: 'away', reason: 'the gateway is ending' });
  const second = await house.server();
  await answerRebuild(second);
  assert.equal((await house.fromSession()).method, 'notifications/message', 'what it held in memory is gone');
  for (const id of ['3', '5']) {
    assert.equal((await second.next()).id, id);
    second.transport.send(resultMessage(id, {}));
    const answer = await house.fromSession();
    assert.equal(answer.id, id);
    assert.equal(errorOf(answer), undefined);
  }
  assert.deepEqual(second.got, []);
});

test('what a leaving host did not run can be taken back, and does not wait for ever', async () => {
  await using house = await established({ outlivesHosts: true, waitMs: 20 });
  for (const id of ['3', '4']) house.session.send(requestMessage(id, 'tools/call', {}));
  await house.first.next();
  await house.first.next();
  for (const id of ['3', '4']) house.first.transport.send(leaving(id, 'the gateway'));
  house.first.transport.send(notificationMessage('notifications/message', {}));
  assert.equal((await house.fromSession()).method, 'notifications/message');
  house.session.send(notificationMessage('notifications/cancelled', { requestId: 3 }));
  const answer = await house.fromSession();
  assert.equal(answer.id, '4');
  assert.equal(errorOf(answer)?.data.error, 'backend_unavailable');
  assert.deepEqual(house.first.got, []);
});

test('only a host of ours can leave: such an error of a server is an answer like any other', async () => {
  await using house = await established();
  house.session.send(requestMessage('3', 'tools/call', {}));
  await house.first.next();
  house.first.transport.send(leaving('3', 'the server'));
  assert.equal(errorOf(await house.fromSession())?.data.error, 'ending');
});

test('a server that asks without end is told so, and the client is asked no more than it can hold', async () => {
  await using house = await established();
  for (let id = 0; id <= 1024; id += 1) house.first.transport.send(requestMessage(String(id), 'roots/list'));
  const refused = await house.first.next();
  assert.equal(refused.id, '1024');
  assert.equal(errorOf(refused)?.code, -31000);
  for (let id = 0; id < 1024; id += 1) assert.equal((await house.fromSession()).id, String(id));
});

test('a way that stays broken longer than any host keeps a link gives its open calls up, and no call twice', async (t) => {
  await using house = await established();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  house.session.send(requestMessage('3', 'tools/call', {}));
  await house.first.next();
  house.first.events.suspended('network gone');
  t.mock.timers.tick(LIMITS.linkWindowMs - 1);
  assert.equal(house.toClient.length, 0);
  t.mock.timers.tick(1);
  const error = errorOf(await house.fromSession());
  assert.equal(error?.code, -31051);
  t.mock.timers.reset();
  house.first.events.resumed();
  house.first.transport.send(resultMessage('3', { late: true }));
  house.first.transport.send(notificationMessage('notifications/mark'));
  assert.equal((await house.fromSession()).method, 'notifications/mark');
});
