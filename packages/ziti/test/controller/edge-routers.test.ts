import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseRouterUrl } from '../../src/channel/underlay.ts';
import { edgeRoutersOf, routerUrl } from '../../src/controller/edge-routers.ts';
import { LIMITS } from '../../src/limits.ts';

test('both spellings of an address become one, IPv6 keeps its brackets', () => {
  const cases: [string, string][] = [
    ['tls://127.0.0.1:13022', 'tls:127.0.0.1:13022'],
    ['tls:er.example.com:3022', 'tls:er.example.com:3022'],
    ['TLS://ER.Example.Com:3022/', 'tls:er.example.com:3022'],
    ['wss://[2001:DB8::1]:443/ws', 'wss:[2001:db8::1]:443'],
    [' tls:[::1]:65535 ', 'tls:[::1]:65535'],
  ];
  for (const [text, url] of cases) assert.equal(routerUrl(text), url);
});

test('what cannot be dialled is left out', () => {
  const cases = [
    '',
    'tls',
    'tls:host',
    'tls:host:0',
    'tls:host:65536',
    'tls:host:port',
    'tls://:3022',
    'tls:[host]:1',
    'tls:[::1:1',
    'tls:::1:1',
    'tls:user@host:1',
    'tls:a b:1',
    'ws://host:80',
    'dtls:host:1',
    'https://host:1',
    `tls:${'a'.repeat(LIMITS.urlChars)}:1`,
  ];
  for (const text of cases) assert.equal(routerUrl(text), undefined, text);
});

test('every address that comes out can be dialled by the channel', () => {
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().map((ip) => `[${ip}]`),
    fc.string(),
  );
  const text = fc
    .tuple(fc.constantFrom('tls:', 'tls://', 'WSS://', 'ws:', ''), host, fc.integer({ min: -1, max: 70_000 }))
    .map(([scheme, name, port]) => `${scheme}${name}:${port}`);
  fc.assert(
    fc.property(fc.oneof(text, fc.string()), (input) => {
      const url = routerUrl(input);
      if (url === undefined) return;
      assert.ok(parseRouterUrl(url).port > 0);
      assert.equal(routerUrl(url), url);
    }),
    { numRuns: 2000 },
  );
});

test('lists of any shape give routers, never an error', () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.array(fc.record({ name: fc.jsonValue(), urls: fc.jsonValue(), supportedProtocols: fc.jsonValue() })),
      (any, list) => {
        edgeRoutersOf({ edgeRouters: any });
        assert.equal(edgeRoutersOf({ edgeRouters: list }).length, list.length);
      },
    ),
  );
  assert.deepEqual(edgeRoutersOf({}), []);
  assert.deepEqual(edgeRoutersOf({ edgeRouters: [{}] }), [{ name: '?', urls: [], online: false }]);
});
