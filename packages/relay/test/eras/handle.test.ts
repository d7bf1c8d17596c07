import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HANDLE_MS, Handles } from '../../src/eras/modern-on-legacy/handle.ts';

const bound = { principal: 'a', method: 'tools/call', params: { name: 'x', arguments: { n: 1 } } };

test('a handle is read by the same caller for the same request, whatever answers it brings', () => {
  const handles = new Handles();
  const { nonce, text } = handles.make(bound);
  const again = { ...bound.params, inputResponses: { q1: {} }, requestState: text, _meta: { progressToken: 3 } };
  assert.equal(handles.read(text, { ...bound, params: again }), nonce);
});

test('T08: another caller, method or argument, and another process, have no use of it', () => {
  const handles = new Handles();
  const { text } = handles.make(bound);
  assert.equal(handles.read(text, { ...bound, principal: 'b' }), undefined);
  assert.equal(handles.read(text, { ...bound, method: 'prompts/get' }), undefined);
  assert.equal(handles.read(text, { ...bound, params: { name: 'x', arguments: { n: 2 } } }), undefined);
  assert.equal(new Handles().read(text, bound), undefined);
  assert.equal(handles.read(undefined, bound), undefined);
});

test('it is of no use when its time is over', () => {
  let now = 1000;
  const handles = new Handles(() => now);
  const { nonce, text } = handles.make(bound);
  now += HANDLE_MS;
  assert.equal(handles.read(text, bound), nonce);
  now += 1;
  assert.equal(handles.read(text, bound), undefined);
});

test('T08: one character changed anywhere makes it another text', () => {
  const handles = new Handles();
  const { nonce, text } = handles.make(bound);
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom('A', 'B', '0', '-', '.'), (at, character) => {
      const changed = text.slice(0, at) + character + text.slice(at + 1);
      return changed === text || handles.read(changed, bound) === undefined;
    }),
  );
  // The last one carries bits that mean nothing.
  for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
    const changed = text.slice(0, -1) + character;
    assert.equal(handles.read(changed, bound), changed === text ? nonce : undefined);
  }
  assert.equal(handles.read(text, bound), nonce);
});
