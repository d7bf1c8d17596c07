// Modern clients through a gateway over servers that the test plays by hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { META, type Message, notificationMessage, requestMessage } from '@mcp-overlay/relay';
import { linkedTransports } from '@mcp-overlay/relay/testing';
import { TaskOwners } from '../../src/routing/task-owners.ts';
import { openSession, type Play, paramsIn, playedBackend, resultIn, SILENCE } from './one-session.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
type Json = any;

const TASKS = 'io.modelcontextprotocol/tasks';
const CAPABILITIES = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  extensions: { [TASKS]: {}, 'com.example/odd': {} },
};

function meta(capabilities: Json = {}, more: Json = {}): Json {
  return { _meta: { [META.version]: '2026-07-28', [META.clientCapabilities]: capabilities, ...more } };
}

/** An ordinary modern server; `play` comes first. */
function modern(id: string, play: Play = () => undefined, hints: Json = { ttlMs: 0, cacheScope: 'private' }) {
  return playedBackend(id, (method, params, server) => {
    const own = play(method, params, server);
    if (own !== undefined) return own;
    const complete = { resultType: 'complete' };
    if (method === 'server/discover') {
      const serverInfo = { name: `server ${id}`, version: '1' };
      const _meta = { [META.serverInfo]: serverInfo };
      const said = { supportedVersions: ['2026-07-28'], capabilities: CAPABILITIES, instructions: `of ${id}`, _meta };
      return { ...complete, ...said, ...hints };
    }
    if (method === 'tools/list') {
      const inputSchema = { type: 'object', properties: { r: { type: 'string', 'x-mcp-header': 'R' } } };
      return {
        ...complete,
        ...hints,
        tools: [
          { name: 'echo', inputSchema },
          { name: `only_${id}`, inputSchema: {} },
        ],
      };
    }
    if (method === 'resources/list') return { ...complete, ...hints, resources: [{ uri: `${id}:/doc`, name: 'doc' }] };
    if (method === 'resources/templates/list') return { ...complete, ...hints, resourceTemplates: [] };
    return { ...complete, by: id, echo: params };
  });
}

function errorIn(message: Message): Json {
  return JSON.parse(message.bytes.toString('utf8')).error;
}

test('server/discover: our own name and versions, all capabilities that can be relayed, instructions by backend', async () => {
  await using house = openSession([modern('a'), modern('b')]);
  const result: Json = resultIn(await house.ask('server/discover', meta()));
  assert.deepEqual(result.supportedVersions, ['2026-07-28']);
  assert.equal(result._meta[META.serverInfo].name, 'mcp-gateway');
  assert.deepEqual(result.capabilities.extensions, { [TASKS]: {} });
  assert.equal(result.capabilities.resources.subscribe, true);
  assert.match(result.instructions, /# a\n\nof a\n\n# b\n\nof b/);
});

test('a single backend is shown as it is', async () => {
  await using house = openSession([modern('a', undefined, { ttlMs: 7, cacheScope: 'public' })]);
  const result: Json = resultIn(await house.ask('server/discover', meta()));
  assert.equal(result._meta[META.serverInfo].name, 'server a');
  assert.deepEqual(result.capabilities, CAPABILITIES);
  assert.deepEqual([result.ttlMs, result.cacheScope], [7, 'public']);
  const call: Json = resultIn(await house.ask('odd/method', { x: 1, ...meta({}, { 'a.b/c': 0 }) }));
  assert.deepEqual(call.echo, { x: 1, ...meta({}, { 'a.b/c': 0 }) });
});

test('lists are merged with the shortest time to live, and shared only if every part may be', async () => {
  const a = modern('a', undefined, { ttlMs: 100, cacheScope: 'public' });
  const b = modern('b', undefined, { ttlMs: 50, cacheScope: 'public' });
  await using house = openSession([a, b]);
  const list: Json = resultIn(await house.ask('tools/list', meta()));
  assert.deepEqual([list.resultType, list.ttlMs, list.cacheScope], ['complete', 50, 'public']);
  assert.deepEqual(
    list.tools.map(({ name }: Json) => name),
    ['a__echo', 'a__only_a', 'b__echo', 'b__only_b'],
  );
  assert.equal(list.tools[0].inputSchema.properties.r['x-mcp-header'], 'R');
  await using other = openSession([a, modern('c')]);
  const mixed: Json = resultIn(await other.ask('tools/list', meta()));
  assert.deepEqual([mixed.ttlMs, mixed.cacheScope], [0, 'private']);
});

test('a call goes to its owner under its own name; a bare name only where exactly one has it', async () => {
  await using house = openSession([modern('a'), modern('b')]);
  const call = async (name: string): Promise<Message> => house.ask('tools/call', { name, ...meta() });
  const named: Json = resultIn(await call('b__echo'));
  assert.deepEqual([named.by, named.echo.name], ['b', 'echo']);
  const bare: Json = resultIn(await call('only_a'));
  assert.deepEqual([bare.by, bare.echo.name], ['a', 'only_a']);
  assert.equal(errorIn(await call('echo')).code, -32602);
});

test('input_required passes with its keys and state; the questions tell which backend asks', async () => {
  const inputRequests = { q: { method: 'elicitation/create', params: { message: 'who?' } } };
  const asks: Play = (method, params) =>
    method === 'tools/call' && params.requestState === undefined
      ? { resultType: 'input_required', inputRequests, requestState: 'opaque' }
      : undefined;
  await using house = openSession([modern('a'), modern('b', asks)]);
  const first: Json = resultIn(await house.ask('tools/call', { name: 'b__echo', ...meta({ elicitation: {} }) }));
  assert.deepEqual(first.inputRequests.q.params, { message: 'who?', _meta: { 'mcp-overlay/backend': 'b' } });
  const answers = { inputResponses: { q: { action: 'accept' } }, requestState: first.requestState };
  const second: Json = resultIn(await house.ask('tools/call', { name: 'b__echo', ...answers, ...meta() }));
  assert.deepEqual(
    [second.by, second.echo.requestState, second.echo.inputResponses],
    ['b', 'opaque', answers.inputResponses],
  );
});

test('ids of tasks carry their backend, in results, requests, filters and events', async () => {
  const task: Play = (method, params) => {
    if (method === 'tools/call') return { resultType: 'task', taskId: 't1', status: 'working' };
    if (method === 'subscriptions/listen') return SILENCE;
    return method === 'tasks/get' ? { resultType: 'complete', asked: params.taskId, taskId: params.taskId } : undefined;
  };
  const b = modern('b', task);
  await using house = openSession([modern('a'), b]);
  const created: Json = resultIn(
    await house.ask('tools/call', { name: 'b__echo', ...meta({ extensions: { [TASKS]: {} } }) }),
  );
  assert.equal(created.taskId, 'b.t1');
  const got: Json = resultIn(await house.ask('tasks/get', { taskId: 'b.t1', ...meta() }));
  assert.deepEqual([got.asked, got.taskId], ['t1', 'b.t1']);
  assert.equal(errorIn(await house.ask('tasks/update', { taskId: 'nobody.t1', ...meta() })).code, -32602);
  house.client.send(requestMessage('7', 'subscriptions/listen', { notifications: { taskIds: ['b.t1'] }, ...meta() }));
  const listen = await sent(b, 'subscriptions/listen');
  assert.deepEqual(paramsIn(listen).notifications, { taskIds: ['t1'] });
  tell(b, 'notifications/subscriptions/acknowledged', listen, { notifications: { taskIds: ['t1'] } });
  const ack: Json = paramsIn(await house.notified('notifications/subscriptions/acknowledged'));
  assert.deepEqual(ack, { notifications: { taskIds: ['b.t1'] }, _meta: { [META.subscription]: 7 } });
  tell(b, 'notifications/tasks', listen, { taskId: 't1', status: 'working' });
  const event: Json = paramsIn(await house.notified('notifications/tasks'));
  assert.equal(event.taskId, 'b.t1');
});

test('a subscription reaches the backends it concerns, is acknowledged once, and its events come under its id and our URIs', async () => {
  const silent: Play = (method) => (method === 'subscriptions/listen' ? SILENCE : undefined);
  const [a, b] = [modern('a', silent), modern('b', silent)];
  await using house = openSession([a, b]);
  const notifications = { toolsListChanged: true, resourceSubscriptions: ['b+b:/doc', 'nobody:/x'] };
  house.client.send(requestMessage('"L"', 'subscriptions/listen', { notifications, ...meta() }));
  const [one, two] = [await sent(a, 'subscriptions/listen'), await sent(b, 'subscriptions/listen')];
  assert.deepEqual(paramsIn(one).notifications, { toolsListChanged: true });
  assert.deepEqual(paramsIn(two).notifications, { toolsListChanged: true, resourceSubscriptions: ['b:/doc'] });
  tell(a, 'notifications/subscriptions/acknowledged', one, { notifications: { toolsListChanged: true } });
  tell(b, 'notifications/tools/list_changed', two, {});
  tell(b, 'notifications/subscriptions/acknowledged', two, { notifications: paramsIn(two).notifications as Json });
  const first = await house.until(({ kind }) => kind === 'notification');
  assert.equal(first.method, 'notifications/subscriptions/acknowledged');
  const honoured = { toolsListChanged: true, resourceSubscriptions: ['b+b:/doc'] };
  assert.deepEqual(paramsIn(first), { notifications: honoured, _meta: { [META.subscription]: 'L' } });
  assert.deepEqual(paramsIn(await house.notified('notifications/tools/list_changed')), {
    _meta: { [META.subscription]: 'L' },
  });
  tell(b, 'notifications/resources/updated', two, { uri: 'b:/doc' });
  const updated: Json = paramsIn(await house.notified('notifications/resources/updated'));
  assert.deepEqual(updated, { uri: 'b+b:/doc', _meta: { [META.subscription]: 'L' } });
  house.client.send(notificationMessage('notifications/cancelled', { requestId: 'L' }));
  assert.equal(paramsIn(await sent(a, 'notifications/cancelled')).requestId, Number(one.id));
  assert.equal(paramsIn(await sent(b, 'notifications/cancelled')).requestId, Number(two.id));
});

test('a subscription stands again after its backend was lost, and the client is told to look', async () => {
  const acknowledging: Play = (method, params, server) => {
    if (method !== 'subscriptions/listen') return undefined;
    const { id } = server.got.at(-1) as Message;
    const _meta = { [META.subscription]: Number(id) };
    server.far.send(
      notificationMessage('notifications/subscriptions/acknowledged', { _meta, notifications: params.notifications }),
    );
    return SILENCE;
  };
  const b = modern('b', acknowledging);
  await using house = openSession([modern('a', acknowledging), b]);
  house.client.send(
    requestMessage('1', 'subscriptions/listen', { notifications: { toolsListChanged: true }, ...meta() }),
  );
  await house.notified('notifications/subscriptions/acknowledged');
  b.servers[0]?.far.break();
  await house.notified('notifications/tools/list_changed');
  assert.equal(b.servers.length, 2);
  assert.equal(house.inbox.filter(({ method }) => method?.includes('acknowledged')).length, 0);
});

test('a subscription that its backend ends is made again, and the client is told to look', async () => {
  const ending: Play = (method, params, server) => {
    if (method !== 'subscriptions/listen') return undefined;
    const { id } = server.got.at(-1) as Message;
    const _meta = { [META.subscription]: Number(id) };
    const { notifications } = params;
    server.far.send(notificationMessage('notifications/subscriptions/acknowledged', { _meta, notifications }));
    const again = server.got.filter(({ method: other }) => other === method).length > 1;
    return again ? SILENCE : { resultType: 'complete', _meta };
  };
  await using house = openSession([modern('a', ending)]);
  house.client.send(
    requestMessage('1', 'subscriptions/listen', { notifications: { toolsListChanged: true }, ...meta() }),
  );
  await house.notified('notifications/subscriptions/acknowledged');
  const told: Json = paramsIn(await house.notified('notifications/tools/list_changed'));
  assert.deepEqual(told, { _meta: { [META.subscription]: 1 } });
});

test('clients with other capabilities see what their servers show them', async () => {
  const byCapability: Play = (method, params) => {
    if (method !== 'tools/list') return undefined;
    const { elicitation } = (params as Json)._meta[META.clientCapabilities];
    return {
      resultType: 'complete',
      ttlMs: 0,
      cacheScope: 'private',
      tools: [{ name: elicitation ? 'asks' : 'plain' }],
    };
  };
  await using house = openSession([modern('a', byCapability), modern('b')]);
  const names = async (capabilities: Json): Promise<string[]> => {
    const { tools }: Json = resultIn(await house.ask('tools/list', meta(capabilities)));
    return tools.map(({ name }: Json) => name);
  };
  assert.ok((await names({})).includes('a__plain'));
  assert.ok((await names({ elicitation: {} })).includes('a__asks'));
  const other = await house.ask('tools/call', { name: 'a__asks', ...meta({}) });
  assert.equal(errorIn(other).code, -32602);
  assert.equal(
    (resultIn(await house.ask('tools/call', { name: 'a__asks', ...meta({ elicitation: {} }) })) as Json).by,
    'a',
  );
});

test('methods that the era has given up do not exist, nor do codes that it forbids', async () => {
  await using house = openSession([modern('a'), modern('b')]);
  for (const method of ['ping', 'initialize', 'logging/setLevel', 'resources/subscribe', 'tasks/list']) {
    assert.equal(errorIn(await house.ask(method, meta())).code, -32601, method);
  }
  assert.equal(errorIn(await house.ask('resources/read', { uri: 'nobody:/x', ...meta() })).code, -32602);
});

test('one client speaks both eras at once, each with servers of its own', async () => {
  const a = modern('a');
  await using house = openSession([a]);
  await house.ask('tools/list', meta());
  await house.shakeHands();
  const both = a.servers.map(({ got }) => got[0]?.method);
  assert.deepEqual(both, ['server/discover', 'initialize']);
});

test('a server that says no more than its answer is not asked who it is for each request', async () => {
  const a = modern('a');
  await using house = openSession([a]);
  for (let n = 0; n < 3; n += 1) await house.ask('tools/call', { name: 'echo', ...meta() });
  assert.deepEqual(
    a.servers[0]?.got.map(({ method }) => method),
    ['server/discover', 'tools/call', 'tools/call', 'tools/call'],
  );
});

async function sent(backend: ReturnType<typeof playedBackend>, method: string): Promise<Message> {
  for (;;) {
    const found = backend.servers.at(-1)?.got.find((message) => message.method === method);
    if (found) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function tell(backend: ReturnType<typeof playedBackend>, method: string, listen: Message, params: Json): void {
  const _meta = { [META.subscription]: Number(listen.id) };
  backend.servers.at(-1)?.far.send(notificationMessage(method, { ...params, _meta }));
}

for (const ids of [['b'], ['a', 'b']]) {
  test(`T08: of ${ids.length} backends, a task that one caller began does not exist for another`, async () => {
    const began: Play = (method, params) => {
      if (method === 'subscriptions/listen') return SILENCE;
      if (method === 'tools/call') return { resultType: 'task', taskId: 't1', status: 'working' };
      return method.startsWith('tasks/') ? { resultType: 'complete', taskId: params.taskId, by: 'b' } : undefined;
    };
    const backends = ids.map((id) => modern(id, began));
    const taskOwners = new TaskOwners();
    const person = (id: string) => ({ id, name: id, proven: true, via: 'ziti' as const, groups: [] });
    const open = (id: string) => openSession(backends, { taskOwners }, {}, linkedTransports(), person(id));
    await using alice = open('ziti:alice');
    await using mallory = open('ziti:mallory');
    const shown = ids.length === 1 ? 't1' : 'b.t1';
    const name = ids.length === 1 ? 'echo' : 'b__echo';
    assert.equal((resultIn(await alice.ask('tools/call', { name, ...meta() })) as Json).taskId, shown);
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
      assert.equal(resultIn(await alice.ask(method, { taskId: shown, ...meta() })).by, 'b', method);
      const { error } = { error: errorIn(await mallory.ask(method, { taskId: shown, ...meta() })) };
      assert.equal(error.message, `Unknown task: ${shown}`, method);
    }
    const listen = { notifications: { taskIds: [shown] }, ...meta() };
    mallory.client.send(requestMessage('77', 'subscriptions/listen', listen));
    await mallory.notified('notifications/subscriptions/acknowledged');
    const asked = backends.flatMap(({ servers }) => servers.flatMap(({ got }) => got));
    const listens = asked.filter(({ method }) => method === 'subscriptions/listen');
    assert.ok(listens.every((one) => !one.bytes.includes('t1')));
  });
}
