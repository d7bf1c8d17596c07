// A login that is refused is read anew: 401 says that nothing was done, so the request may go again, once.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import { httpTransport } from '../../../src/transports/http/client.ts';
import { Recorder } from './harness.ts';

interface Door extends AsyncDisposable {
  readonly url: string;
  /** Authorization and method of each request. */
  readonly seen: string[];
  status: number;
  allowed: string;
}

async function door(): Promise<Door> {
  const seen: string[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      const { id, method } = JSON.parse(body || '{}') as { id?: number; method?: string };
      seen.push(`${request.headers.authorization} ${method ?? request.method}`);
      if (request.headers.authorization !== it.allowed) return response.writeHead(it.status).end('no');
      if (id === undefined) return response.writeHead(202).end();
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { protocolVersion: '2025-11-25' } }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const it: Door = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    seen,
    status: 401,
    allowed: 'new',
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return it;
}

function client(url: string, renew: () => Promise<Record<string, string>>): Recorder {
  return new Recorder(httpTransport({ url, protocol: 'streamable', headers: { Authorization: 'old' }, renew }));
}

const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} };
const call = (id: number) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'x' } });

test('a request that was refused goes again with another login, and later ones go with it at once', async () => {
  await using host = await door();
  let reads = 0;
  const recorder = client(host.url, async () => {
    reads += 1;
    return { Authorization: 'new' };
  });
  recorder.send(initialize);
  assert.equal((await recorder.answer(1)).result.protocolVersion, '2025-11-25');
  recorder.send(call(2));
  await recorder.answer(2);
  assert.deepEqual(host.seen, ['old initialize', 'new initialize', 'new tools/call']);
  assert.equal(reads, 1);
  await recorder.transport.close();
});

test('with the same login nothing is sent again, and the session ends as before', async () => {
  await using host = await door();
  const recorder = client(host.url, async () => ({ Authorization: 'old' }));
  recorder.send(initialize);
  assert.equal((await recorder.end()).code, 'http_unauthorized');
  assert.deepEqual(host.seen, ['old initialize']);
});

test('another login that is refused too is not tried a third time', async () => {
  await using host = await door();
  host.allowed = 'newest';
  const recorder = client(host.url, async () => ({ Authorization: 'new' }));
  recorder.send(initialize);
  assert.equal((await recorder.end()).code, 'http_unauthorized');
  assert.deepEqual(host.seen, ['old initialize', 'new initialize']);
});

test('many refused at once read it once', async () => {
  await using host = await door();
  host.allowed = 'old';
  let reads = 0;
  const recorder = client(host.url, async () => {
    reads += 1;
    await new Promise((resolve) => setImmediate(resolve));
    return { Authorization: 'new' };
  });
  recorder.send(initialize);
  await recorder.answer(1);
  host.allowed = 'new';
  const ids = Array.from({ length: 20 }, (_, at) => at + 2);
  for (const id of ids) recorder.send(call(id));
  for (const id of ids) await recorder.answer(id);
  assert.equal(reads, 1);
  assert.equal(host.seen.filter((line) => line === 'new tools/call').length, 20);
  await recorder.transport.close();
});

test('after 403 the login is read anew for what follows; what may have run is not sent again', async () => {
  await using host = await door();
  host.allowed = 'old';
  const recorder = client(host.url, async () => ({ Authorization: 'new' }));
  recorder.send(initialize);
  await recorder.answer(1);
  host.allowed = 'new';
  host.status = 403;
  recorder.send(call(2));
  const refused = await recorder.answer(2);
  assert.match(refused.error.message, /refuses this login \(HTTP 403\)/);
  recorder.send(call(3));
  await recorder.answer(3);
  assert.deepEqual(
    host.seen.filter((line) => line.endsWith('tools/call')),
    ['old tools/call', 'new tools/call'],
  );
  await recorder.transport.close();
});

test('a login that cannot be read is as good as the old one', async () => {
  await using host = await door();
  const recorder = client(host.url, () => Promise.reject(new Error('the file is gone')));
  recorder.send(initialize);
  assert.equal((await recorder.end()).code, 'http_unauthorized');
  const broken = client(host.url, async () => ({ Authorization: 'two\nlines' }));
  broken.send(initialize);
  assert.equal((await broken.end()).code, 'http_unauthorized');
  assert.deepEqual(host.seen, ['old initialize', 'old initialize']);
});
