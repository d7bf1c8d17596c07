// Other ways in and out: gateways behind gateways and in circles, servers over HTTP, HTTP doors, and clients that speak bare
// lines or HTTP on a share's own socket.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { describe, test } from 'node:test';
import { processesWith, scriptedServer } from '@mcp-overlay/relay/testing';
import { connect } from './agent.ts';
import { House } from './harness.ts';
import { type Json, LineClient } from './line-client.ts';
import { commandBackend, everythingOverHttp, shareBackend, stdioBackend } from './servers.ts';

describe('gateways behind gateways', () => {
  test('three in a row: names, URIs, questions, progress, cancel and tasks find their way', async () => {
    await using house = await House.open();
    const other = stdioBackend('other');
    const inner = await house.gateway([stdioBackend('deep'), other]);
    const middle = await house.gateway([shareBackend('in', inner), other]);
    const outer = await house.gateway([shareBackend('mid', middle), other]);
    await using agent = LineClient.spawn(house.agentProgram(outer));
    agent.answers.set('roots/list', () => ({ roots: [{ uri: 'file:///far/away' }] }));
    await agent.initialize({ roots: {} });
    const names = await agent.toolNames();
    assert.ok(names.includes('mid__in__deep__echo'), names.join());
    const echoed = await agent.told('mid__in__deep__echo', { nonce: 1 }, { progressToken: 'p', 'a/b': 2 });
    assert.deepEqual([echoed.server, echoed.meta], ['deep', { progressToken: 'p', 'a/b': 2 }]);
    const uri = 'mid+in+deep+scripted://text';
    assert.ok((await agent.all('resources/list', 'resources')).some((resource) => resource.uri === uri));
    assert.ok((await agent.request('resources/read', { uri })).raw.includes(`"uri":"${uri}"`));
    assert.match((await agent.call('mid__in__deep__ask', { method: 'roots/list' })).raw, /far\/away/);
    await agent.call('mid__in__deep__progress', { steps: 2 }, { progressToken: 'p' });
    await agent.heard(
      'notifications/progress',
      ({ progress, progressToken }) => progress === 2 && progressToken === 'p',
    );
    const made = await agent.request('tools/call', { name: 'mid__in__deep__task', arguments: {}, task: {} });
    const { task } = made.result as unknown as { task: { taskId: string } };
    const { taskId } = task;
    assert.match(taskId, /^mid\.in\.deep\./);
    assert.equal((await agent.request('tasks/result', { taskId })).error, undefined);
    const from = agent.lines.length;
    await agent.call('mid__in__deep__act', { acts: [{ do: 'tools', add: ['fresh'] }] });
    await agent.heard('notifications/tools/list_changed', () => true, from);
    assert.ok((await agent.toolNames()).includes('mid__in__deep__fresh'));
  });

  test('a circle is refused where it closes: both sides list, named in status, and no servers pile up', async () => {
    await using house = await House.open();
    const [a, b] = [await house.createShare('gateway-a'), await house.createShare('gateway-b')];
    const own = scriptedServer({ name: 'own', tools: ['echo'] });
    const file = (token: string, other: string): Promise<string> =>
      house.config([commandBackend('own', own), shareBackend('other', other)], { share: { token } });
    await house.start(house.gatewayProgram(await file(a, b)));
    await house.start(house.gatewayProgram(await file(b, a)));
    await using agent = LineClient.spawn(house.agentProgram(a));
    await agent.initialize();
    for (let found = await agent.toolNames(); !found.includes('other__own__echo'); found = await agent.toolNames()) {
      await agent.heard('notifications/tools/list_changed', () => true, agent.lines.length);
    }
    assert.deepEqual(await agent.toolNames(), ['own__echo', 'other__own__echo']);
    assert.equal((await agent.told('other__own__echo', { nonce: 'round' })).nonce, 'round');
    const { sessions } = await house.status(b);
    const refused = sessions.flatMap(({ backends }) => backends).filter(({ phase }) => phase !== 'up');
    assert.match(JSON.stringify(refused), /backend of itself/);
    // Its own session and the probes of both: a few, and not more each second.
    if (process.platform === 'linux') assert.ok(processesWith(own.marker).length <= 8);
  });

  test('a gateway that is a backend of itself is refused as well', async () => {
    await using house = await House.open();
    const token = await house.createShare('selfish');
    const backends = [stdioBackend('own', { tools: ['echo'] }), shareBackend('me', token)];
    await house.start(house.gatewayProgram(await house.config(backends, { share: { token } })));
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    assert.deepEqual(await agent.toolNames(), ['own__echo']);
    const { error } = await agent.call('me__own__echo');
    assert.match(error?.message ?? '', /backend me .*backend of itself/);
  });
});

describe('servers over HTTP', () => {
  for (const [mode, protocol] of [
    ['streamableHttp', 'streamable'],
    ['streamableHttp', 'auto'],
    ['sse', 'sse'],
  ] as const) {
    test(`the reference server over ${mode} (protocol: ${protocol}), beside another`, async () => {
      await using house = await House.open();
      await using server = await everythingOverHttp(mode);
      const transport = { type: 'http', endpoint: server.url, protocol, allow_insecure: true };
      const token = await house.gateway([{ id: 'web', transport }, stdioBackend('near', { tools: ['echo'] })]);
      await using agent = LineClient.spawn(house.agentProgram(token));
      agent.answers.set('sampling/createMessage', () => ({
        role: 'assistant',
        model: 'm',
        content: { type: 'text', text: 'sampled so' },
      }));
      await agent.initialize({ sampling: {}, elicitation: {}, roots: {} });
      const names = await agent.toolNames();
      assert.ok(names.includes('web__echo') && names.includes('near__echo'), names.join());
      assert.match((await agent.call('web__echo', { message: 'hi' })).raw, /Echo: hi/);
      const meta = { progressToken: 5 };
      await agent.call('web__trigger-long-running-operation', { duration: 0.3, steps: 3 }, meta);
      await agent.heard(
        'notifications/progress',
        ({ progressToken, progress }) => progressToken === 5 && progress === 3,
      );
      const sampled = await agent.call('web__trigger-sampling-request', { prompt: 'x', maxTokens: 5 });
      assert.match(sampled.raw, /sampled so/);
    });
  }

  test('a server that ends and comes back on the same address', async () => {
    await using house = await House.open();
    const bridge = await house.bridge(
      ...[scriptedServer({ name: 'web' })].flatMap(({ command, args }) => [command, ...args]),
    );
    const door = await house.start(
      house.program('tools', 'http', bridge, '--overlay', 'local', '--bind', '127.0.0.1:0', '--no-auth'),
    );
    const url = door.ready.url ?? '';
    const transport = { type: 'http', endpoint: url, protocol: 'streamable', allow_insecure: true };
    const token = await house.gateway([{ id: 'web', transport }, stdioBackend('near')]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    const { pid } = await agent.told('web__pid');
    const open = agent.call('web__hang');
    await agent.told('web__echo');
    await door.end('SIGKILL');
    assert.equal((await open).error?.data?.error, 'outcome_unknown');
    const { host } = new URL(url);
    await house.start(house.program('tools', 'http', bridge, '--overlay', 'local', '--bind', host, '--no-auth'));
    assert.notEqual((await agent.told('web__pid')).pid, pid);
  });
});

describe('mcp-tools http', () => {
  test('its sessions are separate, each with a session of its own at the share', async () => {
    await using house = await House.open();
    const url = await house.http(await house.gateway([stdioBackend('only')]));
    await using one = await connect('v1', { url }, house.home);
    await using other = await connect('v2', { url }, house.home);
    const state = async (agent: typeof one, value: string): Promise<Json> => {
      const { content } = (await agent.callTool('state', { value })) as { content: [{ text: string }] };
      return JSON.parse(content[0].text) as Json;
    };
    const { before: first, pid } = await state(one, 'of one');
    const { before: second, pid: otherPid } = await state(other, 'of the other');
    assert.deepEqual([first, second], [null, null]);
    assert.notEqual(pid, otherPid);
    assert.equal((await state(one, '')).before, 'of one');
  });
});

describe("on a share's own socket", () => {
  const INITIALIZE = {
    protocolVersion: '2025-11-25',
    capabilities: { roots: {} },
    clientInfo: { name: 'bare', version: '1' },
  };

  test('bare lines: a session as any other, and its end is the end of the connection', async () => {
    await using house = await House.open();
    const server = scriptedServer({ name: 'far' });
    const bridge = await house.bridge(server.command, ...server.args);
    const gateway = await house.gateway([shareBackend('far', bridge), stdioBackend('near')]);
    for (const [token, prefix] of [
      [bridge, ''],
      [gateway, 'far__'],
    ] as const) {
      const client = await LineClient.connect(house.socket(token));
      client.answers.set('roots/list', () => ({ roots: [{ uri: 'file:///bare' }] }));
      await client.initialize({ roots: {} });
      assert.match((await client.call(`${prefix}ask`, { method: 'roots/list' })).raw, /file:\/\/\/bare/);
      client.write('this is no JSON');
      const refused = await client.line(({ value }) => value?.id === null, 'an error for a line that is no JSON');
      assert.match(refused.raw, /-32700/);
      // The end of input does not wait for a call that never ends.
      void client.call(`${prefix}hang`).catch(() => {});
      await client.told(`${prefix}echo`);
      await client.end();
    }
  });

  test('Streamable HTTP: POST, GET stream, DELETE; a foreign Origin is refused', async () => {
    await using house = await House.open();
    const token = await house.gateway([stdioBackend('only')]);
    const path = house.socket(token);
    const accept = 'application/json, text/event-stream';
    const opened = await http(path, { method: 'POST', headers: { accept } }, rpc(0, 'initialize', INITIALIZE));
    assert.equal(opened.status, 200, opened.text);
    assert.match(opened.text, /"serverInfo"/);
    const session = { accept, 'mcp-session-id': opened.header('mcp-session-id') };
    const initialized = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
    assert.equal((await http(path, { method: 'POST', headers: session }, initialized)).status, 202);
    const args = { name: 'echo', arguments: { nonce: 'over http' } };
    const called = await http(path, { method: 'POST', headers: session }, rpc(1, 'tools/call', args));
    assert.match(called.text, /over http/);
    assert.equal((await http(path, { method: 'DELETE', headers: session })).status, 200);
    assert.equal((await http(path, { method: 'POST', headers: session }, rpc(2, 'ping', {}))).status, 404);
    const foreign = { method: 'POST', headers: { accept, origin: 'https://evil.example' } };
    assert.equal((await http(path, foreign, rpc(0, 'initialize', INITIALIZE))).status, 403);
  });

  test('the older SSE transport: an endpoint, answers on the stream', async () => {
    await using house = await House.open();
    const token = await house.gateway([stdioBackend('only')]);
    const socketPath = house.socket(token);
    const request = httpRequest({ socketPath, path: '/sse', headers: { accept: 'text/event-stream' } });
    request.end();
    const [stream] = (await once(request, 'response')) as [IncomingMessage];
    const events = sseEvents(stream);
    const endpoint = await events('endpoint', () => true);
    const send = async (body: string): Promise<void> => {
      assert.equal((await http(socketPath, { method: 'POST', path: endpoint }, body)).status, 202);
    };
    await send(rpc(0, 'initialize', INITIALIZE));
    assert.match(await events('message', (data) => data.includes('"id":0')), /"serverInfo"/);
    await send(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }));
    await send(rpc('s', 'tools/call', { name: 'echo', arguments: { nonce: 'over sse' } }));
    assert.match(await events('message', (data) => data.includes('"id":"s"')), /over sse/);
    stream.destroy();
  });
});

function rpc(id: number | string, method: string, params: Json): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params });
}

interface HttpReply {
  readonly status: number;
  readonly text: string;
  header(name: string): string;
}

async function http(socketPath: string, options: RequestOptions, body?: string): Promise<HttpReply> {
  const headers = {
    ...(options.headers as Record<string, string>),
    ...(body ? { 'content-type': 'application/json' } : {}),
  };
  const request = httpRequest({ path: '/mcp', ...options, socketPath, headers });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode ?? 0, text, header: (name) => String(response.headers[name]) };
}

/** Data of the first event of this name that fits, past or to come. */
function sseEvents(stream: IncomingMessage): (name: string, fits: (data: string) => boolean) => Promise<string> {
  const past: { name: string; data: string }[] = [];
  let rest = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    const pieces = (rest + chunk).split(/\r?\n\r?\n/);
    rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      const field = (key: string): string => new RegExp(`^${key}: ?(.*)$`, 'm').exec(piece)?.[1] ?? '';
      past.push({ name: field('event') || 'message', data: field('data') });
    }
    stream.emit('events');
  });
  stream.on('error', () => {});
  return async (name, fits) => {
    for (;;) {
      const found = past.find((event) => event.name === name && fits(event.data));
      if (found) return found.data;
      await once(stream, 'events', { signal: AbortSignal.timeout(30_000) });
    }
  };
}
