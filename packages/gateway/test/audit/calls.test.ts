// What goes on record of a client's calls, in which order, and what the client is told of it. The servers are played.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  errorMessage,
  LIMITS,
  META,
  type Message,
  notificationMessage,
  requestMessage,
  resultMessage,
  toMessage,
} from '@mcp-overlay/relay';
import type { AuditEvent } from '../../src/audit/audit-log.ts';
import { memoryAuditLog } from '../../src/testing/index.ts';
import { openSession, type Play, paramsIn, playedBackend, resultIn, SILENCE } from '../session/one-session.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
type Json = any;

const MODERN = { _meta: { [META.version]: '2026-07-28', [META.clientCapabilities]: { elicitation: {} } } };
const errorIn = (message: Message): Json => JSON.parse(message.bytes.toString('utf8')).error;
const metaIn = (message: Message): Json => (resultIn(message)._meta as Json)?.['mcp-overlay/audit'];

/** A session whose calls go on record; `seen`: what its servers got and its log took, in order. */
function recorded(backends: readonly (readonly [string, Play?])[], { receipts = true, ...more }: Json = {}) {
  const log = memoryAuditLog();
  const seen: string[] = [];
  const play = ([id, own]: readonly [string, Play?]) =>
    playedBackend(id, (method, params, server) => {
      seen.push(`${id} ${method}`);
      return own?.(method, params, server);
    });
  const append = log.append;
  log.append = async (event) => {
    const receipt = await append(event);
    seen.push(`${event.type} ${(event as { method?: string }).method}`);
    return receipt;
  };
  const played = backends.map(play);
  const house = openSession(played, { audit: { log, receipts }, ...more });
  return { log, seen, played, house };
}

function callsIn(events: readonly AuditEvent[]): Json[] {
  return events.filter(({ type }) => type.startsWith('call.'));
}

test('a call is on record before its server sees it, and its outcome before the client does', async () => {
  const { log, seen, house } = recorded([['a'], ['b']]);
  await using _ = house;
  await house.shakeHands();
  await house.ask('tools/list');
  const answer = await house.ask('tools/call', { name: 'b__echo', arguments: { x: 1 } });
  assert.deepEqual(seen.slice(-3), ['call.intent tools/call', 'b tools/call', 'call.outcome tools/call']);
  const [intent, outcome] = callsIn(log.events);
  const facts = {
    session: 1,
    ident: 'owner',
    method: 'tools/call',
    backend: 'b',
    kind: 'tool',
    target: 'echo',
    decision: 'allow',
    rule: 'all tools',
  };
  assert.deepEqual(intent, { type: 'call.intent', ...facts, args: { x: 1 } });
  const { ms, result, ...rest } = outcome;
  assert.deepEqual(rest, { type: 'call.outcome', ...facts, of: 1, status: 'ok', bytes: result.length });
  assert.ok(ms > 0);
  assert.deepEqual(JSON.parse(result), { content: [], by: 'b' });
  assert.equal(metaIn(answer).seq, 2);
  assert.deepEqual(Object.keys(metaIn(answer)), ['log', 'seq', 'hash']);
});

test('lists, pings and the handshake are no calls', async () => {
  const { log, house } = recorded([['a'], ['b']]);
  await using _ = house;
  await house.shakeHands();
  for (const method of ['ping', 'tools/list', 'resources/list', 'tasks/list']) {
    assert.equal(metaIn(await house.ask(method)), undefined);
  }
  assert.deepEqual(log.events, []);
});

test('of a single server every other byte of an answer stays as it was', async () => {
  const raw = '{"jsonrpc":"2.0","id":ID,"result":{ "n":1e400, "content":[] , "_meta" : {"own":true}} }';
  const { house, played } = recorded([['only', (method) => (method === 'tools/call' ? SILENCE : undefined)]]);
  await using _ = house;
  await house.shakeHands();
  const asked = house.ask('tools/call', { name: 'echo' });
  const server = played[0]?.servers[0];
  while (!server?.got.some(({ method }) => method === 'tools/call')) await new Promise(setImmediate);
  const id = server.got.at(-1)?.id ?? '';
  server.far.send({ kind: 'response', id, method: undefined, bytes: Buffer.from(raw.replace('ID', id)) });
  const answer = await asked;
  const text = answer.bytes.toString().replace(/"mcp-overlay\/audit":\{[^}]*\},/, '');
  assert.equal(text, raw.replace('ID', answer.id ?? ''));
  assert.equal(metaIn(answer).seq, 2);
});

test('without an audit key calls are recorded and answers carry nothing', async () => {
  const { log, house } = recorded([['a'], ['b']], { receipts: false });
  await using _ = house;
  await house.shakeHands();
  assert.equal(resultIn(await house.ask('tools/call', { name: 'a__echo' }))._meta, undefined);
  assert.equal(errorIn(await house.ask('tools/call', { name: 'a__none' })).data, undefined);
  assert.equal(callsIn(log.events).length, 3);
});

test('a refusal of ours is on record with what was asked, and tells its number; nothing was passed on', async () => {
  const { log, seen, house } = recorded([['a'], ['b']]);
  await using _ = house;
  await house.shakeHands();
  const error = errorIn(await house.ask('tools/call', { name: 'a__rm', arguments: { path: '/' } }));
  assert.deepEqual(error, {
    code: -32602,
    message: 'Unknown tool: a__rm',
    data: { audit: { log: 'in-memory', seq: 1, hash: error.data.audit.hash } },
  });
  const [outcome] = callsIn(log.events);
  assert.deepEqual(
    [outcome.type, outcome.status, outcome.code, outcome.kind, outcome.target, outcome.args],
    ['call.outcome', 'refused', -32602, 'tool', 'a__rm', { path: '/' }],
  );
  assert.ok(!seen.includes('a tools/call'));
});

for (const ids of [['a'], ['a', 'b']]) {
  test(`a server's own error passes unchanged and is recorded as its own (${ids.length} servers)`, async () => {
    const { log, played, house } = recorded(
      ids.map(
        (id) =>
          [id, (method) => (method === 'prompts/get' || method === 'resources/read' ? SILENCE : undefined)] as const,
      ),
    );
    await using _ = house;
    await house.shakeHands();
    const own = { code: -32050, message: 'mine', data: { error: 'not one of ours', audit: 'mine' } };
    const asked = house.ask('resources/read', { uri: ids.length === 1 ? 'x:/1' : 'a+x:/1' });
    const server = played[0]?.servers[0];
    while (!server?.got.some(({ method }) => method === 'resources/read')) await new Promise(setImmediate);
    server.far.send(toMessage({ jsonrpc: '2.0', id: Number(server.got.at(-1)?.id), error: own }));
    assert.deepEqual(errorIn(await asked), own);
    const outcome = callsIn(log.events).at(-1);
    assert.deepEqual([outcome.status, outcome.code, outcome.target, outcome.of], ['error', -32050, 'x:/1', 1]);
  });
}

test('an answer that is withheld is of a call that ran', async () => {
  const { log, played, house } = recorded([['a', (method) => (method === 'resources/read' ? SILENCE : undefined)]]);
  await using _ = house;
  await house.shakeHands();
  const asked = house.ask('resources/read', { uri: 'x:/1' });
  const server = played[0]?.servers[0];
  while (!server?.got.some(({ method }) => method === 'resources/read')) await new Promise(setImmediate);
  server.far.send(errorMessage(server.got.at(-1)?.id ?? '', 'withheld', 'the answer was withheld'));
  assert.equal(errorIn(await asked).data.audit.seq, 2);
  assert.deepEqual([callsIn(log.events)[1].status, callsIn(log.events)[1].code], ['ok', 'withheld']);
});

test('what a tool calls its own failure is an error of the server', async () => {
  const { log, house } = recorded([
    ['a', (method) => (method === 'tools/call' ? { content: [{ '"isError"': 1 }], isError: true } : undefined)],
  ]);
  await using _ = house;
  await house.shakeHands();
  await house.ask('tools/call', { name: 'echo' });
  assert.deepEqual([callsIn(log.events)[1].status, callsIn(log.events)[1].code], ['error', 'isError']);
});

test('a call that is late, one that is cancelled and one that finds no room are recorded as that', async () => {
  const silent: Play = (method) => (method === 'tools/call' ? SILENCE : undefined);
  const { log, house } = recorded([['a', silent]], {
    callTimeoutMs: 200,
    limits: { ...LIMITS, callsPerSession: 1, callsQueued: 0 },
  });
  await using _ = house;
  await house.shakeHands();
  house.client.send(requestMessage('"c"', 'tools/call', { name: 'echo' }));
  await log.saw(({ type }) => type === 'call.intent');
  const busy = errorIn(await house.ask('tools/call', { name: 'echo' }));
  assert.deepEqual([busy.data.error, busy.data.audit.seq], ['busy', 2]);
  house.client.send(notificationMessage('notifications/cancelled', { requestId: 'c' }));
  await log.saw((event) => event.type === 'call.outcome' && event.status === 'cancelled');
  const late = errorIn(await house.ask('tools/call', { name: 'echo' }));
  assert.deepEqual([late.data.error, late.data.audit.seq], ['call_timeout', 5]);
  assert.deepEqual(
    callsIn(log.events).map(({ type, status, of }) => [type, status, of]),
    [
      ['call.intent', undefined, undefined],
      ['call.outcome', 'refused', undefined],
      ['call.outcome', 'cancelled', 1],
      ['call.intent', undefined, undefined],
      ['call.outcome', 'timeout', 4],
    ],
  );
});

const EVERYTHING = {
  personal: true,
  shows: () => true,
  decide: () => ({ allow: true, rule: 'r' }),
  reaches: () => true,
  mayAsk: () => true,
};

const ROADS: readonly (readonly [string, Json])[] = [
  ['tools/call', { name: 'echo' }],
  ['prompts/get', { name: 'p' }],
  ['resources/read', { uri: 'x:/1' }],
  ['resources/subscribe', { uri: 'x:/1' }],
  ['resources/unsubscribe', { uri: 'x:/1' }],
  ['completion/complete', { ref: { type: 'ref/prompt', name: 'p' }, argument: { name: 'n', value: 'v' } }],
  ['logging/setLevel', { level: 'info' }],
  ['tasks/get', { taskId: 't' }],
  ['tasks/result', { taskId: 't' }],
  ['tasks/cancel', { taskId: 't' }],
  ['odd/method', { x: 1 }],
  ['constructor', {}],
];

for (const era of ['legacy', 'modern'] as const) {
  test(`T40: no road of the ${era} era reaches a server past a log that cannot be written`, async () => {
    const greet: Play = (method) => (method === 'server/discover' ? { capabilities: { tools: {} } } : undefined);
    const { log, seen, house } = recorded([['a', greet]]);
    await using _ = house;
    if (era === 'legacy') await house.shakeHands();
    else await house.ask('server/discover', MODERN);
    log.fails = ({ type }) => type === 'call.intent';
    const before = seen.length;
    const roads = ROADS.filter(([method]) => era === 'legacy' || !/subscribe|setLevel|tasks\/result/.test(method));
    for (const [method, params] of roads) {
      const { code, data } = errorIn(await house.ask(method, { ...params, ...(era === 'modern' ? MODERN : {}) }));
      assert.deepEqual([method, code, data.error, data.ran], [method, -31060, 'audit_unavailable', false]);
    }
    if (era === 'modern') {
      const listen = await house.ask('subscriptions/listen', { notifications: { toolsListChanged: true }, ...MODERN });
      assert.equal(errorIn(listen).data.error, 'audit_unavailable');
    } else {
      house.client.send(notificationMessage('notifications/com.example/act', { now: true }));
      house.client.send(notificationMessage('tools/call', { name: 'echo' }));
      await house.ask('ping');
    }
    const reached = seen.slice(before).filter((what) => what.startsWith('a '));
    assert.deepEqual(
      reached.filter((what) => !/list$/.test(what)),
      [],
    );
  });
}

test('T40: a stage that throws forwards nothing, answers internal_error, and is on record', async () => {
  const fault = (): never => {
    throw new Error('planted');
  };
  const broken: Record<string, Json> = {
    rules: { accessFor: () => ({ ...EVERYTHING, decide: fault }) },
    names: { naming: { prefixOf: fault } },
    gauge: {
      gauge: {
        get open(): number {
          return fault();
        },
        waiting: new Set(),
      },
    },
    deadline: { callTimeoutMs: { valueOf: fault, [Symbol.toPrimitive]: fault } },
  };
  for (const [stage, more] of Object.entries(broken)) {
    const { log, seen, house } = recorded([['a']], more);
    await using _ = house;
    await house.shakeHands();
    const { data } = errorIn(await house.ask('tools/call', { name: 'echo' }));
    assert.equal(data.error, 'internal_error', stage);
    assert.ok(!seen.includes('a tools/call'), stage);
    const outcome = callsIn(log.events).at(-1);
    assert.deepEqual(
      [outcome.type, outcome.status, outcome.code],
      ['call.outcome', 'refused', 'internal_error'],
      stage,
    );
    assert.equal(data.audit.seq, log.events.length);
  }
});

test('an outcome that cannot be recorded withholds the answer, and says that the call ran', async () => {
  const { log, seen, house } = recorded([['a']]);
  await using _ = house;
  await house.shakeHands();
  log.fails = ({ type }) => type === 'call.outcome';
  const ran = errorIn(await house.ask('tools/call', { name: 'echo' }));
  assert.deepEqual([ran.data.error, ran.data.ran], ['audit_unavailable', true]);
  assert.ok(seen.includes('a tools/call'));
});

test('what a server asks of the client is on record both ways, under its name', async () => {
  const { log, played, house } = recorded([['a'], ['b']]);
  await using _ = house;
  await house.shakeHands({ sampling: {} });
  const server = played[1]?.servers[0];
  server?.far.send(requestMessage('7', 'sampling/createMessage', { messages: [] }));
  const asked = await house.until(({ method }) => method === 'sampling/createMessage');
  assert.equal((paramsIn(asked)._meta as Json)['mcp-overlay/backend'], 'b');
  assert.equal(log.events.at(-1)?.type, 'call.intent');
  house.client.send(resultMessage(asked.id ?? '', { role: 'assistant' }));
  while (!server?.got.some(({ kind }) => kind === 'response')) await new Promise(setImmediate);
  const [intent, outcome] = callsIn(log.events);
  const facts = {
    session: 1,
    ident: 'owner',
    method: 'sampling/createMessage',
    backend: 'b',
    kind: 'method',
    from: 'backend',
    decision: 'allow',
  };
  assert.deepEqual(intent, { type: 'call.intent', ...facts, target: 'sampling/createMessage', args: { messages: [] } });
  assert.deepEqual([outcome.of, outcome.status, outcome.from], [1, 'ok', 'backend']);
});

test('a question that cannot be recorded is not shown, and its server gets an error', async () => {
  const { log, played, house } = recorded([['a']]);
  await using _ = house;
  await house.shakeHands({ roots: {} });
  log.fails = () => true;
  const server = played[0]?.servers[0];
  server?.far.send(requestMessage('7', 'roots/list', {}));
  while (!server?.got.some(({ kind }) => kind === 'response')) await new Promise(setImmediate);
  const answer = server.got.find(({ kind }) => kind === 'response') as Message;
  assert.deepEqual([answer.id, errorIn(answer).data.error], ['7', 'audit_unavailable']);
  assert.ok(!house.inbox.some(({ method }) => method === 'roots/list'));
});

test('a question that a rule denies is on record as refused; nothing of it is shown', async () => {
  const accessFor = () => ({ ...EVERYTHING, mayAsk: () => false });
  const { log, played, house } = recorded([['a']], { accessFor });
  await using _ = house;
  await house.shakeHands({ sampling: {} });
  const server = played[0]?.servers[0];
  server?.far.send(requestMessage('7', 'sampling/createMessage', { messages: ['secret plan'] }));
  const outcome = (await log.saw(({ type }) => type === 'call.outcome')) as Json;
  assert.deepEqual([outcome.status, outcome.decision, outcome.method], ['refused', 'deny', 'sampling/createMessage']);
  while (!server?.got.some(({ kind }) => kind === 'response')) await new Promise(setImmediate);
  assert.ok(!house.inbox.some(({ method }) => method === 'sampling/createMessage'));
});

test('T40: with rules no call reaches a server in the clothes of a notification', async () => {
  const decide = (_backend: string, kind: string) => ({ allow: kind !== 'method', rule: 'r' });
  const { seen, house } = recorded([['a']], { accessFor: () => ({ ...EVERYTHING, decide }) });
  await using _ = house;
  await house.shakeHands();
  const before = seen.length;
  for (const method of ['tools/call', 'resources/read', 'notifications/com.example/act']) {
    house.client.send(notificationMessage(method, { name: 'echo' }));
  }
  const silent = await house.ask('tools/call', { name: 'echo' });
  assert.ok(resultIn(silent));
  assert.deepEqual(
    seen.slice(before).filter((what) => what.startsWith('a ')),
    ['a tools/call'],
  );
});

test('T40: nor past the filter of the tools of its backend, where there are no rules', async () => {
  const shows = (_backend: string, kind: string, name: string) => kind !== 'tool' || name === 'echo';
  const { played, house } = recorded([['a']], { accessFor: () => ({ ...EVERYTHING, personal: false, shows }) });
  await using _ = house;
  await house.shakeHands();
  for (const name of ['erase', 7, undefined]) house.client.send(notificationMessage('tools/call', { name }));
  house.client.send(notificationMessage('notifications/com.example/act', { name: 'erase' }));
  assert.ok(resultIn(await house.ask('tools/call', { name: 'echo' })));
  const got = played[0]?.servers[0]?.got ?? [];
  const methods = got.flatMap(({ method = '' }) => (/call|example/.test(method) ? [method] : []));
  assert.deepEqual(methods.toSorted(), ['notifications/com.example/act', 'tools/call']);
});

test('questions of a modern server are on record before the client sees them in a result', async () => {
  const inputRequests = { q: { method: 'elicitation/create', params: { message: 'who?' } } };
  const asks: Play = (method) => {
    if (method === 'server/discover') return { capabilities: {} };
    return method === 'tools/call' ? { resultType: 'input_required', inputRequests, requestState: 's' } : undefined;
  };
  const { log, house } = recorded([['a', asks]]);
  await using _ = house;
  const answer: Json = await house.ask('tools/call', { name: 'echo', ...MODERN });
  assert.equal((resultIn(answer) as Json).inputRequests.q.method, 'elicitation/create');
  const [, question, outcome] = callsIn(log.events);
  assert.deepEqual(
    [question.from, question.method, question.args],
    ['backend', 'elicitation/create', { message: 'who?' }],
  );
  assert.deepEqual([outcome.status, outcome.code], ['ok', 'input_required']);
  assert.equal(metaIn(answer).seq, 3);
});

test('subscriptions and notifications that are not of MCP itself are on record', async () => {
  const greet: Play = (method, params, { far }) => {
    if (method === 'server/discover') return { capabilities: { tools: { listChanged: true } } };
    if (method !== 'subscriptions/listen') return undefined;
    const _meta = { [META.subscription]: 2 };
    setImmediate(() =>
      far.send(
        notificationMessage('notifications/subscriptions/acknowledged', { notifications: params.notifications, _meta }),
      ),
    );
    return SILENCE;
  };
  const { log, house } = recorded([['a', greet]], { listWaitMs: 50 });
  await using _ = house;
  await house.ask('server/discover', MODERN);
  house.client.send(
    requestMessage('"l"', 'subscriptions/listen', { notifications: { toolsListChanged: true }, ...MODERN }),
  );
  await house.notified('notifications/subscriptions/acknowledged');
  assert.deepEqual(
    callsIn(log.events).map(({ type, method }) => [type, method]),
    [
      ['call.intent', 'subscriptions/listen'],
      ['call.outcome', 'subscriptions/listen'],
    ],
  );
  const legacy = recorded([['a']]);
  await using __ = legacy.house;
  await legacy.house.shakeHands();
  legacy.house.client.send(notificationMessage('notifications/roots/list_changed'));
  legacy.house.client.send(notificationMessage('notifications/com.example/act', { now: true }));
  await legacy.log.saw(({ type }) => type === 'call.outcome');
  assert.deepEqual(
    callsIn(legacy.log.events).map(({ type, method, backend, args }) => [type, method, backend, args]),
    [
      ['call.intent', 'notifications/com.example/act', 'a', { now: true }],
      ['call.outcome', 'notifications/com.example/act', 'a', undefined],
    ],
  );
});

for (const denied of [false, true]) {
  test(`news of a task that asks is on record before it is told${denied ? '; denied, it is not told' : ''}`, async () => {
    const inputRequests = { q: { method: 'elicitation/create', params: { message: 'who?' } } };
    const _meta = { [META.subscription]: 2 };
    const play: Play = (method, params, { far }) => {
      if (method === 'server/discover') return { capabilities: { tools: { listChanged: true } } };
      if (method !== 'subscriptions/listen') return undefined;
      setImmediate(() => {
        const { notifications } = params;
        far.send(notificationMessage('notifications/subscriptions/acknowledged', { notifications, _meta }));
        far.send(notificationMessage('notifications/tasks/status', { taskId: 't', inputRequests, _meta }));
        far.send(notificationMessage('notifications/tasks/status', { taskId: 't', status: 'working', _meta }));
      });
      return SILENCE;
    };
    const accessFor = () => ({ ...EVERYTHING, mayAsk: () => !denied });
    const { log, house } = recorded([['a', play]], { listWaitMs: 50, accessFor });
    await using _ = house;
    await house.ask('server/discover', MODERN);
    house.client.send(requestMessage('"l"', 'subscriptions/listen', { notifications: { taskIds: ['t'] }, ...MODERN }));
    await log.saw((event) => event.type === 'call.outcome' && event.from === 'backend');
    const question = callsIn(log.events).find(({ from }) => from === 'backend');
    assert.equal(question.status, denied ? 'refused' : 'ok');
    await house.until(
      (message) => message.method === 'notifications/tasks/status' && !('inputRequests' in paramsIn(message)),
    );
    if (!denied) await house.until((message) => 'inputRequests' in paramsIn(message));
    assert.ok(!house.inbox.some((message) => 'inputRequests' in paramsIn(message)));
  });
}

test('a result of 16 MiB carries its number in linear time', async () => {
  const text = 'x'.repeat(16 * 1024 * 1024);
  const { log, house } = recorded([
    ['a', (method) => (method === 'tools/call' ? { content: [{ type: 'text', text }] } : undefined)],
  ]);
  await using _ = house;
  await house.shakeHands();
  const answer = await house.ask('tools/call', { name: 'echo' });
  assert.ok(answer.bytes.subarray(0, 300).includes('mcp-overlay/audit'));
  assert.ok(callsIn(log.events)[1].bytes > text.length);
});
