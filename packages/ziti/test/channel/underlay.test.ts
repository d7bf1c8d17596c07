import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hostPort, parseRouterUrl } from '../../src/channel/underlay.ts';
import { ZitiError } from '../../src/errors.ts';

test('addresses of routers, with and without slashes', () => {
  for (const [url, scheme, host, port] of [
    ['tls:er.example.com:3022', 'tls', 'er.example.com', 3022],
    ['tls://er.example.com:3022', 'tls', 'er.example.com', 3022],
    ['TLS:er-1.example.com:1', 'tls', 'er-1.example.com', 1],
    ['wss://er.example.com:65535/', 'wss', 'er.example.com', 65_535],
    ['tls:[2001:db8::1]:443', 'tls', '2001:db8::1', 443],
    ['wss://[::ffff:127.0.0.1]:443', 'wss', '::ffff:127.0.0.1', 443],
    ['tls:10.0.0.1:3022', 'tls', '10.0.0.1', 3022],
  ] as const) {
    const address = parseRouterUrl(url);
    assert.deepEqual(address, { scheme, host, port });
    assert.deepEqual(parseRouterUrl(`${scheme}:${hostPort(address)}`), address);
  }
});

test('everything else is refused, and shown in short', () => {
  for (const url of [
    '',
    'er.example.com:3022',
    'ws:er.example.com:3022',
    'tcp:er.example.com:3022',
    'tls:er.example.com',
    'tls:er.example.com:',
    'tls:er.example.com:0',
    'tls:er.example.com:65536',
    'tls:er.example.com:99999999',
    'tls::3022',
    'tls:user@host:3022',
    'tls:host:3022/path',
    'tls:host:3022?query',
    'tls:2001:db8::1:443',
    'tls:[host]:443',
    'tls:[::1]443',
    'tls:ho st:443',
    'tls:host\r\nX: y:443',
    `tls:${'x'.repeat(5000)}:443`,
  ]) {
    assert.throws(
      () => parseRouterUrl(url),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'router_url_unsupported', url);
        assert.ok(error.message.length < 400 && !/[\r\n]/.test(error.message));
        return true;
      },
    );
  }
});

test('any text gives an address that can be written again, or the one error', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^(tls|wss):(\/\/)?[\w.:[\]-]{0,30}:[0-9]{0,6}\/?$/));
  fc.assert(
    fc.property(text, (url) => {
      try {
        const address = parseRouterUrl(url);
        assert.deepEqual(parseRouterUrl(`${address.scheme}://${hostPort(address)}`), address);
      } catch (error) {
        assert.ok(error instanceof ZitiError && error.code === 'router_url_unsupported', String(error));
      }
    }),
  );
});
