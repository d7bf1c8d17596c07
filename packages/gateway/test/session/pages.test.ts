import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, type Message, parseMessage } from '@mcp-overlay/relay';
import { openSession, paramsIn, playedBackend, resultIn } from './one-session.ts';

const MiB = 1024 * 1024;
const error = (message: Message) => (parseMessage(message) as { error?: { code: number; message: string } }).error;
const cursorOf = (message: Message) => resultIn(message).nextCursor;

/** A backend whose tools have descriptions of these sizes. */
function sized(sizes: readonly number[], letter = 'x') {
  const backend = playedBackend('big', (method) =>
    method === 'tools/list'
      ? {
          tools: sizes.map((size, at) => ({ name: `${letter.charCodeAt(0)}_${at}`, description: letter.repeat(size) })),
        }
      : undefined,
  );
  return backend;
}

test('no page of a list is over the cap of a message, however its items fall', { timeout: 60_000 }, async () => {
  const sizes = [3.9 * MiB, 14.5 * MiB, 1, 3 * MiB];
  // The characters of the third are three bytes long each.
  await using house = openSession([sized(sizes), playedBackend('other')], { listWaitMs: 60_000 });
  await house.shakeHands();
  let cursor: unknown;
  const names: string[] = [];
  do {
    const page = await house.ask('tools/list', cursor === undefined ? {} : { cursor });
    assert.ok(page.bytes.length <= LIMITS.messageBytes, `${page.bytes.length} bytes`);
    names.push(...(resultIn(page).tools as { name: string }[]).map(({ name }) => name));
    cursor = cursorOf(page);
  } while (cursor !== undefined);
  assert.deepEqual(names, ['big__120_0', 'big__120_1', 'big__120_2', 'big__120_3', 'other__echo']);
});

test('a cursor of a list that has changed since is refused, one of the same list is not', {
  timeout: 60_000,
}, async () => {
  let letter = 'x';
  const sizes = [3 * MiB, 3 * MiB, 3 * MiB];
  const changing = playedBackend('big', (method) =>
    method === 'tools/list'
      ? { tools: sizes.map((size, at) => ({ name: `${letter}${at}`, description: letter.repeat(size) })) }
      : undefined,
  );
  await using house = openSession([changing]);
  await house.shakeHands();
  const cursor = cursorOf(await house.ask('tools/list'));
  await house.ask('tools/list');
  assert.equal(error(await house.ask('tools/list', { cursor })), undefined);
  letter = 'y';
  await house.ask('tools/list');
  assert.equal(error(await house.ask('tools/list', { cursor }))?.code, -32602);
});

test('cursors that nobody was given are refused as such', { timeout: 60_000 }, async () => {
  await using house = openSession([sized([3 * MiB, 3 * MiB, 3 * MiB])]);
  await house.shakeHands();
  const real = String(cursorOf(await house.ask('tools/list')));
  for (const cursor of ['', 'v1:', 'v1:1', 'v1:1.5', `${real}.5`, `${real}e0`, 'x', 'v1:-1', '__proto__']) {
    assert.equal(error(await house.ask('tools/list', { cursor }))?.code, -32602, cursor);
  }
});

test('tasks of every page of every backend are listed', { timeout: 60_000 }, async () => {
  const withTasks = (id: string) =>
    playedBackend(id, (method, params) => {
      if (method === 'initialize') {
        return { protocolVersion: '2025-11-25', capabilities: { tasks: { list: {} } }, serverInfo: { name: id } };
      }
      if (method !== 'tasks/list') return undefined;
      return params.cursor === undefined
        ? { tasks: [{ taskId: '1', status: 'working' }], nextCursor: '' }
        : { tasks: [{ taskId: '2', status: 'working' }] };
    });
  await using house = openSession([withTasks('a'), withTasks('b')]);
  await house.shakeHands();
  const { tasks } = resultIn(await house.ask('tasks/list'));
  assert.deepEqual(
    (tasks as { taskId: string }[]).map(({ taskId }) => taskId),
    ['a.1', 'a.2', 'b.1', 'b.2'],
  );
});

test('a log level that was set while a server was restarting holds on the new one', { timeout: 60_000 }, async () => {
  const restarted = playedBackend('fs');
  await using house = openSession([restarted, playedBackend('good')]);
  await house.shakeHands();
  await house.ask('logging/setLevel', { level: 'error' });
  restarted.available = false;
  restarted.servers[0]?.far.break();
  while (house.session.backendStates()[0]?.phase === 'up') await new Promise(setImmediate);
  await house.ask('logging/setLevel', { level: 'debug' });
  restarted.available = true;
  while (house.session.backendStates()[0]?.phase !== 'up') await new Promise((resolve) => setTimeout(resolve, 5));
  await house.ask('tools/call', { name: 'fs__echo' });
  const levels = restarted.servers[1]?.got.filter(({ method }) => method === 'logging/setLevel').map(paramsIn);
  assert.deepEqual(levels?.at(-1), { level: 'debug' });
});

test('what a single backend says beside its list is passed on; of several nothing is', {
  timeout: 60_000,
}, async () => {
  const marked = () =>
    playedBackend('one', (method) =>
      method === 'tools/list' ? { tools: [{ name: 'a' }], _meta: { mark: 1 }, later: [2] } : undefined,
    );
  await using alone = openSession([marked()]);
  await alone.shakeHands();
  assert.deepEqual(resultIn(await alone.ask('tools/list')), { tools: [{ name: 'a' }], _meta: { mark: 1 }, later: [2] });
  await using beside = openSession([marked(), playedBackend('two')]);
  await beside.shakeHands();
  assert.deepEqual(Object.keys(resultIn(await beside.ask('tools/list'))), ['tools']);
});

test('a list over the cap is left out whole, and the status says whose and why until it fits', {
  timeout: 60_000,
}, async () => {
  let count = 3;
  const many = playedBackend('many', (method) =>
    method === 'tools/list' ? { tools: Array.from({ length: count }, (_, at) => ({ name: `t${at}` })) } : undefined,
  );
  const limits = { ...LIMITS, toolsPerBackend: 2 };
  await using house = openSession([many, playedBackend('good')], { limits });
  await house.shakeHands();
  const health = () => house.settings.backends[0]?.health.get();
  assert.equal((resultIn(await house.ask('tools/list')).tools as unknown[]).length, 1);
  assert.deepEqual(health()?.incomplete, { tools: 'tools/list: more than 2 items' });
  assert.equal(health()?.state, 'up');
  count = 2;
  assert.equal((resultIn(await house.ask('tools/list')).tools as unknown[]).length, 3);
  assert.deepEqual(health()?.incomplete, {});
});
