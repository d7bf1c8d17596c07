// The GET of a legacy session stands before the first request goes: what a server asks in the course of that one may come
// there, and is lost where nobody listens yet.

import assert from 'node:assert/strict';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { test } from 'node:test';
import { httpTransport } from '../../../src/transports/http/client.ts';
import { listening, Recorder } from './harness.ts';

type Get = (request: IncomingMessage, response: ServerResponse) => void;

/** Asks on the GET's stream for each call, if there is one; answers the call with whether there was. */
async function asking(get: Get) {
  const streams: ServerResponse[] = [];
  const server = http.createServer((request, response) => {
    if (request.method === 'GET') {
      get(request, response);
      if (response.headersSent && response.statusCode === 200) streams.push(response);
      else response.once('listening', () => streams.push(response));
      return;
    }
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      const { id, method } = body === '' ? {} : JSON.parse(body);
      if (id === undefined || method === undefined) {
        response.writeHead(202).end();
        return;
      }
      const [stream] = streams;
      if (method === 'tools/call')
        stream?.write(`data: ${JSON.stringify({ jsonrpc: '2.0', id: 'q', method: 'roots/list' })}\n\n`);
      const result = method === 'initialize' ? { protocolVersion: '2025-11-25' } : { heard: stream !== undefined };
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 's' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    });
  });
  const url = await listening(server);
  return {
    url: String(url),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function firstCall(
  url: string,
): Promise<{ client: Recorder; answer: { result: { heard: boolean } }; ms: number }> {
  const client = new Recorder(httpTransport({ url, protocol: 'streamable' }));
  client.send({ jsonrpc: '2.0', id: 0, method: 'initialize', params: {} });
  await client.answer(0);
  const began = performance.now();
  client.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'asks' } });
  const answer = await client.answer(1);
  return { client, answer, ms: performance.now() - began };
}

test('a server that is slow to take the GET gets the first request after it, and its question arrives', async () => {
  await using server = await asking((_request, response) => {
    setTimeout(() => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      response.emit('listening');
    }, 200);
  });
  const { client, answer } = await firstCall(server.url);
  assert.equal(answer.result.heard, true);
  await client.notice('roots/list');
  await client.transport.close();
});

test('one that has no such stream is asked at once', async () => {
  await using server = await asking((_request, response) => response.writeHead(405).end());
  const { client, answer, ms } = await firstCall(server.url);
  assert.equal(answer.result.heard, false);
  assert.ok(ms < 900, `${ms} ms`);
  await client.transport.close();
});

test('one that answers the GET only with its first event is waited for a second, not for ever', async () => {
  await using server = await asking(() => {});
  const { client, answer } = await firstCall(server.url);
  assert.equal(answer.result.heard, false);
  await client.transport.close();
});
