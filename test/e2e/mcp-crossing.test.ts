// Everything of MCP crosses: what a scripted server says directly, it says through mcp-tools, gateway and bridge, alone and
// beside another. Only names and URIs change, and only where several backends meet.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { House } from './harness.ts';
import { type Json, LineClient, type Reply } from './line-client.ts';
import { commandBackend, fixture, shareBackend, stdioBackend } from './servers.ts';

const CAPABILITIES = {
  sampling: { tools: {}, context: {} },
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
  tasks: { list: {}, cancel: {}, requests: { sampling: { createMessage: {} } } },
  experimental: { 'example.com/x': { y: 1 } },
};

/** A way to the server `far`, and how its names look at the end of it. */
interface Way {
  readonly agent: LineClient;
  name(own: string): string;
  uri(own: string): string;
  task(own: string): string;
}

describe('what a server says crosses', () => {
  for (const kind of ['one server', 'two servers'] as const) {
    describe(kind, () => {
      let house: House;
      let direct: LineClient;
      let way: Way;
      let ledgers: { far: string; near: string };

      before(async () => {
        house = await House.open();
        ledgers = { far: join(house.home, 'far.jsonl'), near: join(house.home, 'near.jsonl') };
        const script = { name: 'far', instructions: 'Ask the far one.' };
        const straight = scriptedServer(script);
        direct = LineClient.spawn({ command: straight.command, args: straight.args, env: {} });
        const far = scriptedServer({ ...script, ledger: ledgers.far, pageSize: 4 });
        const bridge = await house.bridge(far.command, ...far.args);
        const backends = [shareBackend('far', bridge)];
        if (kind === 'two servers') backends.push(stdioBackend('near', { ledger: ledgers.near }));
        const agent = LineClient.spawn(house.agentProgram(await house.gateway(backends)));
        way =
          kind === 'one server'
            ? { agent, name: (own) => own, uri: (own) => own, task: (own) => own }
            : { agent, name: (own) => `far__${own}`, uri: (own) => `far+${own}`, task: (own) => `far.${own}` };
        for (const client of [direct, agent]) answerAll(client);
      });

      after(async () => {
        await direct.end();
        await way.agent.end();
        await house[Symbol.asyncDispose]();
      });

      test('initialize: capabilities, instructions and versions', async () => {
        const own = await direct.initialize(CAPABILITIES);
        const shown = await way.agent.initialize(CAPABILITIES);
        assert.deepEqual(shown.capabilities, own.capabilities);
        assert.equal(shown.protocolVersion, '2025-11-25');
        assert.match(String(shown.instructions), /Ask the far one\./);
        if (kind === 'one server') assert.deepEqual(shown, own);
        const seen = await way.agent.told(way.name('seen'));
        assert.deepEqual((seen.client as Json).capabilities ?? JSON.stringify(seen.client), CAPABILITIES);
      });

      test('lists: every page, every member; equal titles stay equal', async () => {
        const lists: readonly [string, string, string | undefined][] = [
          ['tools/list', 'tools', 'name'],
          ['prompts/list', 'prompts', 'name'],
          ['resources/list', 'resources', 'uri'],
          ['resources/templates/list', 'resourceTemplates', 'uriTemplate'],
        ];
        for (const [method, member, key] of lists) {
          const own = await direct.all(method, member);
          const shown = await way.agent.all(method, member);
          const expected = own.map((item) => publicItem(way, item, key ?? ''));
          assert.deepEqual(
            shown.filter((item) => String(item[key ?? '']).startsWith(way[key === 'name' ? 'name' : 'uri'](''))),
            expected,
          );
          assert.equal(shown.length, own.length * (kind === 'one server' ? 1 : 2), method);
        }
        const tools = await way.agent.all('tools/list', 'tools');
        const titles = tools.filter(({ name }) => /echo(_twin)?$/.test(String(name))).map(({ title }) => title);
        assert.deepEqual(new Set(titles), new Set(['Echo']));
      });

      test('results: every kind of content, structured content, _meta, errors of tools and of JSON-RPC', async () => {
        const both = async (name: string, args: Json): Promise<[Reply, Reply]> =>
          Promise.all([direct.call(name, args), way.agent.call(way.name(name), args)]);
        const [own, shown] = await both('contents', {});
        assert.deepEqual(shown.result, publicResult(way, own.result ?? {}));
        for (const [name, args] of [
          ['fail', { message: 'häßlich ☃ \u{1f600}' }],
          ['big', { bytes: 100_000 }],
        ] as const) {
          const [left, right] = await both(name, args);
          assert.deepEqual(right.result, left.result);
        }
        const value = { deep: [{ a: null, b: [[], {}] }], text: '\u2028\u0000', __proto__x: 1 };
        const [, structured] = await both('structured', { value });
        assert.deepEqual(dig(structured.result, 'structuredContent', 'value'), value);
        const data = { elicitations: [{ mode: 'url', url: 'https://example.com/?a=b', elicitationId: 'e' }], more: 1 };
        const [left, right] = await both('refuse', { code: -32042, message: 'open this first', data });
        assert.deepEqual(right.error, left.error);
        assert.deepEqual(right.error, { code: -32042, message: 'open this first', data });
      });

      test('_meta of a request, and members nobody has heard of, reach the server', async () => {
        const _meta = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'x/y': { z: [null] } };
        assert.deepEqual((await way.agent.told(way.name('echo'), {}, _meta)).meta, _meta);
        assert.equal((await way.agent.told(way.name('echo'), {})).meta, null);
        const uri = way.uri('scripted://text');
        const read = await way.agent.request('resources/read', { uri, _meta, 'x-unknown': true });
        assert.deepEqual(Object.keys(dig(read.result, 'contents', 0) as Json).toSorted(), [
          '_meta',
          'mimeType',
          'text',
          'uri',
        ]);
      });

      test('resources: read text, bytes and templates; what is absent says so', async () => {
        for (const own of [
          'scripted://text',
          'scripted://binary',
          'scripted://item/a%20b',
          'file:///scripted/notes.txt',
        ]) {
          const left = await direct.request('resources/read', { uri: own });
          const right = await way.agent.request('resources/read', { uri: way.uri(own) });
          const strip = (reply: Reply): string => JSON.stringify(reply.result).replace(/of \d+/, 'of …');
          assert.equal(strip(right), strip({ raw: '', result: publicResult(way, left.result ?? {}) }));
        }
        const { error } = await way.agent.request('resources/read', { uri: way.uri('scripted://never') });
        assert.equal(error?.code, -32002);
      });

      test('subscriptions: updated comes under the URI that was subscribed, and stops', async () => {
        const { agent } = way;
        const uri = way.uri('scripted://text');
        const from = agent.lines.length;
        const update = (): Promise<Reply> =>
          agent.call(way.name('act'), { acts: [{ do: 'update', uri: 'scripted://text' }] });
        assert.deepEqual((await agent.request('resources/subscribe', { uri })).result, {});
        await update();
        assert.deepEqual(await agent.heard('notifications/resources/updated', () => true, from), { uri });
        assert.deepEqual((await agent.request('resources/unsubscribe', { uri })).result, {});
        const end = agent.lines.length;
        await update();
        await agent.request('ping');
        assert.ok(!agent.lines.slice(end).some(({ value }) => value?.method === 'notifications/resources/updated'));
      });

      test('prompts and completion, of prompts and of templates', async () => {
        const args = { name: 'Ada', language: 'greek' };
        const left = await direct.request('prompts/get', { name: 'greet', arguments: args });
        const right = await way.agent.request('prompts/get', { name: way.name('greet'), arguments: args });
        assert.deepEqual(right.result, publicResult(way, left.result ?? {}));
        const refs: readonly [Json, Json][] = [
          [
            { type: 'ref/prompt', name: 'greet' },
            { type: 'ref/prompt', name: way.name('greet') },
          ],
          [
            { type: 'ref/resource', uri: 'scripted://item/{id}' },
            { type: 'ref/resource', uri: way.uri('scripted://item/{id}') },
          ],
        ];
        for (const [own, shown] of refs) {
          const rest = { argument: { name: 'id', value: '4' }, context: { arguments: { other: 'x' } } };
          const expected = await direct.request('completion/complete', { ref: own, ...rest });
          const actual = await way.agent.request('completion/complete', { ref: shown, ...rest });
          assert.deepEqual(actual.result?.completion, expected.result?.completion);
        }
      });

      test('questions of the server: sampling, elicitation by form and by URL, roots; and their refusals', async () => {
        const questions: readonly [string, Json][] = [
          [
            'sampling/createMessage',
            {
              messages: [{ role: 'user', content: { type: 'text', text: 'hm?' }, _meta: { 'a/b': 1 } }],
              maxTokens: 5,
              tools: [{ name: 't', inputSchema: { type: 'object' } }],
              toolChoice: { mode: 'auto' },
              metadata: { vendor: true },
            },
          ],
          [
            'elicitation/create',
            { mode: 'form', message: 'who?', requestedSchema: { type: 'object', properties: {} } },
          ],
          ['elicitation/create', { mode: 'url', message: 'go', url: 'https://example.com/a', elicitationId: 'e-1' }],
          ['roots/list', {}],
        ];
        for (const [method, params] of questions) {
          const seen = way.agent.asked.length;
          const told = await way.agent.told(way.name('ask'), { method, params });
          assert.deepEqual(told, await direct.told('ask', { method, params }), method);
          const { _meta, ...asked } = way.agent.asked[seen]?.params ?? {};
          assert.deepEqual(asked, params, method);
        }
        const refused = await way.agent.told(way.name('ask'), { method: 'x/unheard-of', params: {} });
        assert.equal((refused.error as Json).code, -32601);
        const from = way.agent.lines.length;
        const params = { elicitationId: 'e-1' };
        await way.agent.call(way.name('act'), {
          acts: [{ do: 'notify', method: 'notifications/elicitation/complete', params }],
        });
        assert.deepEqual(await way.agent.heard('notifications/elicitation/complete', () => true, from), params);
      });

      test('a question that its server takes back is cancelled at the client, under the id it knows', async () => {
        const { agent } = way;
        agent.answers.set('roots/list', () => new Promise<Json>(() => {}));
        // The server counts its questions from 0, and has asked this client only.
        const requestId = agent.asked.length;
        const from = agent.lines.length;
        const name = way.name('ask');
        agent.write(
          `{"jsonrpc":"2.0","id":"asking","method":"tools/call","params":{"name":"${name}","arguments":{"method":"roots/list"}}}`,
        );
        await agent.line(({ value }) => value?.method === 'roots/list', 'roots/list', from);
        const params = { requestId, reason: 'never mind' };
        await agent.call(way.name('act'), { acts: [{ do: 'notify', method: 'notifications/cancelled', params }] });
        assert.deepEqual(await agent.heard('notifications/cancelled', () => true, from), {
          requestId: agent.asked[requestId]?.id,
          reason: 'never mind',
        });
        agent.notify('notifications/cancelled', { requestId: 'asking' });
        answerAll(agent);
      });

      test('progress, log messages and list_changed of every kind', async () => {
        const { agent } = way;
        for (const progressToken of ['t', 0, 7]) {
          const from = agent.lines.length;
          await agent.call(way.name('progress'), { steps: 2 }, { progressToken });
          const heard = agent.lines.slice(from).filter(({ value }) => value?.method === 'notifications/progress');
          assert.deepEqual(
            heard.map(({ value }) => dig(value, 'params', 'progressToken')),
            [progressToken, progressToken],
          );
        }
        assert.deepEqual((await agent.request('logging/setLevel', { level: 'notice' })).result, {});
        const from = agent.lines.length;
        const data = { deep: { number: 1.5, list: [null] } };
        await agent.call(way.name('log'), { level: 'alert', data });
        assert.deepEqual(await agent.heard('notifications/message', () => true, from), {
          level: 'alert',
          logger: 'far',
          data,
        });
        for (const list of ['tools', 'resources', 'prompts']) {
          const method = `notifications/${list}/list_changed`;
          const start = agent.lines.length;
          await agent.call(way.name('act'), { acts: [{ do: 'notify', method }] });
          await agent.heard(method, () => true, start);
        }
        agent.notify('notifications/roots/list_changed');
        const seen = await agent.told(way.name('seen'));
        assert.match(JSON.stringify(seen.notifications), /notifications\/roots\/list_changed/);
      });

      test('a cancelled call is cancelled at its owner, and only there', async () => {
        const { agent } = way;
        agent.write(
          `{"jsonrpc":"2.0","id":"held","method":"tools/call","params":{"name":${JSON.stringify(way.name('hang'))},"arguments":{"nonce":"held"}}}`,
        );
        await agent.told(way.name('echo'));
        agent.notify('notifications/cancelled', { requestId: 'held', reason: 'enough' });
        // Calls are in order on the way: when this one is answered the cancellation was read.
        await agent.told(way.name('echo'));
        const cancelled = async (file: string): Promise<unknown[]> => {
          const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
          return lines
            .map((line) => JSON.parse(line) as Json)
            .filter(({ event, reason }) => event === 'cancelled' && reason === 'enough');
        };
        assert.equal((await cancelled(ledgers.far)).length, 1);
        assert.deepEqual(await cancelled(ledgers.near), []);
        assert.ok(!agent.lines.some(({ value }) => value?.id === 'held'));
      });

      test('tasks: made, watched, fetched, listed, cancelled, under ids that lead to their owner', async () => {
        const { agent } = way;
        const from = agent.lines.length;
        const start = (ms: number): Promise<Reply> =>
          agent.request('tools/call', { name: way.name('task'), arguments: { ms }, task: { ttl: 60_000 } });
        const made = (await start(50)).result?.task as Json;
        assert.equal(made.status, 'working');
        const taskId = String(made.taskId);
        assert.ok(taskId.startsWith(way.task('')), taskId);
        assert.equal((await agent.request('tasks/get', { taskId })).result?.taskId, taskId);
        const { result } = await agent.request('tasks/result', { taskId });
        assert.deepEqual(dig(result, '_meta', 'io.modelcontextprotocol/related-task'), { taskId });
        await agent.heard(
          'notifications/tasks/status',
          (params) => params.taskId === taskId && params.status === 'completed',
          from,
        );
        const held = String(dig((await start(1 << 30)).result, 'task', 'taskId'));
        const listed = (await agent.all('tasks/list', 'tasks')).map((task) => task.taskId);
        assert.deepEqual(listed.toSorted(), [taskId, held].toSorted());
        assert.equal((await agent.request('tasks/cancel', { taskId: held })).result?.status, 'cancelled');
        const { error } = await agent.request('tasks/get', { taskId: way.task('never') });
        assert.equal(error?.code, -32602);
      });

      test('ids of any kind come back byte by byte; ping is answered; unknown methods', async () => {
        const { agent } = way;
        const name = JSON.stringify(way.name('echo'));
        for (const id of ['0', '-1', '"x"', '""', '"0"', '1.5', '9007199254740993', '-0', '1e3', '"h\\u00e4\\"user"']) {
          const before = agent.lines.length;
          const { error } = await agent.ask(id, 'tools/call', `{"name":${name},"arguments":{}}`);
          assert.equal(error, undefined, id);
          assert.ok(
            agent.lines.slice(before).some(({ raw }) => raw.includes(`"id":${id},`) || raw.includes(`"id":${id}}`)),
            id,
          );
        }
        assert.deepEqual((await agent.request('ping')).result, {});
        const unknown = await agent.request('x/echo', { a: [1] });
        if (kind === 'one server') assert.deepEqual(unknown.result, { params: { a: [1] } });
        else assert.equal(unknown.error?.code, -32601);
      });
    });
  }
});

describe('numbers beyond a double', () => {
  test('pass exactly in arguments and results, alone and beside another, near and far', async () => {
    await using house = await House.open();
    const raw = fixture('raw-server.mjs');
    const bridge = await house.bridge(raw.command, ...raw.args);
    const numbers = '[9007199254740993,-9007199254740993,12345678901234567890123,0.1,1e-400,-0]';
    const ways: readonly [string, string][] = [
      [await house.gateway([shareBackend('far', bridge)]), ''],
      [await house.gateway([shareBackend('far', bridge), commandBackend('near', raw)]), 'far__'],
      [await house.gateway([shareBackend('far', bridge), commandBackend('near', raw)]), 'near__'],
      [bridge, ''],
    ];
    for (const [token, prefix] of ways) {
      await using agent = LineClient.spawn(house.agentProgram(token));
      await agent.initialize();
      const line = await agent.ask(
        '"a"',
        'tools/call',
        `{"name":"${prefix}line","arguments":{"n":${numbers}},"_meta":{"m":9007199254740993}}`,
      );
      const [{ text }] = (line.result as unknown as { content: [{ text: string }] }).content;
      assert.ok(text.includes(`"n":${numbers}`), text);
      assert.ok(text.includes('"m":9007199254740993'), text);
      const result = `{"content":[],"structuredContent":{"n":${numbers}},"_meta":{"m":9007199254740993}}`;
      const said = await agent.ask(
        '9007199254740995',
        'tools/call',
        `{"name":"${prefix}say","arguments":{"raw":${JSON.stringify(result)}}}`,
      );
      assert.ok(said.raw.includes(`"n":${numbers}`), said.raw);
      assert.ok(said.raw.includes('"id":9007199254740995'), said.raw);
    }
  });
});

function answerAll(client: LineClient): void {
  client.answers.set('sampling/createMessage', () => ({
    role: 'assistant',
    model: 'none',
    stopReason: 'endTurn',
    content: { type: 'text', text: 'sampled' },
    _meta: { 'x/y': 1 },
  }));
  client.answers.set('elicitation/create', ({ mode }) =>
    mode === 'url' ? { action: 'accept' } : { action: 'accept', content: { name: 'Ada', n: 1.5 } },
  );
  client.answers.set('roots/list', () => ({ roots: [{ uri: 'file:///only', name: 'r', _meta: { a: 1 } }] }));
}

function dig(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value);
}

/** A listed item as the way shows it: its name or URI, nothing else. */
function publicItem(way: Way, item: Json, key: string): Json {
  return { ...item, [key]: key === 'name' ? way.name(String(item.name)) : way.uri(String(item[key])) };
}

/** A result as the way shows it: URIs in content, contents and messages. */
function publicResult(way: Way, value: Json): Json {
  const visit = (part: unknown): unknown => {
    if (Array.isArray(part)) return part.map(visit);
    if (typeof part !== 'object' || part === null) return part;
    const entries = Object.entries(part).map(([key, inner]) => [
      key,
      key === 'uri' && typeof inner === 'string' ? way.uri(inner) : visit(inner),
    ]);
    return Object.fromEntries(entries) as Json;
  };
  return visit(value) as Json;
}
