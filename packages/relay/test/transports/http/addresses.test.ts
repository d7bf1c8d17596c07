// Where a server sends us: nowhere. An address that it names is dialled only where it is on the origin of the configuration.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { httpTransport } from '../../../src/transports/http/client.ts';
import { initializeRequest, listening, Recorder } from './harness.ts';

/** The address of cloud metadata and of this machine, as people have written them to get past a filter. */
const ELSEWHERE = [
  'http://169.254.169.254/latest/meta-data/',
  'http://2852039166/',
  'http://0xa9fea9fe/',
  'http://0251.0376.0251.0376/',
  'http://169.254.43518/',
  'http://[::ffff:169.254.169.254]/',
  'http://[::ffff:a9fe:a9fe]/',
  'http://[fd00:ec2::254]/',
  'http://metadata.google.internal/',
  'http://127.1/',
  'http://0/',
  'http://0.0.0.0/',
  'http://[::]/',
  'http://[::1]/',
  'http://localhost/',
  'http://user@127.0.0.1/',
  '//169.254.169.254/',
  '\\\\169.254.169.254\\',
  'file:///etc/passwd',
  'gopher://127.0.0.1:70/',
  'ftp://127.0.0.1/',
  'data:application/json,{}',
  'unix:/var/run/docker.sock',
];

test('T29: no address that a server names is dialled, in whatever form, as a redirect or as its endpoint', async (t) => {
  // The one door to the network of the transports, and of whatever they use.
  const dialled = new Set<string>();
  const connect = net.Socket.prototype.connect;
  t.mock.method(net.Socket.prototype, 'connect', function (this: net.Socket, ...args: unknown[]) {
    const [first] = args.flat() as { port?: number; host?: string }[];
    dialled.add(`${first?.host}:${first?.port}`);
    return Reflect.apply(connect, this, args);
  });
  let where = '';
  const server = http.createServer((request, response) => {
    request.resume();
    if (request.url?.startsWith('/sse')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`event: endpoint\ndata: ${where}\n\n`);
    } else response.writeHead(307, { location: where }).end();
  });
  const url = new URL(await listening(server));
  const port = url.port;
  for (const form of [...ELSEWHERE, `http://127.0.0.1:${Number(port) - 1}/`, `https://127.0.0.1:${port}/`]) {
    where = form;
    for (const [path, protocol] of [
      ['/mcp', 'streamable'],
      ['/sse', 'sse'],
    ] as const) {
      const client = new Recorder(httpTransport({ url: new URL(path, url).href, protocol }));
      client.send(initializeRequest());
      const { code } = await client.end();
      assert.equal(code, 'http_failed', `${form} over ${protocol}`);
      await client.transport.close();
    }
  }
  server.close();
  server.closeAllConnections();
  assert.deepEqual([...dialled], [`127.0.0.1:${port}`]);
});
