import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { type Bind, parseBind } from '../src/bind.ts';
import { doorGuard } from '../src/door-guard.ts';

const SECRET = 'a'.repeat(32);
const bind: Bind = { kind: 'tcp', host: '127.0.0.1', port: 8080 };
const six: Bind = { kind: 'tcp', host: '::1', port: 8080 };

type Headers = Record<string, string>;

function knock(
  url: string,
  headers: Headers,
  options: { bind?: Bind; secret?: string | undefined; allow?: string[] } = {},
) {
  const secret = 'secret' in options ? options.secret : SECRET;
  const guard = doorGuard({ bind: options.bind ?? bind, secret, allowOrigins: options.allow ?? [] });
  const verdict = guard({ url, headers } as unknown as IncomingMessage);
  return verdict.pass ? 200 : verdict.status;
}

const good: Headers = { host: '127.0.0.1:8080' };
const url = `/${SECRET}/mcp`;

test('the right host with the secret in the path, or as bearer, gets in', () => {
  assert.equal(knock(url, good), 200);
  assert.equal(knock(`/${SECRET}/sse`, good), 200);
  assert.equal(knock('/mcp', { ...good, authorization: `Bearer ${SECRET}` }), 200);
  assert.equal(knock('/mcp', good, { secret: undefined }), 200);
});

test('the bare address gets in only where there is no secret', () => {
  assert.equal(knock('/', good, { secret: undefined }), 200);
  assert.equal(knock('/?x=1', good, { secret: undefined }), 200);
  assert.equal(knock('/', { host: 'evil.example' }, { secret: undefined }), 403);
  assert.equal(knock('/', { ...good, origin: 'http://evil.example' }, { secret: undefined }), 403);
  for (const path of ['//', '/other', '/mcp/']) assert.equal(knock(path, good, { secret: undefined }), 404, path);
  assert.equal(knock('/', good), 404);
  assert.equal(knock('/', { ...good, authorization: `Bearer ${SECRET}` }), 404);
});

test('T10: every other host is refused, whatever else is right', () => {
  const hosts = [
    'localhost',
    '127.0.0.1',
    '127.0.0.1:80',
    '127.0.0.1:8081',
    'localhost.:8080',
    '127.0.0.1.:8080',
    '0.0.0.0:8080',
    '127.1:8080',
    '2130706433:8080',
    'evil.example:8080',
    'evil.example',
    'localhost.evil.example:8080',
    'user@127.0.0.1:8080',
    '[::1]:8080',
    '[::ffff:127.0.0.1]:8080',
    'xn--lcalhost-95a:8080',
    'lоcalhost:8080',
    '',
    ' 127.0.0.1:8080',
    '127.0.0.1:8080 ',
    '127.0.0.1:08080',
  ];
  for (const host of hosts) {
    for (const path of [url, '/mcp']) {
      assert.equal(knock(path, { host, authorization: `Bearer ${SECRET}` }), 403, `${host} ${path}`);
      assert.equal(knock(path, { host }, { secret: undefined }), 403, `${host} ${path} without secret`);
    }
  }
  assert.equal(knock(url, {}), 403);
  for (const host of ['127.0.0.1:8080', 'localhost:8080', 'LOCALHOST:8080']) assert.equal(knock(url, { host }), 200);
  for (const host of ['[::1]:8080', 'localhost:8080']) assert.equal(knock(url, { host }, { bind: six }), 200);
  assert.equal(knock(url, { host: '127.0.0.1:8080' }, { bind: six }), 403);
});

test('T10: every origin but its own loopback one is refused unless listed', () => {
  const foreign = [
    'null',
    'http://evil.example',
    'https://127.0.0.1:8080',
    'http://127.0.0.1:8081',
    'http://127.0.0.1',
    'http://localhost',
    'http://localhost:8080.evil.example',
    'http://user@127.0.0.1:8080',
    'http://127.0.0.1:8080/',
    'http://[::1]:8080',
    'http://0.0.0.0:8080',
    'file://',
    'chrome-extension://abc',
    '',
    'http://lоcalhost:8080',
  ];
  for (const origin of foreign) {
    assert.equal(knock(url, { ...good, origin }), 403, origin);
    assert.equal(knock('/mcp', { ...good, origin }, { secret: undefined }), 403, origin);
  }
  assert.equal(knock(url, { ...good, origin: 'http://127.0.0.1:8080' }), 200);
  assert.equal(knock(url, { ...good, origin: 'http://localhost:8080' }), 200);
  assert.equal(
    knock(url, { ...good, origin: 'https://inspector.example' }, { allow: ['https://inspector.example'] }),
    200,
  );
});

test('without the secret there is nothing here: 404, never 401', () => {
  const paths = ['/mcp', '/', '/sse', `/${'b'.repeat(32)}/mcp`, `/${SECRET}`, `/${SECRET}/`, `/${SECRET}/other`];
  for (const path of [...paths, `/${SECRET}x/mcp`, `//${SECRET}/mcp`, `/x/${SECRET}/mcp`, `/mcp/${SECRET}`]) {
    assert.equal(knock(path, good), 404, path);
  }
  for (const authorization of [`Bearer ${'b'.repeat(32)}`, 'Bearer', `Basic ${SECRET}`, SECRET, `Bearer ${SECRET} x`]) {
    assert.equal(knock('/mcp', { ...good, authorization }), 404, authorization);
  }
  assert.equal(knock('/.well-known/oauth-protected-resource', good), 404);
});

test('T10: only loopback literals and sockets can be bound', () => {
  assert.deepEqual(parseBind('127.0.0.1:8080'), bind);
  assert.deepEqual(parseBind('localhost:8080'), bind);
  assert.deepEqual(parseBind('[::1]:8080'), six);
  assert.deepEqual(parseBind('unix:/run/x.sock'), { kind: 'unix', path: '/run/x.sock' });
  const bad = [
    '0.0.0.0:8080',
    ':8080',
    '8080',
    '192.168.0.1:80',
    '[::]:80',
    '::1:80',
    'example.org:80',
    '127.0.0.2:80',
  ];
  for (const text of [...bad, '127.0.0.1:99999', '127.0.0.1', 'unix:relative', `unix:/${'x'.repeat(120)}`, '']) {
    assert.throws(() => parseBind(text), { code: 'usage' }, text);
  }
});
