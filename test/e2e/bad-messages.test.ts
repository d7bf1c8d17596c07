// What agents and servers get wrong, over the whole chain of built programs: the one who sent it is told, or it is shown
// on stderr; nothing of it is passed on, nothing is repaired, and the session lives.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { RPC_ERRORS } from '@mcp-overlay/relay';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { House, type Running } from './harness.ts';
import { type Json, LineClient, type Reply, type RpcError } from './line-client.ts';
import { commandBackend, fixture, shareBackend, stdioBackend } from './servers.ts';

const MiB = 1024 * 1024;
/** The cap is 18 MiB. */
const TOO_LARGE = 19 * MiB;
/** The window in which stray lines are counted. */
const STRAY_WINDOW_MS = 10_000;

describe('bad messages', () => {
  test('over the cap, both ways: who asked is told, the session lives', async () => {
    await using house = await House.open();
    const { command, args } = scriptedServer({ name: 'far' });
    const bridge = await house.bridge(command, ...args);
    const token = await house.gateway([shareBackend('far', bridge), stdioBackend('near')]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    const up = await agent.call('near__echo', { pad: 'x'.repeat(TOO_LARGE) });
    assert.equal(up.error?.code, -31053);
    assert.match(up.error?.message ?? '', /^the message was not passed on: it is too large \(\d{8} bytes\)$/);
    assert.equal(up.error?.data?.fault, 'message_too_large');
    for (const backend of ['far', 'near']) {
      const down = await agent.call(`${backend}__act`, { acts: [huge(true)] });
      assert.equal(down.error?.code, -31053, JSON.stringify(down));
      assert.match(down.error?.message ?? '', /^the answer of .* was not passed on: it is too large \(\d{8} bytes\)$/);
      assert.equal((await agent.told(`${backend}__echo`, { nonce: 'after' })).nonce, 'after');
    }
  });

  test('a depth bomb, broken JSON, invalid UTF-8, batches from an agent: each is answered, none is passed on', async () => {
    await using house = await House.open();
    const token = await house.gateway([stdioBackend('near', { tools: ['echo', 'seen'] })]);
    const begin = '{"jsonrpc":"2.0","id":"mine","method":"tools/call","params":';
    const expected: readonly (readonly [fault: string, code: number, says: RegExp, line: Buffer])[] = [
      ['too_deep', -32600, /nested too deeply/, line(begin, nested(10_000), '}')],
      ['too_many_tokens', -32600, /too many values/, line(begin, `[${'0,'.repeat(600_000)}0]}`)],
      ['number_too_large', -32600, /a number beyond what/, line(begin, '{"name":"echo","arguments":{"nonce":1e400}}}')],
      ['number_too_large', -32600, /a number beyond what/, line(begin, `{"name":"echo","n":-1${'0'.repeat(309)}}}`)],
      ['not_json', -32700, /not valid JSON/, line(begin)],
      ['invalid_utf8', -32700, /not valid UTF-8/, line(begin, '["', 0xc3, 0x28, '"]}')],
      ['batch', -32600, /a batch/, line('[{"jsonrpc":"2.0","id":"many","method":"ping"}]')],
      ['not_json_rpc', -32600, /no JSON-RPC message/, line('{"id":"old","method":"ping"}')],
      ['not_json', -32700, /not valid JSON/, line('hello?')],
    ];
    const ways = [() => LineClient.spawn(house.agentProgram(token)), () => LineClient.connect(house.socket(token))];
    for (const open of ways) {
      await using agent = await open();
      await agent.initialize();
      for (const [fault, code, says, bytes] of expected) {
        const from = agent.lines.length;
        agent.ends.input.write(bytes);
        const { value } = await agent.line((one) => one.value?.error !== undefined, fault, from);
        const error = value?.error as RpcError;
        assert.deepEqual([error.code, error.data?.fault], [code, fault]);
        assert.match(error.message, says);
      }
      assert.equal((await agent.told('echo', { nonce: 'after' })).nonce, 'after');
      assert.equal((await agent.told('seen')).calls, 2);
    }
  });

  test('a server that answers so: its call gets an error that names it, the session lives', async () => {
    await using house = await House.open();
    const { command, args } = fixture('broken-server.mjs');
    const bridge = await house.bridge(command, ...args);
    const token = await house.gateway([commandBackend('near', { command, args }), shareBackend('far', bridge)]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    for (const backend of ['near', 'far']) {
      for (const [kind, fault, says] of [
        ['deep', 'too_deep', /its JSON is nested too deeply$/],
        ['wide', 'too_many_tokens', /its JSON has too many values$/],
        [
          'number',
          'number_too_large',
          /^the answer of (backend near|server \S+) was not passed on: it has a number beyond what/,
        ],
        ['utf8', 'invalid_utf8', /it is not valid UTF-8$/],
      ] as const) {
        const { error } = await agent.call(`${backend}__${kind}`);
        assert.equal(error?.code, -32603, `${backend} ${kind}: ${JSON.stringify(error)}`);
        assert.deepEqual([error?.data?.error, error?.data?.fault], ['internal_error', fault]);
        assert.match(error?.message ?? '', says);
      }
      assert.equal((await agent.call(`${backend}__fine`)).result?.structuredContent, undefined);
    }
  });

  test('what does not exist, what is hidden and what is no request of ours: each with its own words', async () => {
    await using house = await House.open();
    const tools = { mode: 'deny', list: ['env'] };
    const token = await house.gateway([stdioBackend('near', {}, { tools }), stdioBackend('other')]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize({ roots: {} });
    const answer = async (method: string, params: Json): Promise<unknown[]> => {
      const { error } = await agent.request(method, params);
      return [error?.code, error?.data?.error, error?.message];
    };
    const { invalid_params, method_not_found } = RPC_ERRORS;
    assert.deepEqual(await answer('x/unheard-of', {}), [method_not_found, undefined, 'Method not found: x/unheard-of']);
    // A tool that the filter hides answers like one that never was.
    for (const name of ['near__env', 'near__nothing', 'nobody__echo']) {
      assert.deepEqual(await answer('tools/call', { name }), [invalid_params, undefined, `Unknown tool: ${name}`]);
    }
    assert.deepEqual(await answer('prompts/get', { name: 'none' }), [
      invalid_params,
      undefined,
      'Unknown prompt: none',
    ]);
    assert.deepEqual(await answer('resources/read', { uri: 'nobody+x:y' }), [
      -32002,
      undefined,
      'Resource not found: nobody+x:y',
    ]);
    assert.deepEqual(await answer('tools/call', {}), [invalid_params, 'invalid_params', 'tools/call needs a name']);
    assert.deepEqual(await answer('tools/list', { cursor: 'mine' }), [
      invalid_params,
      'invalid_params',
      'this cursor is not one of ours, or its list has changed: list anew',
    ]);
    // The other way: a server that asks for what the client never offered.
    const { error } = (await agent.told('other__ask', { method: 'sampling/createMessage', params: {} })) as {
      error: RpcError;
    };
    assert.deepEqual(
      [error.code, error.data?.error, error.message],
      [method_not_found, 'method_not_found', 'the client has no sampling capability'],
    );
  });

  test('an id in use is refused, the call that has it goes on; a second answer goes nowhere', async () => {
    await using house = await House.open();
    const token = await house.gateway([
      stdioBackend('near', { atCall: { 3: [{ do: 'garbage', kind: 'duplicate_reply' }] } }),
    ]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    agent.write('{"jsonrpc":"2.0","id":"same","method":"tools/call","params":{"name":"sleep","arguments":{"ms":500}}}');
    const second = await agent.ask('"same"', 'tools/call', '{"name":"echo","arguments":{}}');
    assert.deepEqual([second.error?.code, second.error?.data?.error], [-32600, 'invalid_request']);
    assert.equal(second.error?.message, 'request id "same" is already in use');
    const { value } = await agent.line(
      (one) => one.value?.id === 'same' && one.value.result !== undefined,
      'the first',
    );
    assert.ok(value);
    // The same id as a number is another id, and one that was answered may be used again.
    assert.ok((await agent.ask('"same"', 'tools/call', '{"name":"echo","arguments":{}}')).result);
    const from = agent.lines.length;
    assert.equal((await agent.call('echo', { nonce: 'third' })).error, undefined);
    assert.equal((await agent.told('echo', { nonce: 'fourth' })).nonce, 'fourth');
    const answers = agent.lines.slice(from).filter(({ value }) => value !== undefined && 'id' in value);
    assert.equal(answers.length, 2);
  });

  test('answers nobody asked for end where they arrive, on either side', async () => {
    await using house = await House.open();
    const { command, args } = scriptedServer({ name: 'far' });
    const bridge = await house.bridge(command, ...args);
    const token = await house.gateway([shareBackend('far', bridge)]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    for (const id of ['0', '7', '"0"', 'null', '"mcp-overlay:1"'])
      agent.write(`{"jsonrpc":"2.0","id":${id},"result":{"content":[]}}`);
    agent.write('{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"nobody asked"}}');
    const from = agent.lines.length;
    const kinds = ['unknown_id', 'wrong_id', 'retyped_id'];
    for (const kind of kinds) assert.ok((await agent.call('act', { acts: [{ do: 'garbage', kind }] })).result);
    assert.equal((await agent.told('echo', { nonce: 'after' })).nonce, 'after');
    const answers = agent.lines.slice(from).filter(({ value }) => value !== undefined && 'id' in value);
    assert.equal(answers.length, kinds.length + 1);
  });

  test('stray lines on stdout are shown on stderr once each, and never reach the agent', async () => {
    await using house = await House.open();
    const stray = [
      { do: 'garbage', kind: 'non_json' },
      { do: 'garbage', kind: 'not_json_rpc' },
      { do: 'print', text: 'debug: \u001b[31mred\u001b[0m alert' },
    ] as const;
    const { command, args } = scriptedServer({ name: 'far', atStart: stray });
    const bridge = await house.start(house.program('bridge', '--overlay', 'local', command, ...args));
    const near = stdioBackend('near', { atStart: stray });
    const gateway = await house.start(
      house.gatewayProgram(await house.config([near, shareBackend('far', String(bridge.ready.share_token))])),
    );
    await using agent = LineClient.spawn(house.agentProgram(String(gateway.ready.share_token)));
    await agent.initialize();
    assert.equal((await agent.told('far__echo', { nonce: 1 })).nonce, 1);
    for (const text of ['Server listening on nothing', 'a logger that thinks', 'red.[0m alert']) {
      for (const running of [gateway, bridge]) assert.ok(strayLines(running, text).length > 0, running.stderr());
    }
    // One child for the status of the gateway, one for the agent.
    assert.equal(strayLines(bridge, 'alert').length, 2, bridge.stderr());
    for (const running of [gateway, bridge]) assert.ok(!running.stderr().includes('\u001b'), 'escape sequences');
    for (const { raw } of agent.lines) assert.ok(!raw.includes('alert'));
  });

  test('stray lines: the limit is a rate, not a lifetime; a flood ends the server and says why', async () => {
    await using house = await House.open();
    const gateway = await house.start(house.gatewayProgram(await house.config([stdioBackend('near')])));
    await using agent = LineClient.spawn(house.agentProgram(String(gateway.ready.share_token)));
    await agent.initialize();
    const flood = (lines: number): Promise<Reply> => agent.call('act', { acts: [{ do: 'flood', lines }] });
    const { pid } = await agent.told('pid');
    for (const round of [1, 2]) {
      assert.ok((await flood(900)).result, `round ${round}`);
      if (round === 1) await wait(STRAY_WINDOW_MS + 1500);
    }
    assert.equal((await agent.told('pid')).pid, pid, '1,800 lines in two windows are borne');
    const { error } = await flood(0);
    assert.equal(error?.code, -31051);
    assert.match(
      error?.message ?? '',
      /^outcome unknown: .*near wrote more than 1000 lines or 1048576 bytes to stdout within 10 s that are no MCP messages, and was ended; its logs belong on stderr/,
    );
    assert.notEqual((await agent.told('pid')).pid, pid);
  });

  test('a peer that speaks something else gets one line that says so', async () => {
    await using house = await House.open();
    const token = await house.gateway([stdioBackend('near')]);
    await using peer = await LineClient.connect(house.socket(token));
    peer.write('EHLO example.org');
    const { value } = await peer.line(() => true, 'a line');
    assert.deepEqual(value, {
      jsonrpc: '2.0',
      id: null,
      error: {
        code: -32600,
        message: 'unknown protocol: a connection begins with MCP-LINK/, a JSON object or an HTTP request',
        data: { error: 'unknown_protocol' },
      },
    });
    await once(peer.ends.output, 'close');
  });
});

function strayLines(running: Running, text: string): string[] {
  const lines = running.stderr().split('\n');
  return lines.filter((one) => one.includes('stray') && one.includes(text));
}

function huge(json: boolean): Json {
  return { do: 'garbage', kind: 'huge_line', bytes: TOO_LARGE, json };
}

function nested(depth: number): string {
  return `${'['.repeat(depth)}${']'.repeat(depth)}`;
}

/** Text, and bytes as they are. */
function line(...parts: readonly (string | number)[]): Buffer {
  return Buffer.concat(
    [...parts, '\n'].map((part) => (typeof part === 'number' ? Buffer.of(part) : Buffer.from(part))),
  );
}
