// What the conformance suite leaves out of both eras, through the built programs: several backends, names and URIs wherever
// they stand, exact numbers and ids, open questions side by side, tasks, gateways behind gateways.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { overHttp } from '../conformance/fixture.ts';
import { House } from './harness.ts';
import { type Json, LineClient, type Reply } from './line-client.ts';
import { commandBackend, fixture, shareBackend, stdioBackend } from './servers.ts';

const PREFIX = 'io.modelcontextprotocol/';
const TASKS = { extensions: { [`${PREFIX}tasks`]: {} } };
const NUMBERS = '[9007199254740993,-9007199254740993,1785196800123456789,12345678901234567890123,0.1,1e-400,-0]';

const raw = fixture('eras/raw.mjs');
const rawWords = [raw.command, ...raw.args] as const;

function meta(capabilities: Json = {}, more: Json = {}): Json {
  return { [`${PREFIX}protocolVersion`]: '2026-07-28', [`${PREFIX}clientCapabilities`]: capabilities, ...more };
}

/** A client of either era on one line. */
interface Speaker extends AsyncDisposable {
  readonly agent: LineClient;
  request(method: string, params?: Json, capabilities?: Json): Promise<Reply>;
}

async function speaker(
  house: House,
  token: string,
  era: 'legacy' | 'modern',
  capabilities: Json = {},
): Promise<Speaker> {
  const agent = LineClient.spawn(house.agentProgram(token));
  if (era === 'legacy') await agent.initialize(capabilities);
  return {
    agent,
    request: (method, params = {}, now = capabilities) =>
      agent.request(
        method,
        era === 'legacy' ? params : { ...params, _meta: { ...(params._meta as Json), ...meta(now) } },
      ),
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  };
}

describe('names and URIs, wherever they stand, for clients of both eras', () => {
  let house: House;
  /** Two backends, and the same behind one more gateway: names and URIs are made public twice. */
  const ways = [
    { way: 'a gateway', name: (own: string) => `far__${own}`, uri: (own: string) => `far+${own}`, task: 'far.' },
    {
      way: 'a gateway behind a gateway',
      name: (own: string) => `g__far__${own}`,
      uri: (own: string) => `g+far+${own}`,
      task: 'g.far.',
    },
  ] as const;
  const tokens = new Map<string, string>();

  before(async () => {
    house = await House.open();
    const bridge = await house.bridge(...rawWords);
    const inner = await house.gateway([shareBackend('far', bridge), commandBackend('near', raw), stdioBackend('old')]);
    tokens.set('a gateway', inner);
    tokens.set('a gateway behind a gateway', await house.gateway([shareBackend('g', inner), stdioBackend('other')]));
  });
  after(() => house[Symbol.asyncDispose]());

  for (const era of ['legacy', 'modern'] as const) {
    for (const { way, name, uri, task } of ways) {
      const open = (): Promise<Speaker> => speaker(house, tokens.get(way) ?? '', era, era === 'modern' ? TASKS : {});

      test(`${era} client, ${way}: lists`, async () => {
        await using client = await open();
        const list = async (method: string, member: string): Promise<readonly Json[]> => {
          const { result, raw: line } = await client.request(method);
          assert.ok(result, line);
          return result[member] as readonly Json[];
        };
        const tools = await list('tools/list', 'tools');
        const say = tools.find((tool) => tool.name === name('say'));
        const view = name('').startsWith('g__') ? 'ui://g/far/raw/view' : 'ui://far/raw/view';
        assert.deepEqual(say?._meta, { ui: { resourceUri: view }, 'ui/resourceUri': view });
        const uris = (await list('resources/list', 'resources')).map((resource) => resource.uri);
        for (const one of [uri('raw://doc'), uri('file:///raw/a'), view, 'https://example.com/raw']) {
          assert.ok(uris.includes(one), `${one} in ${uris.join(' ')}`);
        }
        const templates = await list('resources/templates/list', 'resourceTemplates');
        assert.ok(templates.some(({ uriTemplate }) => uriTemplate === uri('raw://item/{id}')));
        assert.ok((await list('prompts/list', 'prompts')).some((prompt) => prompt.name === name('linked')));
      });

      test(`${era} client, ${way}: contents, links, embedded resources, completion, views`, async () => {
        await using client = await open();
        const view = name('').startsWith('g__') ? 'ui://g/far/raw/view' : 'ui://far/raw/view';
        for (const [shown, own] of [
          [uri('raw://doc'), 'raw://doc'],
          [uri('raw://item/a%20b'), 'raw://item/a%20b'],
          [view, 'ui://raw/view'],
        ] as const) {
          const { result, raw: line } = await client.request('resources/read', { uri: shown });
          const [content] = (result?.contents ?? []) as readonly Json[];
          assert.equal(content?.uri, shown, line);
          assert.equal((JSON.parse(String(content?.text)) as { params: Json }).params.uri, own);
          assert.deepEqual(content?._meta, { 'x/y': 1 });
        }
        const prompt = await client.request('prompts/get', { name: name('linked') });
        assert.equal(dig(prompt.result, 'messages', 0, 'content', 'uri'), uri('raw://doc'));
        assert.equal(dig(prompt.result, 'messages', 1, 'content', 'resource', 'uri'), uri('raw://item/1'));
        const words = {
          resultType: 'complete',
          content: [
            { type: 'resource_link', uri: 'raw://doc', name: 'doc' },
            { type: 'resource', resource: { uri: 'raw://item/2', text: 'two' } },
            { type: 'text', text: 'raw://doc stays in text' },
            { type: 'hologram', uri: 'raw://doc', unknown: [1, { a: null }] },
          ],
          structuredContent: { uri: 'raw://doc' },
          'x-unknown': { kept: true },
          _meta: { ui: { resourceUri: 'ui://raw/view' }, 'x/y': 1 },
        };
        const said = await client.request('tools/call', {
          name: name('say'),
          arguments: { raw: JSON.stringify(words) },
        });
        const content = said.result?.content as readonly Json[];
        assert.equal(content[0]?.uri, uri('raw://doc'), said.raw);
        assert.equal(dig(content, 1, 'resource', 'uri'), uri('raw://item/2'));
        assert.equal(content[2]?.text, 'raw://doc stays in text');
        assert.deepEqual([content[3]?.type, content[3]?.unknown], ['hologram', [1, { a: null }]]);
        assert.deepEqual(said.result?.structuredContent, { uri: 'raw://doc' });
        assert.deepEqual(said.result?.['x-unknown'], { kept: true });
        assert.deepEqual(dig(said.result, '_meta', 'ui'), { resourceUri: view });
        for (const ref of [
          { type: 'ref/prompt', name: name('linked') },
          { type: 'ref/resource', uri: uri('raw://item/{id}') },
        ]) {
          const argument = { name: 'id', value: 'x' };
          const completed = await client.request('completion/complete', { ref, argument });
          const line = String(dig(completed.result, 'completion', 'values', 0));
          const { params } = JSON.parse(line) as { params: { ref: Json } };
          assert.deepEqual(
            params.ref,
            ref.type === 'ref/prompt' ? { ...ref, name: 'linked' } : { ...ref, uri: 'raw://item/{id}' },
          );
        }
      });

      test(`${era} client, ${way}: updates of resources come under the URI that was asked for`, async () => {
        await using client = await open();
        const { agent } = client;
        const wanted = uri('raw://doc');
        if (era === 'legacy') {
          assert.deepEqual((await client.request('resources/subscribe', { uri: wanted })).result, {});
        } else {
          const params = { notifications: { resourceSubscriptions: [wanted] }, _meta: meta() };
          agent.write(JSON.stringify({ jsonrpc: '2.0', id: 'l', method: 'subscriptions/listen', params }));
          const { notifications } = await agent.heard('notifications/subscriptions/acknowledged');
          assert.deepEqual(notifications, { resourceSubscriptions: [wanted] });
        }
        const from = agent.lines.length;
        const params = { uri: 'raw://doc', extra: 1, _meta: { [`${PREFIX}subscriptionId`]: '$listen' } };
        const update = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/resources/updated', params });
        await client.request('tools/call', { name: name('tell'), arguments: { raw: update } });
        const heard = await agent.heard('notifications/resources/updated', () => true, from);
        assert.deepEqual([heard.uri, heard.extra], [wanted, 1]);
        const tag = (heard._meta as Json | undefined)?.[`${PREFIX}subscriptionId`];
        assert.equal(tag, era === 'modern' ? 'l' : undefined);
      });

      test(`${era} client, ${way}: a task leads to its owner, or is waited for`, async () => {
        await using client = await open();
        const { agent } = client;
        const now = '2026-07-28T00:00:00Z';
        const base = {
          taskId: 't.1',
          status: 'working',
          createdAt: now,
          lastUpdatedAt: now,
          ttlMs: 60_000,
          pollIntervalMs: 20,
        };
        const made = JSON.stringify({ resultType: 'task', ...base });
        const said = await client.request('tools/call', { name: name('say'), arguments: { raw: made } });
        if (era === 'legacy') {
          // The result of the task is the line of the tasks/get that asked for it.
          assert.match(said.raw, /tasks\/get/);
          assert.match(said.raw, /t\.1/);
          assert.equal(said.result?.resultType, undefined);
          return;
        }
        assert.deepEqual(said.result?.taskId, `${task}t.1`, said.raw);
        assert.equal(said.result?.resultType, 'task');
        const taskId = `${task}t.1`;
        const got = await client.request('tasks/get', { taskId });
        assert.equal(got.result?.taskId, taskId, got.raw);
        assert.match(got.raw, /\\"taskId\\":\\"t\.1\\"/);
        for (const method of ['tasks/update', 'tasks/cancel']) {
          const { error, result } = await client.request(method, { taskId, inputResponses: {} });
          assert.equal(error, undefined);
          assert.equal(result?.resultType, 'complete');
        }
        assert.equal((await client.request('tasks/get', { taskId: 'nobody.t' })).error?.code, -32602);
        const params = { notifications: { taskIds: [taskId] }, _meta: meta(TASKS) };
        agent.write(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'subscriptions/listen', params }));
        await agent.heard('notifications/subscriptions/acknowledged');
        const event = { ...base, status: 'completed', result: {}, _meta: { [`${PREFIX}subscriptionId`]: '$listen' } };
        const tell = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tasks', params: event });
        await client.request('tools/call', { name: name('tell'), arguments: { raw: tell } });
        const heard = await agent.heard('notifications/tasks');
        assert.equal(heard.taskId, taskId);
        assert.equal((heard._meta as Json)[`${PREFIX}subscriptionId`], 0);
      });
    }
  }

  test('what an old server says reads the same in both eras, but for the words of the newer one', async () => {
    for (const { way } of ways) {
      await using legacy = await speaker(house, tokens.get(way) ?? '', 'legacy');
      await using modern = await speaker(house, tokens.get(way) ?? '', 'modern');
      const old = way === 'a gateway' ? 'old__' : 'g__old__';
      const questions: readonly [string, Json][] = [
        ['tools/list', {}],
        ['prompts/list', {}],
        ['resources/list', {}],
        ['resources/templates/list', {}],
        ['tools/call', { name: `${old}contents`, arguments: {} }],
        ['tools/call', { name: `${old}fail`, arguments: { message: 'häßlich ☃' } }],
        ['prompts/get', { name: `${old}greet`, arguments: { name: 'Ada' } }],
      ];
      for (const [method, params] of questions) {
        const [left, right] = await Promise.all([legacy.request(method, params), modern.request(method, params)]);
        assert.deepEqual(withoutModernWords(right.result), left.result, `${way}: ${method}`);
      }
    }
  });
});

function dig(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value);
}

function withoutModernWords(result: Json | undefined): Json {
  const { resultType, ttlMs, cacheScope, _meta, ...rest } = result ?? {};
  const { [`${PREFIX}serverInfo`]: _info, ...own } = (_meta ?? {}) as Json;
  return Object.keys(own).length === 0 ? rest : { ...rest, _meta: own };
}

describe('numbers and ids, byte by byte', () => {
  test('arguments, results and _meta cross exactly between all pairs of eras, over stdio, share and HTTP', async () => {
    await using house = await House.open();
    await using http = await overHttp(rawWords as readonly [string, ...string[]]);
    const old = fixture('raw-server.mjs');
    const transport = { type: 'http', endpoint: http.url, protocol: 'streamable', allow_insecure: true };
    const bridge = await house.bridge(...rawWords);
    const gateway = await house.gateway([
      shareBackend('share', bridge),
      commandBackend('child', raw),
      { id: 'http', transport },
      commandBackend('old', old),
    ]);
    const places: readonly [string, string][] = [
      [bridge, ''],
      ...['share__', 'child__', 'http__', 'old__'].map((prefix) => [gateway, prefix] as [string, string]),
    ];
    for (const era of ['legacy', 'modern'] as const) {
      for (const [token, prefix] of places) {
        await using client = await speaker(house, token, era);
        const envelope = era === 'modern' ? JSON.stringify(meta()).slice(1, -1) : '"x":1';
        const params = `{"name":"${prefix}line","arguments":{"n":${NUMBERS}},"_meta":{"m":9007199254740993,${envelope}}}`;
        const line = await client.agent.ask('"a"', 'tools/call', params);
        const [content] = (line.result?.content ?? []) as readonly { text: string }[];
        assert.ok(content?.text.includes(`"n":${NUMBERS}`), `${era} ${prefix}: ${line.raw}`);
        assert.ok(content?.text.includes('"m":9007199254740993'), `${era} ${prefix}: ${line.raw}`);
        const result = `{"resultType":"complete","content":[],"structuredContent":{"n":${NUMBERS}},"_meta":{"m":9007199254740993}}`;
        const args = `{"name":"${prefix}say","arguments":{"raw":${JSON.stringify(result)}},"_meta":{${envelope}}}`;
        const said = await client.agent.ask('9007199254740995', 'tools/call', args);
        assert.ok(said.raw.includes(`"n":${NUMBERS}`), `${era} ${prefix}: ${said.raw}`);
        assert.ok(said.raw.includes('"m":9007199254740993'), `${era} ${prefix}: ${said.raw}`);
        assert.ok(said.raw.includes('"id":9007199254740995'), said.raw);
      }
    }
  });

  test('ids of modern requests and subscriptions come back as they were written', async () => {
    await using house = await House.open();
    const gateway = await house.gateway([commandBackend('one', raw), stdioBackend('two')]);
    await using client = await speaker(house, gateway, 'modern');
    const { agent } = client;
    for (const id of ['0', '-1', '"x"', '""', '"0"', '9007199254740993', '"h\\u00e4\\"user"']) {
      for (const name of ['one__line', 'two__echo']) {
        const from = agent.lines.length;
        const params = JSON.stringify({ name, arguments: {}, _meta: meta() });
        assert.equal((await agent.ask(id, 'tools/call', params)).error, undefined, id);
        assert.ok(
          agent.lines.slice(from).some(({ raw: said }) => said.includes(`"id":${id}`)),
          id,
        );
      }
      const from = agent.lines.length;
      const params = JSON.stringify({ notifications: { toolsListChanged: true }, _meta: meta() });
      agent.write(`{"jsonrpc":"2.0","id":${id},"method":"subscriptions/listen","params":${params}}`);
      const tagged = `subscriptionId":${id}`;
      await agent.line(({ raw: said }) => said.includes('acknowledged') && said.includes(tagged), `ack of ${id}`, from);
      agent.write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${id}}}`);
    }
  });
});

describe('questions of servers', () => {
  const ask = (question: string): Json => ({
    method: 'elicitation/create',
    params: { message: question, requestedSchema: { type: 'object', properties: { to: { type: 'string' } } } },
  });

  /** Calls until it is answered, giving each question the answer that names it. */
  async function converse(client: Speaker, name: string, args: Json): Promise<{ reply: Reply; rounds: number }> {
    let more: Json = {};
    for (let rounds = 1; ; rounds += 1) {
      const reply = await client.request('tools/call', { name, arguments: args, ...more }, { elicitation: {} });
      if (reply.result?.resultType !== 'input_required') return { reply, rounds };
      const { inputRequests = {}, requestState } = reply.result as {
        inputRequests?: Record<string, { params: Json }>;
        requestState?: string;
      };
      const inputResponses = Object.fromEntries(
        Object.entries(inputRequests).map(([key, { params }]) => [
          key,
          { action: 'accept', content: { to: `answer to ${String(params.message)}` } },
        ]),
      );
      more = { inputResponses, ...(requestState === undefined ? {} : { requestState }) };
      assert.ok(rounds < 10, `asked ten times: ${reply.raw}`);
    }
  }

  test('of an old server, several calls open at once: each call ends with the answer to its own question', async () => {
    await using house = await House.open();
    const bridge = await house.bridge(
      scriptedServer({ name: 'asks' }).command,
      ...scriptedServer({ name: 'asks' }).args,
    );
    const gateway = await house.gateway([shareBackend('asks', bridge), stdioBackend('other')]);
    await using client = await speaker(house, gateway, 'modern');
    const open = Array.from({ length: 8 }, (_, n) => `question ${n}`);
    const ended = await Promise.all(open.map((question) => converse(client, 'asks__ask', ask(question))));
    for (const [n, { reply, rounds }] of ended.entries()) {
      assert.match(reply.raw, new RegExp(`answer to question ${n}[^0-9]`));
      assert.ok(rounds >= 2);
    }
  });

  test('of a new server, several calls open at once, its state untouched', async () => {
    await using house = await House.open();
    const gateway = await house.gateway([commandBackend('new', raw), stdioBackend('other')]);
    await using client = await speaker(house, gateway, 'modern');
    await using legacy = await speaker(house, gateway, 'legacy', { elicitation: {} });
    legacy.agent.answers.set('elicitation/create', ({ message }) => ({
      action: 'accept',
      content: { to: `answer to ${String(message)}` },
    }));
    const args = (n: number): Json => {
      const inputRequests = {
        'käy.1': { method: 'elicitation/create', params: (ask(`question ${n}`) as { params: Json }).params },
      };
      const requestState = `state "${n}" \\ ☃`;
      return { raw: JSON.stringify({ resultType: 'input_required', inputRequests, requestState }) };
    };
    const numbers = Array.from({ length: 8 }, (_, n) => n);
    const modern = numbers.map(async (n) => (await converse(client, 'new__say', args(n))).reply);
    const old = numbers.map((n) => legacy.request('tools/call', { name: 'new__say', arguments: args(n) }));
    for (const said of [modern, old]) {
      for (const [n, reply] of (await Promise.all(said)).entries()) {
        const [content] = (reply.result?.content ?? []) as readonly { text: string }[];
        const { params } = JSON.parse(content?.text ?? 'null') as { params: Json };
        assert.equal(params.requestState, `state "${n}" \\ ☃`);
        assert.deepEqual(params.inputResponses, {
          'käy.1': { action: 'accept', content: { to: `answer to question ${n}` } },
        });
      }
    }
  });

  test('two clients with different abilities are each asked only what they can', async () => {
    await using house = await House.open();
    const gateway = await house.gateway([stdioBackend('asks'), stdioBackend('other')]);
    await using client = await speaker(house, gateway, 'modern');
    await using other = await speaker(house, gateway, 'modern');
    const params = { name: 'asks__ask', arguments: ask('who?') };
    const [able, unable] = await Promise.all([
      client.request('tools/call', params, { elicitation: {} }),
      other.request('tools/call', params, { sampling: {} }),
    ]);
    assert.equal(able.result?.resultType, 'input_required');
    assert.notEqual(unable.result?.resultType, 'input_required', unable.raw);
    assert.equal(other.agent.asked.length, 0);
    const answers = {
      inputResponses: { q1: { action: 'accept', content: {} } },
      requestState: able.result?.requestState,
    };
    const stolen = await other.request('tools/call', { ...params, ...answers }, { elicitation: {} });
    assert.equal(stolen.error?.code, -32602, stolen.raw);
  });
});

test('one line of stdio speaks both eras at once, at a bridge and at a gateway, to servers of either', async () => {
  await using house = await House.open();
  const shares = [
    [await house.bridge(...rawWords), 'line'],
    [await house.gateway([commandBackend('a', raw), stdioBackend('b')]), 'a__line'],
    [await house.gateway([commandBackend('a', raw), stdioBackend('b')]), 'b__echo'],
  ] as const;
  for (const [token, name] of shares) {
    await using agent = LineClient.spawn(house.agentProgram(token));
    const modern = (): Promise<Reply> => agent.request('tools/call', { name, arguments: {}, _meta: meta() });
    const legacy = (): Promise<Reply> => agent.request('tools/call', { name, arguments: {} });
    assert.equal((await modern()).result?.resultType, 'complete');
    await agent.initialize();
    const said = await Promise.all([legacy(), modern(), legacy(), modern()]);
    assert.deepEqual(
      said.map(({ result }) => result?.resultType),
      [undefined, 'complete', undefined, 'complete'],
    );
    for (const { error, raw: line } of said) assert.equal(error, undefined, line);
  }
});
