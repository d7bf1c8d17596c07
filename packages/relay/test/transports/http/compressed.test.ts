// Nothing here is ever unpacked: what is compressed is refused, so a small body cannot become a large one.

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import { httpTransport } from '../../../src/transports/http/client.ts';
import { door, exchange, initializeRequest, listening, POST_HEADERS, Recorder } from './harness.ts';

const BOMB_BYTES = 64 * 1024 * 1024;
const FAST = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
const RESULT = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's', version: '1' } };

test('T22: a compressed answer is an error of its request, whatever it would become, and none is asked for', async () => {
  const bomb = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { text: ' '.repeat(BOMB_BYTES) } }));
  const packed = { gzip: gzipSync(bomb), deflate: deflateSync(bomb), br: brotliCompressSync(bomb, FAST) };
  assert.ok(packed.gzip.length * 500 < bomb.length, 'it is a bomb');
  for (const [encoding, body] of Object.entries(packed)) {
    const asked: (string | undefined)[] = [];
    const server = http.createServer((request, response) => {
      asked.push(request.headers['accept-encoding'] as string | undefined);
      if (request.method !== 'POST') return void response.writeHead(405).end();
      request.resume().on('end', () => {
        if (asked.length === 1) {
          const text = JSON.stringify({ jsonrpc: '2.0', id: 0, result: RESULT });
          response.writeHead(200, { 'content-type': 'application/json' }).end(text);
        } else {
          response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding }).end(body);
        }
      });
    });
    const url = await listening(server);
    const client = new Recorder(httpTransport({ url: url.href, protocol: 'streamable' }));
    client.send(initializeRequest());
    await client.answer(0);
    const before = process.memoryUsage().rss;
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: {} });
    const { code, kind } = await client.until(() => client.faults.find(({ id }) => id === '1'));
    assert.deepEqual([code, kind], ['invalid_utf8', 'response'], encoding);
    assert.ok(process.memoryUsage().rss - before < BOMB_BYTES, encoding);
    assert.deepEqual([...new Set(asked)], ['identity']);
    await client.transport.close();
    server.close();
    server.closeAllConnections();
  }
});

test('T22: a compressed request is refused with 415 before anything of it is looked at', async () => {
  await using open = await door();
  const body = JSON.stringify(initializeRequest());
  for (const encoding of ['gzip', 'br', 'deflate', 'GZIP', 'gzip, gzip', 'zstd', 'x']) {
    const { status } = await exchange(open.url, { headers: { ...POST_HEADERS, 'content-encoding': encoding }, body });
    assert.equal(status, 415, encoding);
  }
  assert.equal(open.count(), 0);
});
