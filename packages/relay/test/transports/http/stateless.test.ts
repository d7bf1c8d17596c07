// Serving without sessions: many clients, one session upstream, nothing of one reaches another.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v2 from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { door, exchange, initializeRequest, messagesOf, parsed } from './harness.ts';

const INFO = { name: 'test', version: '1' };

function callOf(id: unknown, name: string, args: object = {}, meta?: object): object {
  const params = { name, arguments: args, ...(meta === undefined ? {} : { _meta: meta }) };
  return { jsonrpc: '2.0', id, method: 'tools/call', params };
}

test('SDK clients work without a session, all on one session upstream', async () => {
  for (const jsonResponse of [false, true]) {
    await using open = await door({ stateless: true, jsonResponse, by: 'mcp-tools/9.9' });
    const first = new Client(INFO);
    await first.connect(new StreamableHTTPClientTransport(open.url) as Parameters<Client['connect']>[0]);
    const second = new v2.Client(INFO);
    await second.connect(new v2.StreamableHTTPClientTransport(open.url));
    assert.equal((await first.listTools()).tools.length, 7);
    assert.equal((await second.listTools()).tools.length, 7);
    assert.equal(first.getServerCapabilities()?.tools?.listChanged, undefined);
    const progress: number[] = [];
    await second.callTool(
      { name: 'progress', arguments: { ping: true } },
      { onprogress: ({ progress: n }) => progress.push(n) },
    );
    assert.deepEqual(progress, [1, 2, 3]);
    assert.equal(open.owners.length, 1);
    const owner = await open.owner();
    assert.equal(owner.info.kind, 'stateless');
    const [hello] = owner.messages.map(parsed);
    assert.deepEqual(hello.params.capabilities, {});
    assert.deepEqual(hello.params.clientInfo, { name: 'mcp-tools', version: '9.9' });
    await first.close();
    await second.close();
  }
});

test('64 clients that all use the same ids and tokens get their own answers', async () => {
  await using open = await door({ stateless: true });
  const calls = Array.from({ length: 64 }, (_, n) =>
    exchange(open.url, { body: callOf(0, 'echo', { text: `n${n}` }) }),
  );
  for (const [n, call] of calls.entries()) {
    const [answer] = messagesOf((await call).body);
    assert.equal(answer.id, 0);
    assert.equal(answer.result.content[0].text, `n${n}`);
  }
  const meta = { progressToken: 'same' };
  const bodies = await Promise.all(
    [1, 2, 3, 4].map((id) => exchange(open.url, { body: callOf(id, 'progress', {}, meta) })),
  );
  for (const { body } of bodies) {
    const messages = messagesOf(body);
    assert.deepEqual(
      messages.slice(0, 3).map(({ params }) => [params.progressToken, params.progress]),
      [
        ['same', 1],
        ['same', 2],
        ['same', 3],
      ],
    );
    assert.equal(messages.length, 4);
  }
});

test('ids and numbers come back as they were written', async () => {
  await using open = await door({ stateless: true, jsonResponse: true });
  for (const id of ['9007199254740993', '1.50', '"\\u0041"', '-0']) {
    const body = `{"jsonrpc":"2.0","id":${id},"method":"ping"}`;
    assert.match((await exchange(open.url, { body })).body, new RegExp(`"id":${id.replace(/[.\\]/g, '\\$&')}[,}]`));
    const call = `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","n":9007199254740993}}`;
    const reply = await exchange(open.url, { body: call });
    assert.match(reply.body, new RegExp(`"id":${id.replace(/[.\\]/g, '\\$&')}[,}]`));
    const owner = await open.owner();
    assert.match(String(owner.messages.at(-1)?.bytes), /9007199254740993/);
  }
});

test('requests of the server are refused, and its notices go to nobody', async () => {
  await using open = await door({ stateless: true });
  const hold = exchange(open.url, { body: callOf(1, 'hold') });
  const owner = await open.owner();
  await owner.until(() => owner.held.length === 1);
  assert.equal((await owner.ask('sampling/createMessage', {})).error.code, -32601);
  assert.deepEqual((await owner.ask('ping', {})).result, {});
  owner.notify('notifications/message', { data: 'for nobody' });
  owner.notify('notifications/progress', { progressToken: 1, progress: 1 });
  owner.result(owner.held[0]?.id, {});
  assert.equal(messagesOf((await hold).body).length, 1);
});

test('initialize is answered in the revision the client asked for, and no session id is given', async () => {
  await using open = await door({ stateless: true });
  const reply = await exchange(open.url, { body: initializeRequest('2025-03-26', 'i') });
  assert.equal(reply.headers['mcp-session-id'], undefined);
  assert.equal(reply.json.id, 'i');
  assert.equal(reply.json.result.protocolVersion, '2025-03-26');
  const newer = await exchange(open.url, { body: initializeRequest('2099-01-01') });
  assert.equal(newer.json.result.protocolVersion, '2025-11-25');
  const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
  assert.equal((await exchange(open.url, { body: initialized })).status, 202);
});

test('a session upstream that ends answers what is open, and the next request gets a new one', async () => {
  await using open = await door({ stateless: true });
  const hold = exchange(open.url, { body: callOf(1, 'hold') });
  const owner = await open.owner();
  await owner.until(() => owner.held.length === 1);
  await owner.transport.close({ code: 'child_exited', reason: 'the server exited' });
  assert.match((await hold).body, /-31051.*the server exited/);
  const [answer] = messagesOf((await exchange(open.url, { body: callOf(2, 'echo', { text: 'a' }) })).body);
  assert.equal(answer.result.content[0].text, 'a');
  assert.equal(open.owners.length, 2);
});
