import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Named, nameAll, naming } from '../../src/routing/names.ts';

const two = [{ id: 'fs' }, { id: 'git' }];
const item = (backend: string, native: string): Named => ({ backend, native });
const shown = (items: readonly Named[], backends: { id: string; prefix?: string }[] = two, separator = '__') =>
  [...nameAll(items, naming(backends, separator)).shown].map(([name, { backend, native }]) => [name, backend, native]);

test('names of several backends carry their id', () => {
  assert.deepEqual(shown([item('fs', 'read'), item('git', 'log')]), [
    ['fs__read', 'fs', 'read'],
    ['git__log', 'git', 'log'],
  ]);
});

test('names of a single backend stay as they are, legal or not', () => {
  assert.deepEqual(shown([item('fs', 'a.b/c:d')], [{ id: 'fs' }]), [['a.b/c:d', 'fs', 'a.b/c:d']]);
});

test('an empty prefix leaves the names of that backend alone', () => {
  const backends = [{ id: 'fs', prefix: '' }, { id: 'git' }];
  assert.deepEqual(shown([item('fs', 'read'), item('git', 'log')], backends), [
    ['read', 'fs', 'read'],
    ['git__log', 'git', 'log'],
  ]);
});

test('the separator is honoured, and made legal', () => {
  assert.deepEqual(shown([item('fs', 'read')], two, '_'), [['fs_read', 'fs', 'read']]);
  assert.deepEqual(shown([item('fs', 'read')], two, ':'), [['fs_read', 'fs', 'read']]);
});

test('a name that is too long is shortened with a hash that never changes', () => {
  const long = 'x'.repeat(80);
  const [[name] = []] = shown([item('fs', long)]);
  assert.equal(name?.length, 64);
  assert.match(name ?? '', /^fs__x+_[0-9a-f]{8}$/);
  assert.deepEqual(shown([item('fs', long)]), shown([item('fs', long)]));
});

test('two names of one backend that become equal get a hash, the exact one keeps its name', () => {
  const names = shown([item('fs', 'a.b'), item('fs', 'a_b')]);
  assert.equal(names.length, 2);
  assert.deepEqual(names[1], ['fs__a_b', 'fs', 'a_b']);
  assert.match(names[0]?.[0] ?? '', /^fs__a_b_[0-9a-f]{8}$/);
});

test('one name of two backends is hidden in both, and said', () => {
  const backends = [
    { id: 'a', prefix: '' },
    { id: 'b', prefix: '' },
  ];
  const table = nameAll([item('a', 'run'), item('b', 'run'), item('b', 'stop')], naming(backends, '__'));
  assert.deepEqual([...table.shown.keys()], ['stop']);
  assert.deepEqual(
    table.hidden.map(({ item: { backend }, name, why }) => [backend, name, why]),
    [
      ['a', 'run', 'backends a and b both have it'],
      ['b', 'run', 'backends a and b both have it'],
    ],
  );
});

test('the classic trap of a single underscore (a + b_c, a_b + c) hides both', () => {
  const backends = [{ id: 'a' }, { id: 'a_b' }];
  const table = nameAll([item('a', 'b_c'), item('a_b', 'c')], naming(backends, '_'));
  assert.equal(table.shown.size, 0);
  assert.equal(table.hidden.length, 2);
});

test('any set of tools: names are legal, injective, and every tool is shown or said to be hidden', () => {
  const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9-]{0,10}$/);
  const native = fc.oneof(fc.string({ maxLength: 80 }), fc.stringMatching(/^[a-c._]{1,4}$/));
  fc.assert(
    fc.property(
      fc.uniqueArray(id, { minLength: 2, maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(3), native)),
      (ids, picks) => {
        const items = picks.map(([at, name]) => item(ids[at % ids.length] ?? '', name));
        const table = nameAll(
          items,
          naming(
            ids.map((one) => ({ id: one })),
            '__',
          ),
        );
        for (const name of table.shown.keys()) assert.match(name, /^[a-zA-Z0-9_-]{1,64}$/);
        assert.equal(table.shown.size + table.hidden.length, items.length);
        const targets = [...table.shown.values()].map((one) => `${one.backend}\n${one.native}`);
        assert.equal(new Set(targets).size, targets.length);
      },
    ),
    { numRuns: 500 },
  );
});

test('T05 names of two backends that differ by case alone are both hidden; those of one are its own affair', () => {
  const backends = [{ id: 'fs' }, { id: 'FS' }];
  const table = nameAll(
    [item('fs', 'read'), item('FS', 'read'), item('fs', 'Get'), item('fs', 'get')],
    naming(backends, '__'),
  );
  assert.deepEqual([...table.shown.keys()], ['fs__Get', 'fs__get']);
  assert.deepEqual(
    table.hidden.map(({ name, why }) => [name, why]),
    [
      ['fs__read', 'backends fs and FS both have it, but for upper and lower case'],
      ['FS__read', 'backends fs and FS both have it, but for upper and lower case'],
    ],
  );
});
