// Our HTTP client against servers of other people: the official SDK's (v1) and server-everything, both transports.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';
import { type HttpTransportOptions, httpTransport } from '../../../src/transports/http/client.ts';
import { listening, Recorder } from './harness.ts';

const CAPABILITIES = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

async function connect(url: URL | string, options: Partial<HttpTransportOptions> = {}): Promise<Recorder> {
  const client = new Recorder(httpTransport({ url: String(url), protocol: 'auto', ...options }));
  const params = { protocolVersion: '2025-11-25', capabilities: CAPABILITIES, clientInfo: { name: 't', version: '1' } };
  client.send({ jsonrpc: '2.0', id: 'init', method: 'initialize', params });
  await Promise.race([client.answer('init'), client.end()]);
  assert.equal(client.closed, undefined);
  client.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  return client;
}

function call(client: Recorder, id: number, name: string, args: object = {}, meta?: object): void {
  const params = { name, arguments: args, ...(meta === undefined ? {} : { _meta: meta }) };
  client.send({ jsonrpc: '2.0', id, method: 'tools/call', params });
}

/** Answers the next request of the server. */
async function reply(client: Recorder, method: string, result: unknown): Promise<void> {
  const { id } = await client.notice(method);
  client.send({ jsonrpc: '2.0', id, result });
}

function sdkServer(): McpServer {
  const server = new McpServer({ name: 'sdk', version: '1' }, { capabilities: { logging: {} } });
  server.registerTool('echo', { inputSchema: { text: z.string() } }, ({ text }) => ({
    content: [{ type: 'text', text }],
  }));
  server.registerTool('count', { inputSchema: {} }, async (_args, extra) => {
    const progressToken = extra._meta?.progressToken;
    for (const progress of [1, 2, 3]) {
      if (progressToken === undefined) break;
      await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress } });
    }
    return { content: [{ type: 'text', text: 'counted' }] };
  });
  server.registerTool('sample', { inputSchema: {} }, async () => {
    const answer = await server.server.createMessage({ messages: [], maxTokens: 5 });
    return { content: [{ type: 'text', text: JSON.stringify(answer.content) }] };
  });
  // Polling: the stream is closed early, the answer waits for the client to come back (SEP-1699).
  server.registerTool('poll', { inputSchema: {} }, async (_args, extra) => {
    extra.closeSSEStream?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
    return { content: [{ type: 'text', text: 'polled' }] };
  });
  return server;
}

/** Events of all sessions in one list, as the SDK's own examples keep them. */
class EventStore {
  readonly #events: { id: string; stream: string; message: unknown }[] = [];

  async storeEvent(stream: string, message: unknown): Promise<string> {
    const id = `${stream}_${randomUUID()}`;
    this.#events.push({ id, stream, message });
    return id;
  }

  async replayEventsAfter(
    last: string,
    { send }: { send: (id: string, message: never) => Promise<void> },
  ): Promise<string> {
    const at = this.#events.findIndex(({ id }) => id === last);
    const stream = this.#events[at]?.stream ?? '';
    for (const event of this.#events.slice(at + 1)) {
      if (event.stream === stream) await send(event.id, event.message as never);
    }
    return stream;
  }
}

interface SdkPeer extends AsyncDisposable {
  readonly url: URL;
  readonly sessions: Map<string, StreamableHTTPServerTransport>;
  readonly requests: { method: string; headers: http.IncomingHttpHeaders }[];
}

async function streamableServer(options: { json?: boolean } = {}): Promise<SdkPeer> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const requests: SdkPeer['requests'] = [];
  const handle = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    requests.push({ method: request.method ?? '', headers: request.headers });
    const id = request.headers['mcp-session-id'];
    let transport = sessions.get(String(id));
    if (transport === undefined && id !== undefined) {
      response.writeHead(404).end();
      return;
    }
    if (transport === undefined) {
      const created = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        enableJsonResponse: options.json === true,
        eventStore: new EventStore(),
        retryInterval: 20,
        onsessioninitialized: (session) => void sessions.set(session, created),
      });
      transport = created;
      await sdkServer().connect(created as Parameters<McpServer['connect']>[0]);
    }
    await transport.handleRequest(request, response);
  };
  const server = http.createServer((request, response) => void handle(request, response));
  const url = await listening(server);
  return {
    url,
    sessions,
    requests,
    async [Symbol.asyncDispose]() {
      for (const transport of sessions.values()) await transport.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

async function sseServer(): Promise<{ url: URL } & AsyncDisposable> {
  const sessions = new Map<string, SSEServerTransport>();
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (request.method === 'GET' && url.pathname === '/sse') {
      const transport = new SSEServerTransport('/messages', response);
      sessions.set(transport.sessionId, transport);
      void sdkServer().connect(transport as Parameters<McpServer['connect']>[0]);
    } else if (request.method === 'POST' && url.pathname === '/messages') {
      void sessions.get(url.searchParams.get('sessionId') ?? '')?.handlePostMessage(request, response);
    } else {
      response.writeHead(405).end();
    }
  });
  const url = new URL('/sse', await listening(server));
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function exerciseSdkServer(client: Recorder): Promise<void> {
  call(client, 1, 'echo', { text: 'grüße' });
  assert.equal((await client.answer(1)).result.content[0].text, 'grüße');
  call(client, 2, 'count', {}, { progressToken: 0 });
  await client.answer(2);
  const progress = client.messages.filter(({ method }) => method === 'notifications/progress');
  assert.equal(progress.length, 3);
  call(client, 3, 'sample');
  const content = { type: 'text', text: 'sampled' };
  await reply(client, 'sampling/createMessage', { role: 'assistant', model: 'm', content });
  assert.match((await client.answer(3)).result.content[0].text, /sampled/);
  for (let id = 100; id < 140; id += 1) call(client, id, 'echo', { text: String(id) });
  for (let id = 100; id < 140; id += 1) assert.equal((await client.answer(id)).result.content[0].text, String(id));
}

test('the SDK v1 Streamable HTTP server works with our client', async () => {
  await using server = await streamableServer();
  const client = await connect(server.url, { protocol: 'streamable' });
  await exerciseSdkServer(client);
  await client.transport.close();
  assert.equal(client.closed?.code, 'done');
  const later = server.requests.slice(1);
  assert.ok(later.every(({ headers }) => headers['mcp-session-id'] !== undefined));
  assert.ok(later.every(({ headers }) => headers['mcp-protocol-version'] === '2025-11-25'));
  assert.equal(server.requests.at(-1)?.method, 'DELETE');
});

test('the SDK v1 Streamable HTTP server works with our client in JSON mode', async () => {
  await using server = await streamableServer({ json: true });
  const client = await connect(server.url);
  call(client, 1, 'echo', { text: 'a' });
  assert.equal((await client.answer(1)).result.content[0].text, 'a');
  await client.transport.close();
});

test('a POST stream that the server closes for polling is taken up by GET', async () => {
  await using server = await streamableServer();
  const client = await connect(server.url);
  call(client, 1, 'poll');
  assert.equal((await client.answer(1)).result.content[0].text, 'polled');
  assert.equal(client.messages.filter(({ id }) => id === '1').length, 1);
  const resumed = server.requests.filter(({ headers }) => headers['last-event-id'] !== undefined);
  assert.ok(resumed.length >= 1);
  await client.transport.close();
});

test('a session that the server forgot closes the transport as session_lost', async () => {
  await using server = await streamableServer();
  const client = await connect(server.url);
  call(client, 1, 'echo', { text: 'a' });
  await client.answer(1);
  server.sessions.clear();
  call(client, 2, 'echo', { text: 'b' });
  assert.equal((await client.end()).code, 'session_lost');
  await client.transport.close();
});

test('the SDK v1 SSE server works with our client, found by auto', async () => {
  for (const protocol of ['sse', 'auto'] as const) {
    await using server = await sseServer();
    const client = await connect(server.url, { protocol });
    await exerciseSdkServer(client);
    await client.transport.close();
    assert.equal(client.closed?.code, 'done');
  }
});

interface Everything extends AsyncDisposable {
  readonly url: URL;
}

async function everything(mode: 'streamableHttp' | 'sse'): Promise<Everything> {
  const require = createRequire(import.meta.url);
  const entry = require.resolve('@modelcontextprotocol/server-everything/dist/index.js');
  const preload = new URL('./loopback-only.mjs', import.meta.url).href;
  const child: ChildProcess = spawn(process.execPath, ['--import', preload, entry, mode], {
    env: { PATH: process.env.PATH, PORT: '0' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  let port = '';
  for await (const text of createInterface({ input: child.stderr as NodeJS.ReadableStream })) {
    port = /^loopback port (\d+)$/.exec(text)?.[1] ?? '';
    if (port !== '') break;
  }
  child.stderr?.resume();
  return {
    url: new URL(mode === 'sse' ? '/sse' : '/mcp', `http://127.0.0.1:${port}`),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

for (const mode of ['streamableHttp', 'sse'] as const) {
  test(`server-everything in ${mode} mode works with our client`, async () => {
    await using server = await everything(mode);
    const client = await connect(server.url);
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    const names = (await client.answer(1)).result.tools.map(({ name }: { name: string }) => name);
    assert.ok(names.includes('echo'));
    assert.ok(names.includes('trigger-sampling-request'));
    call(client, 2, 'echo', { message: 'hi' });
    assert.match((await client.answer(2)).result.content[0].text, /hi/);
    call(client, 3, 'trigger-long-running-operation', { duration: 0.3, steps: 3 }, { progressToken: 'p' });
    await client.answer(3);
    assert.equal(client.messages.filter(({ method }) => method === 'notifications/progress').length, 3);
    call(client, 4, 'trigger-sampling-request', { prompt: 'x', maxTokens: 5 });
    const content = { type: 'text', text: 'sampled' };
    await reply(client, 'sampling/createMessage', { role: 'assistant', model: 'm', content });
    assert.match((await client.answer(4)).result.content[0].text, /sampled/);
    call(client, 5, 'trigger-elicitation-request');
    await reply(client, 'elicitation/create', { action: 'decline' });
    assert.ok((await client.answer(5)).result);
    await client.transport.close();
    assert.equal(client.closed?.code, 'done');
  });
}
