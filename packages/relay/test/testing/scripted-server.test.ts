// The work horse of the end-to-end tests, asked directly: what it says here is what those compare with.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ServerScript, scriptedServer } from '../../src/testing/scripted-server.ts';
import { host } from '../transports/child/harness.ts';

/** Feeds lines, ends the input, and returns the messages and raw bytes that came back. */
function converse(script: ServerScript, ...lines: (object | string)[]) {
  const { command, args } = scriptedServer(script);
  const input = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
  const { stdout, stderr, status } = spawnSync(command, args, { input, maxBuffer: 2 ** 28 });
  const messages = stdout
    .toString()
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
  return { messages, stdout, stderr: stderr.toString(), status };
}

const call = (id: number, name: string, args: object = {}) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args },
});
const act = (id: number, ...acts: object[]) => call(id, 'act', { acts });

test('it initialises, lists with metadata and pages, and ends with its input', () => {
  const { messages, status } = converse(
    { extraTools: 30, pageSize: 20, instructions: 'be kind' },
    { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {} } },
    { jsonrpc: '2.0', id: 2, method: 'tools/list' },
    { jsonrpc: '2.0', id: 3, method: 'tools/list', params: { cursor: 'bm9uc2Vuc2U' } },
  );
  assert.equal(status, 0);
  assert.equal(messages[0].result.protocolVersion, '2025-06-18');
  assert.equal(messages[0].result.instructions, 'be kind');
  assert.equal(messages[1].result.tools.length, 20);
  assert.equal(typeof messages[1].result.nextCursor, 'string');
  for (const key of ['title', 'icons', 'annotations', '_meta', 'inputSchema'])
    assert.ok(key in messages[1].result.tools[0]);
  assert.equal(messages[2].error.code, -32602);
});

test('every list, read, prompt, completion and level is answered; an unknown method is refused', () => {
  const methods: [string, object?][] = [
    ['ping'],
    ['resources/list'],
    ['resources/templates/list'],
    ['resources/read', { uri: 'scripted://text' }],
    ['resources/read', { uri: 'scripted://item/7' }],
    ['resources/subscribe', { uri: 'scripted://text' }],
    ['resources/unsubscribe', { uri: 'scripted://text' }],
    ['prompts/list'],
    ['prompts/get', { name: 'greet', arguments: { name: 'Ada' } }],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'greet' }, argument: { name: 'language', value: 'f' } }],
    ['logging/setLevel', { level: 'error' }],
    ['tasks/list'],
    ['x/echo', { any: 1 }],
  ];
  const { messages } = converse(
    {},
    ...methods.map(([method, params], id) => ({ jsonrpc: '2.0', id, method, params })),
    {
      jsonrpc: '2.0',
      id: 99,
      method: 'no/such',
    },
  );
  for (const [index, [method]] of methods.entries())
    assert.ok(messages[index].result, `${method}: ${JSON.stringify(messages[index])}`);
  assert.deepEqual(messages[9].result.completion.values, ['finnish', 'french']);
  assert.equal(messages.at(-1).error.code, -32601);
});

test('a capability that is not declared is not served', () => {
  const { messages } = converse(
    { capabilities: ['tools'] },
    { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} },
    {
      jsonrpc: '2.0',
      id: 2,
      method: 'prompts/list',
    },
  );
  assert.deepEqual(Object.keys(messages[0].result.capabilities), ['tools']);
  assert.equal(messages[1].error.code, -32601);
});

test('the tools keep state, count, echo with meta, fail and refuse', async () => {
  await using server = host();
  assert.equal((await server.call('counter')).count, 1);
  assert.equal((await server.call('counter')).count, 2);
  await server.call('state', { value: { a: 1 } });
  assert.deepEqual((await server.call('state', { value: 2 })).before, { a: 1 });
  const big = await server.request('tools/call', { name: 'big', arguments: { bytes: 1_000_000 } });
  assert.equal(big.result?.content?.[0]?.text?.length, 1_000_000);
  const failed = await server.request('tools/call', { name: 'fail', arguments: {} });
  assert.equal(failed.result?.isError, true);
  const refused = await server.request('tools/call', { name: 'refuse', arguments: { code: -32042, message: 'no' } });
  assert.deepEqual([refused.error?.code, refused.error?.message], [-32042, 'no']);
  const echoed = await server.request('tools/call', {
    name: 'echo',
    arguments: { nonce: 'n' },
    _meta: { traceparent: 't' },
  });
  assert.deepEqual(JSON.parse(echoed.result?.content?.[0]?.text ?? '').meta, { traceparent: 't' });
});

test('it asks the client and hands on the answer', async () => {
  await using server = host();
  const answer = server.call('ask', { method: 'roots/list' });
  while (!server.messages.some((message) => message.method === 'roots/list'))
    await new Promise((resolve) => setImmediate(resolve));
  const asked = server.messages.find((message) => message.method === 'roots/list');
  const bytes = Buffer.from(`{"jsonrpc":"2.0","id":${asked?.id},"result":{"roots":[]}}`);
  server.child.send({ kind: 'response', id: asked?.id, method: undefined, bytes });
  assert.deepEqual(await answer, { result: { roots: [] } });
});

test('progress, logs, changed tools and updated resources are announced', async () => {
  await using server = host();
  await server.request('tools/call', { name: 'progress', arguments: { steps: 2 }, _meta: { progressToken: 'p' } });
  await server.request('resources/subscribe', { uri: 'scripted://text' });
  await server.act(
    { do: 'log', count: 2 },
    { do: 'tools', add: ['brand_new'], remove: ['big'] },
    { do: 'update', uri: 'scripted://text' },
  );
  const methods = server.messages.filter((message) => message.kind === 'notification').map((message) => message.method);
  assert.deepEqual(methods, [
    'notifications/progress',
    'notifications/progress',
    'notifications/message',
    'notifications/message',
    'notifications/tools/list_changed',
    'notifications/resources/updated',
  ]);
  const { result } = await server.request('tools/list', {});
  const names = result?.tools?.map(({ name }) => name) ?? [];
  assert.ok(names.includes('brand_new') && !names.includes('big'));
});

test('a cancelled call is not answered, and the ledger knows both', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ledger-'));
  const ledger = join(folder, 'ledger');
  try {
    await using server = host({ script: { ledger } });
    void server.request('tools/call', { name: 'hang', arguments: { nonce: 'n1' } });
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1, reason: 'enough' } };
    server.child.send({
      kind: 'notification',
      id: undefined,
      method: cancel.method,
      bytes: Buffer.from(JSON.stringify(cancel)),
    });
    await server.call('echo', { nonce: 'n2' });
    const entries = (await readFile(ledger, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(entries.map(({ event, nonce, reason }) => [event, nonce ?? reason]).sort(), [
      ['call', 'n1'],
      ['call', 'n2'],
      ['cancelled', 'enough'],
    ]);
    assert.equal(
      server.messages.some((message) => message.id === '1'),
      false,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a task answers at once, waits with its result, can be cancelled', async () => {
  await using server = host();
  const { result } = await server.request('tools/call', { name: 'task', arguments: { ms: 20 }, task: { ttl: 60_000 } });
  const taskId = result?.task?.taskId;
  assert.equal(result?.task?.status, 'working');
  const done = await server.request('tasks/result', { taskId });
  assert.deepEqual(done.result?._meta, { 'io.modelcontextprotocol/related-task': { taskId } });
  assert.equal((await server.request('tasks/get', { taskId })).result?.status, 'completed');
  const other = await server.request('tools/call', { name: 'task', arguments: { ms: 1e6 }, task: {} });
  const cancelled = await server.request('tasks/cancel', {
    taskId: other.result?.task?.taskId,
  });
  assert.equal(cancelled.result?.status, 'cancelled');
});

test('each kind of garbage is what its name says', () => {
  const raw = (kind: string, more: object = {}) => converse({}, act(5, { do: 'garbage', kind, ...more })).stdout;
  assert.match(raw('non_json').toString(), /^Server listening/);
  assert.throws(() => JSON.parse(raw('partial_json').toString().split('\n')[0] ?? ''));
  assert.match(raw('bom').toString(), /^\ufeff\{/);
  assert.match(raw('crlf').toString(), /\}\r\n/);
  assert.ok(raw('nul').includes(0));
  assert.ok(raw('invalid_utf8').includes(Buffer.of(0xc3, 0x28)));
  assert.match(raw('batch').toString(), /^\[\{/);
  assert.match(raw('deep').toString(), /\[{10000}/);
  assert.match(raw('duplicate_reply').toString(), /"id":5.*\n.*"id":5/);
  assert.match(raw('wrong_id').toString(), /"id":"not-5"/);
  assert.match(raw('retyped_id').toString(), /"id":"5"/);
  assert.match(raw('unknown_id').toString(), /"id":987654321.*\n.*"nobody asked"/);
  assert.match(raw('client_like_request').toString(), /"id":5,"method":"ping"/);
  assert.equal(raw('huge_line', { bytes: 3_000_000 }).indexOf(10), 3_000_000);
  assert.match(raw('huge_line', { bytes: 10, json: true }).toString(), /"id":5,"result":\{"pad":"x{10}"\}\}/);
});

test('it dies at the call it is told to, hangs on what it is told to, starts late when told to', async () => {
  const dead = converse({ atCall: { 2: [{ do: 'die', code: 7, stderr: 'boom' }] } }, call(1, 'echo'), call(2, 'echo'));
  assert.deepEqual([dead.status, dead.messages.length, dead.stderr], [7, 1, 'boom\n']);
  const deaf = converse(
    { unanswered: ['initialize'] },
    { jsonrpc: '2.0', id: 1, method: 'initialize' },
    call(2, 'echo'),
  );
  assert.deepEqual(
    deaf.messages.map(({ id }) => id),
    [2],
  );
  assert.equal(converse({ startDelayMs: 20 }, call(1, 'echo')).messages.length, 1);
});

test('dripping and CRLF change the bytes on the way and not the messages', () => {
  const { messages, stdout } = converse({ drip: true, crlf: true }, call(1, 'contents'));
  assert.equal(messages[0].result.content.length, 6);
  assert.match(stdout.toString(), /\r\n$/);
});
