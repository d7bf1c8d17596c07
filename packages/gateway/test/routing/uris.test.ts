import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rewriterFor } from '../../src/routing/rewrite.ts';
import { prefixedUris, UNCHANGED } from '../../src/routing/uris.ts';

const uris = prefixedUris(['fs', 'my_box', '1st']);

test('a URI carries its backend in the scheme', () => {
  assert.equal(uris.toPublic('fs', 'file:///a'), 'fs+file:///a');
  assert.deepEqual(uris.toNative('fs+file:///a'), { backend: 'fs', uri: 'file:///a' });
});

test('ids that are no legal scheme become one, and come back', () => {
  assert.equal(uris.toPublic('my_box', 'memo:x'), 'my.box+memo:x');
  assert.equal(uris.toPublic('1st', 'memo:x'), 'x..1st+memo:x');
  assert.deepEqual(uris.toNative('x..1st+memo:x'), { backend: '1st', uri: 'memo:x' });
});

test('ui: stays ui:, http and https stay as they are', () => {
  assert.equal(uris.toPublic('fs', 'ui://page/1'), 'ui://fs/page/1');
  assert.deepEqual(uris.toNative('ui://fs/page/1'), { backend: 'fs', uri: 'ui://page/1' });
  assert.equal(uris.toPublic('fs', 'https://x.example/a'), 'https://x.example/a');
});

test('what carries no known backend is nobody’s', () => {
  for (const uri of ['file:///a', 'git+ssh://host/x', 'ui://else/x', '+x', '']) {
    assert.equal(uris.toNative(uri), undefined, uri);
  }
});

test('any URI but http and ui comes back to its backend', () => {
  const uri = fc.string({ minLength: 1 }).filter((text) => !/^(https?:|ui:)/i.test(text));
  fc.assert(
    fc.property(fc.constantFrom('fs', 'my_box', '1st'), uri, (backend, text) => {
      assert.deepEqual(uris.toNative(uris.toPublic(backend, text)), { backend, uri: text });
    }),
  );
});

test('URIs are rewritten wherever MCP puts them, and nothing else changes', () => {
  const rewrite = rewriterFor(uris, 'fs');
  const result = {
    content: [
      { type: 'text', text: 'file:///not-touched', extra: 1 },
      { type: 'resource_link', uri: 'file:///a', name: 'a', custom: true },
      { type: 'resource', resource: { uri: 'file:///b', text: 'x', more: [] }, annotations: {} },
      'odd',
    ],
    contents: [{ uri: 'file:///c', blob: 'AA==' }],
    messages: [{ role: 'user', content: { type: 'resource', resource: { uri: 'file:///d' } } }],
    structuredContent: { uri: 'file:///not-touched' },
    _meta: { ui: { resourceUri: 'ui://page' }, 'ui/resourceUri': 'ui://page', other: 'file:///not-touched' },
    unknown: 7,
  };
  assert.deepEqual(rewrite.result(result), {
    content: [
      { type: 'text', text: 'file:///not-touched', extra: 1 },
      { type: 'resource_link', uri: 'fs+file:///a', name: 'a', custom: true },
      { type: 'resource', resource: { uri: 'fs+file:///b', text: 'x', more: [] }, annotations: {} },
      'odd',
    ],
    contents: [{ uri: 'fs+file:///c', blob: 'AA==' }],
    messages: [{ role: 'user', content: { type: 'resource', resource: { uri: 'fs+file:///d' } } }],
    structuredContent: { uri: 'file:///not-touched' },
    _meta: { ui: { resourceUri: 'ui://fs/page' }, 'ui/resourceUri': 'ui://fs/page', other: 'file:///not-touched' },
    unknown: 7,
  });
});

test('a result without URIs is the same object', () => {
  const result = { content: [{ type: 'text', text: 'x' }], _meta: { a: 1 } };
  assert.equal(rewriterFor(uris, 'fs').result(result), result);
  assert.equal(rewriterFor(UNCHANGED, 'fs').result(result), result);
});

test('items keep title, icons, annotations and schemas', () => {
  const tool = { name: 'read', title: 'Read', icons: [{ src: 'x' }], inputSchema: { type: 'object' }, _meta: { k: 1 } };
  assert.deepEqual(rewriterFor(uris, 'fs').item(tool, 'fs__read'), { ...tool, name: 'fs__read' });
});
