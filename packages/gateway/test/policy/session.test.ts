// What a client of a gateway with rules sees and can do, over servers that the test plays by hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from '@mcp-overlay/overlay';
import { META, type Message, notificationMessage, requestMessage } from '@mcp-overlay/relay';
import { accessOf } from '../../src/policy/access.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { memoryAuditLog } from '../../src/testing/index.ts';
import {
  openSession,
  type Play,
  type PlayedBackend,
  paramsIn,
  playedBackend,
  resultIn,
} from '../session/one-session.ts';
import { person, policyOf } from './rules-of.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
type Json = any;

const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  tasks: { list: {}, cancel: {} },
  completions: {},
};
const TOOLS = ['read_file', 'write_file', 'delete_file'];

/** A server with some of everything; `play` comes first. */
function server(id: string, play: Play = () => undefined): PlayedBackend {
  return playedBackend(id, (method, params, played) => {
    const own = play(method, params, played);
    if (own !== undefined) return own;
    const serverInfo = { name: `server ${id}`, version: '1' };
    if (method === 'initialize') {
      return { protocolVersion: '2025-11-25', capabilities: CAPABILITIES, serverInfo, instructions: `words of ${id}` };
    }
    if (method === 'server/discover') {
      const _meta = { [META.serverInfo]: serverInfo };
      const said = { supportedVersions: ['2026-07-28'], capabilities: CAPABILITIES, instructions: `words of ${id}` };
      return { resultType: 'complete', ttlMs: 9, cacheScope: 'public', ...said, _meta };
    }
    const hints = { resultType: 'complete', ttlMs: 60_000, cacheScope: 'public' };
    if (method === 'tools/list')
      return { ...hints, tools: TOOLS.map((name) => ({ name, inputSchema: { type: 'object' } })) };
    if (method === 'prompts/list') return { ...hints, prompts: [{ name: 'greet' }, { name: 'shout' }] };
    if (method === 'resources/list') {
      return {
        ...hints,
        resources: ['file:///public/a', 'file:///secret/b'].map((uri) => ({ uri, name: 'read_file' })),
      };
    }
    if (method === 'resources/templates/list') {
      return {
        ...hints,
        resourceTemplates: ['file:///public/{x}', 'file:///{x}'].map((uriTemplate) => ({ uriTemplate, name: 'x' })),
      };
    }
    return { ...hints, by: id, got: params };
  });
}

const RULES = `
roles:
  reader:
    - allow: { backend: fs, tools: [read_*], args: { path: { path: { under: [/data] } } } }
    - allow: { backend: fs, prompts: [greet] }
    - allow: { backend: fs, resources: ["file:///public/*"] }
    - deny: { backend: fs, methods: [sampling/createMessage] }
  editor: [ { allow: { backends: [fs, db], tools: ["*"] } }, { deny: { tools: ["delete_*"] } } ]
identities: { "ziti:reader": [reader], "ziti:editor": [editor] }
`;

function session(
  policy: Policy,
  who: Principal,
  backends: readonly PlayedBackend[],
  more: Parameters<typeof openSession>[1] = {},
) {
  const filters = new Map(backends.map(({ id }) => [id, () => 'all tools']));
  return openSession(backends, { accessFor: (_principal, number) => accessOf(policy, filters, who, number), ...more });
}

function errorIn(message: Message): Json {
  return JSON.parse(message.bytes.toString('utf8')).error;
}

function names(message: Message, member: string, key = 'name'): string[] {
  return (resultIn(message)[member] as Json[]).map((item) => item[key]);
}

function modern(more: Json = {}): Json {
  return { ...more, _meta: { [META.version]: '2026-07-28', [META.clientCapabilities]: {} } };
}

test('lists hold what some arguments could make allowed, of every kind, and nothing else', async () => {
  const policy = await policyOf(RULES);
  await using house = session(policy, person('reader'), [server('fs'), server('db'), server('github')]);
  await house.shakeHands();
  assert.deepEqual(names(await house.ask('tools/list'), 'tools'), ['fs__read_file']);
  assert.deepEqual(names(await house.ask('prompts/list'), 'prompts'), ['fs__greet']);
  assert.deepEqual(names(await house.ask('resources/list'), 'resources', 'uri'), ['fs+file:///public/a']);
  const templates = names(await house.ask('resources/templates/list'), 'resourceTemplates', 'uriTemplate');
  assert.deepEqual(templates, ['fs+file:///public/{x}']);
});

test('a backend of which a client may have nothing does not exist for it: not started, not named, not quoted', async () => {
  const policy = await policyOf(RULES);
  const backends = [server('fs'), server('db'), server('github')];
  await using house = session(policy, person('reader'), backends);
  const welcome = resultIn(await house.shakeHands());
  assert.equal(welcome.instructions, '# fs\n\nwords of fs');
  assert.deepEqual(
    backends.map(({ servers }) => servers.length),
    [1, 0, 0],
  );
  assert.deepEqual(
    house.session.backendStates().map(({ id }) => id),
    ['fs'],
  );
});

test('who has no role gets empty lists, no error for asking, and no server', async () => {
  const policy = await policyOf(RULES);
  for (const backends of [[server('fs')], [server('fs'), server('db')]]) {
    await using house = session(policy, person('stranger'), backends);
    const welcome: Json = resultIn(await house.shakeHands());
    assert.ok(welcome.capabilities.tools);
    for (const [method, member] of [
      ['tools/list', 'tools'],
      ['prompts/list', 'prompts'],
      ['resources/list', 'resources'],
    ] as const) {
      assert.deepEqual(resultIn(await house.ask(method))[member], []);
    }
    assert.deepEqual(errorIn(await house.ask('tools/call', { name: 'fs__read_file', arguments: {} })), {
      code: -32602,
      message: 'Unknown tool: fs__read_file',
    });
    assert.equal(errorIn(await house.ask('no/such/method')).code, -32601);
    assert.ok(backends.every(({ servers }) => servers.length === 0));
  }
});

test('what is denied answers like what does not exist, word for word', async () => {
  const policy = await policyOf(RULES);
  const backends = [server('fs'), server('db')];
  await using house = session(policy, person('reader'), backends);
  await house.shakeHands();
  await house.ask('tools/list');
  const without = (error: Json, name: string): string => JSON.stringify(error).replaceAll(name, '…');
  const same = async (method: string, hidden: Json, missing: Json, [a, b]: [string, string]): Promise<void> => {
    const [one, other] = [errorIn(await house.ask(method, hidden)), errorIn(await house.ask(method, missing))];
    assert.equal(without(one, a), without(other, b));
  };
  await same('tools/call', { name: 'fs__write_file' }, { name: 'fs__nothing' }, ['fs__write_file', 'fs__nothing']);
  await same('tools/call', { name: 'db__read_file' }, { name: 'db__nothing' }, ['db__read_file', 'db__nothing']);
  await same('prompts/get', { name: 'fs__shout' }, { name: 'fs__nothing' }, ['fs__shout', 'fs__nothing']);
  const uris: [string, string] = ['fs+file:///secret/b', 'fs+file:///public/../x'];
  await same('resources/read', { uri: uris[0] }, { uri: uris[1] }, uris);
  await same('resources/subscribe', { uri: uris[0] }, { uri: uris[1] }, uris);
  const ref = (name: string): Json => ({ ref: { type: 'ref/prompt', name }, argument: { name: 'a', value: '' } });
  await same('completion/complete', ref('fs__shout'), ref('fs__nothing'), ['fs__shout', 'fs__nothing']);
  const reached = backends.flatMap(({ servers }) => servers.flatMap(({ got }) => got.map(({ method }) => method)));
  for (const method of ['tools/call', 'prompts/get', 'resources/read', 'resources/subscribe', 'completion/complete']) {
    assert.ok(!reached.includes(method), method);
  }
});

test('arguments that no rule allows: the error names the argument, nothing of the rule, and the server sees nothing', async () => {
  const policy = await policyOf(RULES);
  const backends = [server('fs'), server('db')];
  await using house = session(policy, person('reader'), backends);
  await house.shakeHands();
  const call = (args: Json): Promise<Message> => house.ask('tools/call', { name: 'fs__read_file', arguments: args });
  assert.equal(resultIn(await call({ path: '/data/x' })).by, 'fs');
  const error = errorIn(await call({ path: '/etc/passwd' }));
  assert.equal(error.code, -31055);
  assert.deepEqual(error.data, { error: 'refused', code: 'rule', argument: 'path' });
  assert.match(
    error.message,
    /do not allow this tools\/call of fs__read_file: argument path is not what they let through/,
  );
  assert.doesNotMatch(JSON.stringify(error), /data\/|passwd|reader|under/);
  for (const args of [undefined, {}, [], 'x', null, { path: ['/data/x'] }, { path: '/data/x', more: 1 }]) {
    assert.ok(errorIn(await call(args)), JSON.stringify(args));
  }
  const calls = backends[0]?.servers.flatMap(({ got }) => got.filter(({ method }) => method === 'tools/call')) ?? [];
  assert.deepEqual(
    calls.map((message) => (paramsIn(message).arguments as Json).path),
    ['/data/x'],
  );
});

test('URIs that can be read in several ways get in by no rule that names places, and out by none', async () => {
  const policy = await policyOf(`
roles:
  places: [ { allow: { resources: ["file:///public/*"] } } ]
  all: [ { allow: { resources: ["*"] } }, { deny: { resources: ["file:///secret/*"] } } ]
identities: { "ziti:places": [places], "ziti:all": [all] }`);
  const may = (who: string, name: string): boolean =>
    policy.decide(person(who), { backend: 'fs', kind: 'resource', name, args: {} }).allow;
  for (const uri of ['file:///public/a', 'file:///public/a%20b', 'file:///public/a/', 'file:///public/\u00e9'])
    assert.equal(may('places', uri), true, uri);
  for (const uri of [
    'file:///public/../secret/b',
    'file:///public/%2e%2e/secret/b',
    'file:///public/%252e%252e/secret/b',
    'file:///public/..%2fsecret',
    'file:///public/\\..\\secret',
    'file:///secret/b',
    'FILE:///secret/b',
    'file:///public/%00',
    'file:///public/%zz',
    'file:///public/\n',
  ]) {
    assert.equal(may('places', uri), false, uri);
  }
  for (const uri of [
    'file:///secret/b',
    'FILE:///secret/b',
    'file:///s%65cret/b',
    'file:///s%2565cret/b',
    'file:///x/../secret/b',
    'file:///x/%2e%2e/secret/b',
    'file:///secret//b',
    'file:///./secret/b',
  ]) {
    assert.equal(may('all', uri), false, uri);
  }
  assert.equal(may('all', 'memo://x'), true);
});

test('T06: identity by backend by tool: nobody reaches what is not his, and everybody what is', async () => {
  const people = ['a', 'b', 'c', 'd', 'e'];
  const ids = ['fs', 'db', 'github'];
  const mine = (person: number, backend: number, tool: number): boolean =>
    (person * 7 + backend * 5 + tool * 3) % 4 === 0;
  const roles = people.map((name, p) => {
    const rules = ids.flatMap((backend, b) =>
      TOOLS.filter((_tool, t) => mine(p, b, t)).map((tool) => `{ allow: { backend: ${backend}, tools: [${tool}] } }`),
    );
    return `${name}: [${rules.join(', ')}]`;
  });
  const policy = await policyOf(
    `roles: { ${roles.join(', ')} }\nidentities: { ${people.map((name) => `"ziti:${name}": [${name}]`).join(', ')} }`,
  );
  let crossings = 0;
  let calls = 0;
  for (const [p, name] of people.entries()) {
    const backends = ids.map((id) => server(id));
    await using house = session(policy, person(name), backends);
    await house.shakeHands();
    const shown = new Set(names(await house.ask('tools/list'), 'tools'));
    for (const [b, backend] of ids.entries()) {
      for (const [t, tool] of TOOLS.entries()) {
        const answer = await house.ask('tools/call', {
          name: `${backend}__${tool}`,
          arguments: { nonce: `${name}${b}${t}` },
        });
        const reached =
          backends[b]?.servers.some(({ got }) => got.some((message) => message.bytes.includes(`${name}${b}${t}`))) ??
          false;
        assert.equal(shown.has(`${backend}__${tool}`), mine(p, b, t));
        assert.equal(errorIn(answer) === undefined, mine(p, b, t));
        if (reached !== mine(p, b, t)) crossings += 1;
        calls += 1;
      }
    }
  }
  assert.deepEqual([calls, crossings], [45, 0]);
});

test('T12: what rules filtered is no shared cache\u2019s: lists and contents of the modern era are private', async () => {
  const policy = await policyOf(RULES);
  for (const backends of [[server('fs')], [server('fs'), server('db')]]) {
    await using house = session(policy, person('reader'), backends);
    for (const method of [
      'server/discover',
      'tools/list',
      'prompts/list',
      'resources/list',
      'resources/templates/list',
    ]) {
      assert.equal(resultIn(await house.ask(method, modern())).cacheScope, 'private', method);
    }
    const uri = backends.length === 1 ? 'file:///public/a' : 'fs+file:///public/a';
    assert.equal(resultIn(await house.ask('resources/read', modern({ uri }))).cacheScope, 'private');
  }
  await using open = session(await policyOf(''), person('reader'), [server('fs')]);
  assert.equal(resultIn(await open.ask('tools/list', modern())).cacheScope, 'public');
});

test('news of what a client may not have are not told: updates, changed lists, subscriptions', async () => {
  const policy = await policyOf(RULES);
  const other = await policyOf(
    `roles: { t: [ { allow: { backend: fs, tools: ["*"] } } ] }\nidentities: { "ziti:t": [t] }`,
  );
  const fs = server('fs');
  await using house = session(policy, person('reader'), [fs, server('db')]);
  await house.shakeHands();
  const tell = (method: string, params: Json = {}): void =>
    void fs.servers[0]?.far.send(notificationMessage(method, params));
  tell('notifications/resources/updated', { uri: 'file:///secret/b' });
  tell('notifications/resources/updated', { uri: 'file:///public/a' });
  const told = await house.notified('notifications/resources/updated');
  assert.equal(paramsIn(told).uri, 'fs+file:///public/a');

  const only = server('fs');
  await using tools = session(other, person('t'), [only, server('db')]);
  await tools.shakeHands();
  only.servers[0]?.far.send(notificationMessage('notifications/resources/list_changed'));
  only.servers[0]?.far.send(notificationMessage('notifications/prompts/list_changed'));
  only.servers[0]?.far.send(notificationMessage('notifications/tools/list_changed'));
  await tools.notified('notifications/tools/list_changed');
  assert.deepEqual(
    tools.inbox.filter(({ method }) => method?.endsWith('list_changed')),
    [],
  );
});

test('a modern client subscribes to nothing that it may not read', async () => {
  const policy = await policyOf(RULES);
  const fs = server('fs', (method) => (method === 'subscriptions/listen' ? {} : undefined));
  await using house = session(policy, person('reader'), [fs, server('db')]);
  const wanted = { toolsListChanged: true, resourceSubscriptions: ['fs+file:///secret/b', 'fs+file:///public/a'] };
  house.client.send(requestMessage('"l1"', 'subscriptions/listen', modern({ notifications: wanted })));
  await house.notified('notifications/subscriptions/acknowledged');
  const asked = fs.servers.flatMap(({ got }) => got).find(({ method }) => method === 'subscriptions/listen');
  assert.ok(asked);
  assert.deepEqual((paramsIn(asked).notifications as Json).resourceSubscriptions, ['file:///public/a']);
});

test('T35: what a server may not ask, its client cannot do; what no rule denies passes with the server\u2019s id', async () => {
  const policy = await policyOf(RULES);
  const fs = server('fs');
  await using house = session(policy, person('reader'), [fs, server('db')]);
  await house.shakeHands({ sampling: {}, roots: {} });
  const far = fs.servers[0]?.far;
  far?.send(requestMessage('1', 'sampling/createMessage', { messages: [] }));
  far?.send(requestMessage('2', 'roots/list', {}));
  const asked = await house.until(({ kind }) => kind === 'request');
  assert.equal(asked.method, 'roots/list');
  assert.equal((paramsIn(asked)._meta as Json)['mcp-overlay/backend'], 'fs');
  const answered = fs.servers[0]?.got.find(({ id, kind }) => id === '1' && kind === 'response');
  assert.equal(errorIn(answered as Message).code, -32601);
});

test('tasks are for whoever may call some tool of their backend, other methods for whom a rule names them', async () => {
  const policy = await policyOf(`
roles:
  tools: [ { allow: { backend: fs, tools: [read_file], args: { p: { enum: [1] } } } } ]
  prompts: [ { allow: { backend: fs, prompts: ["*"] } } ]
  odd: [ { allow: { backend: fs, methods: ["odd/*"] } }, { allow: { backend: fs, tools: ["*"] } }, { deny: { methods: [tasks/cancel] } } ]
identities: { "ziti:tools": [tools], "ziti:prompts": [prompts], "ziti:odd": [odd] }`);
  const may = (who: string, kind: 'task' | 'method', name: string): boolean =>
    policy.decide(person(who), { backend: 'fs', kind, name, args: {} }).allow;
  assert.deepEqual(
    ['tools', 'prompts', 'odd'].map((who) => may(who, 'task', 'tasks/get')),
    [true, false, true],
  );
  assert.deepEqual(
    ['tools', 'prompts', 'odd'].map((who) => may(who, 'method', 'odd/thing')),
    [false, false, true],
  );
  assert.equal(may('odd', 'task', 'tasks/cancel'), false);
  const fs = server('fs');
  await using house = session(policy, person('odd'), [fs]);
  await house.shakeHands();
  assert.equal(resultIn(await house.ask('odd/thing', { a: 1 })).by, 'fs');
  assert.equal(errorIn(await house.ask('other/thing')).code, -32601);
  assert.equal(errorIn(await house.ask('tasks/cancel', { taskId: 't' })).code, -32602);
  assert.equal(resultIn(await house.ask('tasks/get', { taskId: 't' })).by, 'fs');
});

test('shadow mode: everything goes on, and the trail of what would have been refused says so', async () => {
  const policy = await policyOf(`enforce: false\n${RULES}`);
  await using house = session(policy, person('stranger'), [server('fs'), server('db')]);
  await house.shakeHands();
  assert.equal(names(await house.ask('tools/list'), 'tools').length, 6);
  assert.equal(resultIn(await house.ask('tools/call', { name: 'db__delete_file' })).by, 'db');
  const access = accessOf(policy, new Map([['db', () => 'all tools']]), person('stranger'), 1);
  assert.deepEqual(access.decide('db', 'tool', 'delete_file', {}).shadow, true);
});

test('a view narrows what its roles allow, and over its share everything', async () => {
  const policy = await policyOf(`
roles:
  support: [ { allow: { tools: ["*"] } } ]
  engineer: [ { allow: { backends: [fs, db], tools: ["*"], prompts: ["*"] } } ]
identities: { "ziti:sue": [support], "ziti:eve": [engineer], "ziti:ben": [support, engineer] }
views:
  calm: { roles: [support], show: [ { backend: fs, tools: [read_*] } ], share: { token: team-support } }
  any: { show: [ { tools: [list_*] } ], share: { token: team-lists } }`);
  const may = (over: Policy, who: string, backend: string, tool: string): boolean =>
    over.decide(person(who), { backend, kind: 'tool', name: tool, args: {} }).allow;
  assert.deepEqual(
    [may(policy, 'sue', 'fs', 'read_x'), may(policy, 'sue', 'fs', 'write_x'), may(policy, 'sue', 'db', 'read_x')],
    [true, false, false],
  );
  assert.deepEqual([may(policy, 'eve', 'fs', 'write_x'), may(policy, 'ben', 'db', 'write_x')], [true, true]);
  const calm = policy.through('calm');
  assert.deepEqual(
    ['sue', 'eve', 'ben'].map((who) => calm.rolesOf(person(who)).length),
    [1, 0, 1],
  );
  assert.deepEqual(
    ['sue', 'eve', 'ben'].map((who) => may(calm, who, 'fs', 'read_x')),
    [true, false, true],
  );
  assert.equal(may(calm, 'ben', 'db', 'write_x'), false);
  const any = policy.through('any');
  assert.deepEqual(
    [may(any, 'eve', 'db', 'list_x'), may(any, 'eve', 'db', 'read_x'), may(any, 'sue', 'fs', 'list_x')],
    [true, false, false],
  );
  assert.deepEqual(policy.shares, [
    { view: 'calm', token: 'team-support' },
    { view: 'any', token: 'team-lists' },
  ]);
});

test('the log level is a method like others: by default nobody sets it, a rule lets it through to its servers alone, on record', async () => {
  const policy = await policyOf(`roles:
  reader: [ { allow: { tools: [read_*] } } ]
  loud: [ { allow: { backend: fs, methods: [logging/setLevel] } }, { allow: { backend: db, tools: ["*"] } } ]
identities: { "ziti:reader": [reader], "ziti:loud": [loud] }
`);
  const logging: Play = (method) =>
    method === 'initialize'
      ? {
          protocolVersion: '2025-11-25',
          capabilities: { ...CAPABILITIES, logging: {} },
          serverInfo: { name: 'x', version: '1' },
        }
      : undefined;
  for (const [who, reached] of [
    ['reader', []],
    ['loud', ['fs']],
  ] as const) {
    const log = memoryAuditLog();
    const backends = [server('fs', logging), server('db', logging)];
    await using house = session(policy, person(who), backends, { audit: { log, receipts: false } });
    await house.shakeHands();
    const answer = await house.ask('logging/setLevel', { level: 'debug' });
    if (reached.length > 0) assert.deepEqual(resultIn(answer), {});
    else
      assert.deepEqual([errorIn(answer).code, errorIn(answer).message], [-32601, 'Method not found: logging/setLevel']);
    const got = (id: string): boolean =>
      backends.some(
        (one) =>
          one.id === id && one.servers.some(({ got }) => got.some(({ method }) => method === 'logging/setLevel')),
      );
    assert.deepEqual(['fs', 'db'].filter(got), reached);
    const [first, last] = log.events.filter(({ type }) => type.startsWith('call.')) as Json[];
    const said = [first.type, first.method, first.decision, first.rule, first.target];
    if (reached.length > 0)
      assert.deepEqual(said, ['call.intent', 'logging/setLevel', 'allow', 'loud/1', 'logging/setLevel']);
    else assert.deepEqual(said, ['call.outcome', 'logging/setLevel', 'deny', 'default', 'logging/setLevel']);
    assert.equal((last ?? first).status, reached.length > 0 ? 'ok' : 'refused');
  }
});

test('a completion of what is neither prompt nor resource is refused where rules judge, and passes where none do', async () => {
  const policy = await policyOf('roles: { all: [ { allow: { backend: fs } } ] }\nidentities: { "ziti:ann": [all] }\n');
  const log = memoryAuditLog();
  const backends = [server('fs')];
  await using house = session(policy, person('ann'), backends, { audit: { log, receipts: false } });
  await house.shakeHands();
  const argument = { name: 'a', value: '' };
  const refs: readonly Json[] = [
    { type: 'ref/tool', name: 'delete_file', uri: 'file:///public/a' },
    { type: 'ref/prompt', uri: 'file:///public/a' },
    { type: 'ref/resource', name: 'greet' },
    { uri: 'file:///public/a' },
    { type: 7, uri: 'file:///public/a' },
    'ref/prompt',
  ];
  for (const ref of refs) {
    const { code } = errorIn(await house.ask('completion/complete', { ref, argument }));
    assert.equal(code, -32602, JSON.stringify(ref));
    const last = log.events.at(-1) as Json;
    assert.deepEqual([last.status, last.decision, last.rule], ['refused', 'deny', 'default']);
  }
  for (const ref of [
    { type: 'ref/prompt', name: 'greet' },
    { type: 'ref/resource', uri: 'file:///public/a' },
  ])
    assert.equal(resultIn(await house.ask('completion/complete', { ref, argument })).by, 'fs');
  const reached = backends[0]?.servers.flatMap(({ got }) =>
    got.filter(({ method }) => method === 'completion/complete'),
  );
  assert.equal(reached?.length, 2);
  await using open = openSession([server('fs')]);
  await open.shakeHands();
  const uri = { ref: { type: 'ref/else', uri: 'file:///public/a' }, argument };
  assert.equal(resultIn(await open.ask('completion/complete', uri)).by, 'fs');
});

test('T20: params with a key twice reach no server: what was judged is one reading, and it could have the other', async () => {
  const policy = await policyOf(RULES);
  const log = memoryAuditLog();
  const backends = [server('fs'), server('db')];
  await using house = session(policy, person('reader'), backends, { audit: { log, receipts: false } });
  await house.shakeHands();
  const params = [
    '{"name":"fs__read_file","arguments":{"path":"/etc/passwd","path":"/data/x"}}',
    '{"name":"db__delete_file","name":"fs__read_file","arguments":{"path":"/data/x"}}',
    '{"name":"fs__read_file","arguments":{"path":"/data/x","p\\u0061th":"/data/y"}}',
  ];
  for (const [at, text] of params.entries()) {
    const bytes = Buffer.from(`{"jsonrpc":"2.0","id":"t${at}","method":"tools/call","params":${text}}`);
    house.client.send({ kind: 'request', id: `"t${at}"`, method: 'tools/call', bytes });
    const error = errorIn(await house.until(({ id }) => id === `"t${at}"`));
    assert.deepEqual([error.code, error.message.includes('same key twice')], [-32602, true]);
    const last = log.events.at(-1) as Json;
    assert.deepEqual([last.type, last.status, last.code], ['call.outcome', 'refused', 'invalid_params']);
  }
  const reached = backends.flatMap(({ servers }) => servers.flatMap(({ got }) => got));
  assert.ok(!reached.some(({ method }) => method === 'tools/call'));
});
