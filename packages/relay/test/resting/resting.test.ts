// A server that is ended while nobody uses it, in memory: when it may, what it is told when it is back, what is never lost.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { notificationMessage, parseMessage, requestMessage, resultMessage } from '../../src/json-rpc.ts';
import type { Message } from '../../src/message.ts';
import { restingServer } from '../../src/resting/resting.ts';
import { linkedTransports } from '../../src/testing/linked.ts';
import type { CloseReason, Transport } from '../../src/transport.ts';

const IDLE_MS = 15;
/** The timer of a server that could sleep keeps no process alive. */
const alive = setInterval(() => {}, 1000);
after(() => clearInterval(alive));
const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's', version: '1' } };

interface Life {
  readonly got: Message[];
  readonly far: Transport;
  closed: CloseReason | undefined;
}

interface House {
  readonly server: Transport;
  readonly lives: Life[];
  readonly heard: Message[];
  closed: CloseReason | undefined;
  asleep: boolean;
  overs: number;
  /** Does not answer these. */
  readonly silent: Set<string>;
  tools: string[];
  failsToOpen: boolean;
  ask(id: string, method: string, params?: object): void;
  until(look: () => unknown): Promise<void>;
}

async function house({ mayForget = true, wakeMs = 60_000 } = {}): Promise<House> {
  const wakers: (() => void)[] = [];
  const changed = (): void => {
    for (const wake of wakers.splice(0)) wake();
  };
  const open = async (): Promise<Transport> => {
    if (built.failsToOpen) throw new Error('no licence');
    const [near, far] = linkedTransports();
    const life: Life = { got: [], far, closed: undefined };
    far.start({
      message: (message) => {
        life.got.push(message);
        changed();
        if (message.kind !== 'request' || built.silent.has(message.method ?? '')) return;
        const result =
          message.method === 'initialize' ? HELLO : message.method === 'tools/list' ? { tools: built.tools } : {};
        far.send(resultMessage(message.id ?? '', { ...result, life: built.lives.length }));
      },
      fault: () => {},
      closed: (reason) => {
        life.closed = reason;
        changed();
      },
    });
    built.lives.push(life);
    return near;
  };
  const built = {
    lives: [] as Life[],
    heard: [] as Message[],
    closed: undefined as CloseReason | undefined,
    asleep: false,
    overs: 0,
    silent: new Set<string>(),
    tools: ['a'],
    failsToOpen: false,
    ask(id: string, method: string, params?: object) {
      built.server.send(requestMessage(id, method, params as Record<string, unknown>));
    },
    async until(look: () => unknown) {
      while (!look()) await new Promise<void>((resolve) => wakers.push(resolve));
    },
  } as House & { server: Transport };
  built.server = await restingServer({
    ...{ name: 'server', open, idleMs: IDLE_MS, mayForget, wakeMs },
    onOver: () => {
      built.overs += 1;
    },
    onAsleep: (asleep) => {
      built.asleep = asleep;
      changed();
    },
  });
  built.server.start({
    message: (message) => {
      built.heard.push(message);
      changed();
    },
    fault: () => {},
    closed: (reason) => {
      built.closed = reason;
      changed();
    },
  });
  return built;
}

const answered = (at: House, id: string): Message | undefined =>
  at.heard.find((message) => message.kind === 'response' && message.id === id);
const methods = (life: Life | undefined): (string | undefined)[] => (life?.got ?? []).map(({ method }) => method);

test('a modern server that nobody used is ended, and the next request finds another', async () => {
  const at = await house();
  at.ask('1', 'tools/call');
  await at.until(() => answered(at, '1'));
  await at.until(() => at.asleep);
  await at.until(() => at.lives[0]?.closed);
  assert.equal(at.lives[0]?.closed?.code, 'done');
  at.ask('2', 'tools/call');
  await at.until(() => answered(at, '2'));
  assert.equal(at.lives.length, 2);
  assert.deepEqual(methods(at.lives[1]), ['tools/call'], 'nothing is replayed where there is no session');
  assert.equal(at.closed, undefined);
  await at.server.close();
});

test('a shared legacy server is greeted like the first, with its log level, and tells if its lists changed', async () => {
  const at = await house();
  at.ask('1', 'initialize', { protocolVersion: '2025-11-25' });
  await at.until(() => answered(at, '1'));
  at.server.send(notificationMessage('notifications/initialized'));
  at.ask('2', 'logging/setLevel', { level: 'error' });
  at.ask('3', 'tools/list');
  await at.until(() => answered(at, '3'));
  await at.until(() => at.asleep);
  at.tools = ['a', 'b'];
  at.ask('4', 'tools/call');
  await at.until(() => answered(at, '4'));
  assert.deepEqual(methods(at.lives[1]).slice(0, 4), [
    'initialize',
    'notifications/initialized',
    'logging/setLevel',
    'tools/call',
  ]);
  await at.until(() => at.heard.some(({ method }) => method === 'notifications/tools/list_changed'));
  assert.equal(at.heard.filter(({ kind }) => kind === 'response').length, 4, 'our own questions are our own');
  await at.server.close();
});

for (const [what, keep, release] of [
  [
    'a request is open',
    (at: House) => at.ask('9', 'tools/call'),
    (at: House) => void at.lives[0]?.far.send(resultMessage('9', {})),
  ],
  [
    'a question of the server is open',
    (at: House) => void at.lives[0]?.far.send(requestMessage('"q"', 'roots/list')),
    (at: House) => void at.server.send(resultMessage('"q"', { roots: [] })),
  ],
] as const) {
  test(`it does not sleep while ${what}, and does after`, async () => {
    const at = await house();
    at.silent.add('tools/call');
    keep(at);
    await at.until(() => (at.lives[0]?.got.length ?? 0) + at.heard.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 6 * IDLE_MS));
    assert.equal(at.asleep, false);
    release(at);
    await at.until(() => at.asleep);
    await at.server.close();
  });
}

test('it does not sleep with a subscription, nor where its session is one client’s', async () => {
  for (const mayForget of [true, false]) {
    const at = await house({ mayForget });
    at.ask('1', 'initialize', {});
    await at.until(() => answered(at, '1'));
    if (mayForget) {
      at.ask('2', 'resources/subscribe', { uri: 'x:1' });
      await at.until(() => answered(at, '2'));
    }
    await new Promise((resolve) => setTimeout(resolve, 6 * IDLE_MS));
    assert.equal(at.asleep, false);
    await at.server.close();
    assert.equal(at.lives.length, 1);
  }
});

test('who only wants to hear of changed lists does not keep it awake, and is told to look at its successor', async () => {
  const at = await house();
  const acknowledge = (life: Life | undefined): void => {
    const _meta = { 'io.modelcontextprotocol/subscriptionId': 'w' };
    const params = { notifications: { toolsListChanged: true }, _meta };
    life?.far.send(notificationMessage('notifications/subscriptions/acknowledged', params));
  };
  at.silent.add('subscriptions/listen');
  at.ask('"w"', 'subscriptions/listen', { notifications: { toolsListChanged: true } });
  await at.until(() => at.lives[0]?.got.length);
  acknowledge(at.lives[0]);
  await at.until(() => at.asleep && at.heard.length > 0);
  assert.equal(at.heard.length, 1);
  at.ask('2', 'tools/call');
  await at.until(() => answered(at, '2'));
  assert.deepEqual(methods(at.lives[1]), ['subscriptions/listen', 'tools/call']);
  acknowledge(at.lives[1]);
  await at.until(() => at.heard.some(({ method }) => method === 'notifications/tools/list_changed'));
  assert.equal(
    at.heard.filter(({ method }) => method?.includes('acknowledged')).length,
    1,
    'it was acknowledged before',
  );
  at.server.send(notificationMessage('notifications/cancelled', { requestId: 'w' }));
  await at.until(() => at.asleep);
  at.ask('3', 'tools/call');
  await at.until(() => answered(at, '3'));
  assert.deepEqual(methods(at.lives[2]), ['tools/call'], 'nobody listens any more');
  await at.server.close();
});

test('a modern subscription to a resource keeps it awake', async () => {
  const at = await house();
  at.silent.add('subscriptions/listen');
  at.ask('"w"', 'subscriptions/listen', { notifications: { resourceSubscriptions: ['x:1'] } });
  await at.until(() => at.lives[0]?.got.length);
  await new Promise((resolve) => setTimeout(resolve, 6 * IDLE_MS));
  assert.equal(at.asleep, false);
  await at.server.close();
});

test('what clients say of themselves wakes nobody', async () => {
  const at = await house();
  at.ask('1', 'ping');
  await at.until(() => at.asleep);
  at.server.send(notificationMessage('notifications/roots/list_changed'));
  at.server.send(notificationMessage('notifications/cancelled', { requestId: 1 }));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(at.lives.length, 1);
  await at.server.close();
  assert.equal(at.closed?.code, 'done');
});

test('a server that cannot be started again is a loss, and what waited for it is told as not run', async () => {
  const at = await house();
  at.ask('1', 'ping');
  await at.until(() => at.asleep);
  at.failsToOpen = true;
  at.ask('"a"', 'tools/call');
  at.ask('"b"', 'tools/call');
  at.ask('"c"', 'tools/call');
  at.server.send(notificationMessage('notifications/cancelled', { requestId: 'b' }));
  await at.until(() => at.closed);
  assert.deepEqual(at.closed, { code: 'session_lost', reason: 'no licence', notRun: ['"a"', '"c"'] });
});

test('one that dies at work ends as any other server does', async () => {
  const at = await house();
  at.silent.add('tools/call');
  at.ask('1', 'tools/call');
  await at.until(() => at.lives[0]?.got.length);
  await at.lives[0]?.far.close({ code: 'child_exited', reason: 'it died' });
  await at.until(() => at.closed);
  assert.deepEqual(at.closed?.notRun, []);
});

test('closed while it wakes up, it leaves no server behind', async () => {
  const at = await house();
  at.ask('1', 'ping');
  await at.until(() => at.asleep);
  at.ask('2', 'tools/call');
  await at.server.close();
  for (const life of at.lives) assert.ok(life.closed, 'a server is left');
  assert.ok(at.closed);
  const { result } = parseMessage(answered(at, '1') as Message) as { result: { life: number } };
  assert.equal(result.life, 1);
});

test('a server that wakes and never takes the session up is ended, and what waited for it has not run', async () => {
  const at = await house({ wakeMs: 50 });
  at.ask('1', 'initialize', { protocolVersion: '2025-11-25' });
  await at.until(() => answered(at, '1'));
  await at.until(() => at.asleep);
  at.silent.add('initialize');
  at.ask('2', 'tools/call');
  await at.until(() => at.closed);
  assert.deepEqual(at.closed, {
    code: 'session_lost',
    reason: 'server did not take its session up again',
    notRun: ['2'],
  });
  await at.until(() => at.lives[1]?.closed);
  assert.equal(at.overs, 1);
});

test('one that is closed while it sleeps says that it is over', async () => {
  const at = await house();
  at.ask('1', 'tools/call');
  await at.until(() => at.asleep);
  await at.server.close();
  assert.equal(at.overs, 1);
});
