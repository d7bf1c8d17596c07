// The door and the pages of an allowed origin, without a browser (with one: test/e2e/browser.test.ts).

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { answerCors } from '../src/cors.ts';
import { doorGuard } from '../src/door-guard.ts';

const ORIGIN = 'https://inspector.example';
const PREFLIGHT = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };

async function door(allowOrigins: readonly string[]) {
  let guard: ReturnType<typeof doorGuard>;
  const server = createServer((request, response) => {
    const verdict = guard(request);
    if (!verdict.pass) response.writeHead(verdict.status).end();
    else if (!answerCors(request, response)) response.writeHead(200).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  guard = doorGuard({ bind: { kind: 'tcp', host: '127.0.0.1', port }, secret: 'secret', allowOrigins });
  return { url: `http://127.0.0.1:${port}/secret/mcp`, [Symbol.dispose]: () => void server.close() };
}

test('a preflight of an allowed origin is answered without the secret, and names what it may', async () => {
  using open = await door([ORIGIN]);
  const { status, headers } = await fetch(open.url.replace('/secret', ''), {
    method: 'OPTIONS',
    headers: { origin: ORIGIN, ...PREFLIGHT },
  });
  assert.equal(status, 204);
  assert.equal(headers.get('access-control-allow-origin'), ORIGIN);
  assert.match(headers.get('access-control-allow-headers') ?? '', /authorization.*mcp-session-id/);
  assert.equal(headers.get('access-control-allow-credentials'), null);
  const call = await fetch(open.url, { method: 'POST', headers: { origin: ORIGIN } });
  assert.deepEqual([call.status, call.headers.get('access-control-allow-origin')], [200, ORIGIN]);
});

test('any other origin gets 403 and none of these headers; who sends none needs none', async () => {
  using open = await door([ORIGIN]);
  for (const origin of ['https://evil.example', `${ORIGIN}.evil.example`, 'null', `${ORIGIN}:444`]) {
    const { status, headers } = await fetch(open.url, { method: 'OPTIONS', headers: { origin, ...PREFLIGHT } });
    assert.deepEqual([status, headers.get('access-control-allow-origin')], [403, null], origin);
  }
  const { status, headers } = await fetch(open.url, { method: 'POST' });
  assert.deepEqual([status, headers.get('access-control-allow-origin')], [200, null]);
});

test('the secret is wanted of every request that is no preflight', async () => {
  using open = await door([ORIGIN]);
  const { status } = await fetch(open.url.replace('secret', 'guess'), { method: 'POST', headers: { origin: ORIGIN } });
  assert.equal(status, 404);
});
