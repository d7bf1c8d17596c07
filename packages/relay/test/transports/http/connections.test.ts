// HTTP on streams of a share: a server that never listens, its deadlines and its end.

import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { httpTransport } from '../../../src/transports/http/client.ts';
import { createHttpConnections } from '../../../src/transports/http/connections.ts';
import { createHttpSessions } from '../../../src/transports/http/server.ts';
import { initializeRequest, Owner, Recorder } from './harness.ts';
import { duplexPair } from './streams.ts';

const REQUEST = 'GET /any HTTP/1.1\r\nHost: mcp-backend\r\n\r\n';

interface Share extends AsyncDisposable {
  readonly owners: Owner[];
  dial(): Duplex;
}

function share(headersMs?: number): Share {
  const owners: Owner[] = [];
  const sessions = createHttpSessions({ onSession: (transport, info) => owners.push(new Owner(transport, info)) });
  const handle = sessions.handle;
  const connections = createHttpConnections({ handle, ...(headersMs === undefined ? {} : { headersMs }) });
  return {
    owners,
    dial() {
      const [ours, theirs] = duplexPair();
      connections.accept(theirs);
      return ours;
    },
    async [Symbol.asyncDispose]() {
      await sessions.close();
      connections.close();
    },
  };
}

function closed(stream: Duplex): Promise<string> {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += String(chunk);
  });
  return new Promise((resolve) => stream.on('error', () => {}).once('close', () => resolve(text)));
}

test('T23: headers that do not come in time cost the connection, on the first request and on a later one', async () => {
  await using host = share(30);
  const silent = host.dial();
  assert.equal(await closed(silent), '');
  const slow = host.dial();
  slow.write(REQUEST.slice(0, 20));
  assert.equal(await closed(slow), '');
  const later = host.dial();
  later.write('PUT / HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => later.once('data', resolve));
  later.write('PUT / HT');
  await closed(later);
});

test('T23: 500 connections that drip a byte at a time are closed in time, and whoever asks meanwhile is answered', async () => {
  await using host = share(400);
  let left = 0;
  const dripping = Array.from({ length: 500 }, () => {
    const stream = host.dial();
    let at = 0;
    const drip = setInterval(() => stream.write(REQUEST.slice(at, ++at)), 25);
    return closed(stream).then((text) => {
      clearInterval(drip);
      left += 1;
      return text;
    });
  });
  const honest = host.dial();
  honest.write('PUT / HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => honest.once('data', resolve));
  assert.equal(left, 0);
  assert.deepEqual([...new Set(await Promise.all(dripping))], ['']);
  honest.destroy();
});

test('an idle connection between requests, and an open stream, outlive that deadline', async () => {
  await using host = share(30);
  const idle = host.dial();
  idle.write('PUT / HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => idle.once('data', resolve));
  const stream = host.dial();
  stream.write(REQUEST);
  await new Promise((resolve) => stream.once('data', resolve));
  await new Promise((resolve) => setTimeout(resolve, 90));
  assert.deepEqual([idle.destroyed, stream.destroyed], [false, false]);
  idle.write('PUT / HTTP/1.1\r\nHost: x\r\n\r\n');
  const [again] = await new Promise<[Buffer]>((resolve) => idle.once('data', (chunk) => resolve([chunk])));
  assert.match(String(again), /405/);
});

test('the owner learns on which connection a session came, and close leaves none', async () => {
  const host = share();
  const dialled: Duplex[] = [];
  const connect = async (): Promise<Duplex> => {
    const stream = host.dial();
    dialled.push(stream);
    return stream;
  };
  const client = new Recorder(httpTransport({ url: 'http://mcp-backend/sse', protocol: 'sse', fetchVia: { connect } }));
  client.send(initializeRequest());
  await client.answer(0);
  assert.ok(host.owners[0]?.info.request !== undefined);
  assert.equal(host.owners[0]?.info.by, 'mcp-overlay');
  const gone = Promise.all(dialled.map(closed));
  await host[Symbol.asyncDispose]();
  await gone;
  assert.equal((await client.end()).code, 'connection_lost');
  assert.equal(host.owners[0]?.closed?.code, 'done');
});
