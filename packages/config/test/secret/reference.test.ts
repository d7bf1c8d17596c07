// What is a reference and what is text that only looks like one.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseSecretReference } from '../../src/index.ts';

test('each form of a reference is read, and keeps how it was written', () => {
  assert.deepEqual(parseSecretReference('env:API_TOKEN'), { kind: 'env', name: 'API_TOKEN', text: 'env:API_TOKEN' });
  for (const path of ['/etc/mcp/token', '~/token', 'token', './keys/a b', '../token']) {
    assert.deepEqual(parseSecretReference(`file:${path}`), { kind: 'file', path, text: `file:${path}` });
  }
  assert.deepEqual(parseSecretReference('creds:mcp.key'), { kind: 'creds', name: 'mcp.key', text: 'creds:mcp.key' });
  const cmd = 'cmd:["pass", "show", "a b"]';
  assert.deepEqual(parseSecretReference(cmd), { kind: 'cmd', argv: ['pass', 'show', 'a b'], text: cmd });
});

test('what only looks like a reference is none', () => {
  const strangers = [
    ...['', 'env', 'env:', 'env:1A', 'env:A-B', 'env:A B', 'ENV:A', ' env:A', 'environment:A'],
    ...['file:', 'file:///etc/token', 'file://host/x', 'file:a\0b'],
    ...['creds:', 'creds:a/b', 'creds:..', 'creds:.', 'creds:a b', `creds:${'x'.repeat(256)}`, 'creds:a\nb'],
    ...['cmd:', 'cmd:pass show x', 'cmd:[]', 'cmd:[""]', 'cmd:[1]', 'cmd:["a", null]', 'cmd:"a"', 'cmd:["a\\u0000b"]'],
    ...['https://example.com', 'c:/windows', 'Bearer abc', '__proto__', 'constructor:x'],
  ];
  for (const text of strangers) assert.equal(parseSecretReference(text), undefined, JSON.stringify(text));
});

test('any text is a reference with its own text, or none', () => {
  const kinds = fc.constantFrom('env:', 'file:', 'creds:', 'cmd:', 'cmd:["', '');
  fc.assert(
    fc.property(kinds, fc.string({ unit: 'binary' }), (kind, rest) => {
      const found = parseSecretReference(kind + rest);
      assert.ok(found === undefined || found.text === kind + rest);
    }),
  );
});
