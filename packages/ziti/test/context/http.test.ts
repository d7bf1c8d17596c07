// Connections serve where Node wants a socket: HTTP in both roles.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { onNetwork } from './network.ts';

test('an HTTP server and a client speak over connections, kept alive and closed by either', async () => {
  await using on = await onNetwork();
  on.net.addService('web');
  const host = await on.open('host');
  const client = await on.open('client');
  const server = createServer(async (asked, answer) => {
    answer.end(`${asked.method} ${asked.url}: ${await text(asked)}`);
  });
  await host.listen('web', { onConnection: (connection) => void server.emit('connection', connection) });
  const connection = await client.dial('web');
  const post = async (path: string, body: string, close: boolean): Promise<string> => {
    const asked = request({
      method: 'POST',
      path,
      headers: { connection: close ? 'close' : 'keep-alive' },
      createConnection: () => connection as unknown as Socket,
    });
    asked.end(body);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return text(answer);
  };
  assert.equal(await post('/one', 'a'.repeat(100_000), false), `POST /one: ${'a'.repeat(100_000)}`);
  const second = await client.dial('web');
  const asked = request({ path: '/two', createConnection: () => second as unknown as Socket, timeout: 10_000 });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  assert.equal(await text(answer), 'GET /two: ');
  server.close();
  for (const open of [connection, second]) open.destroy();
});
