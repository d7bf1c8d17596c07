// Ids of clients that follow one another: what was given out comes back, what a server makes up is nobody's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientIds } from '../../src/held/client-ids.ts';

test('an id of a later client comes back as it was, one of an earlier client is nobody’s', () => {
  const ids = new ClientIds();
  const first = ids.up('1');
  assert.equal(ids.down(first), '1');
  ids.next();
  assert.equal(ids.down(first), undefined);
  for (const id of ['1', '-2.5', '9007199254740993', '"a\\nb"', '""']) assert.equal(ids.down(ids.up(id)), id);
});

test('what a server makes up out of the mark of a client is no id of anybody', () => {
  const ids = new ClientIds();
  ids.next();
  const mark = (JSON.parse(ids.up('1')) as string).slice(0, -1);
  for (const rest of ['', '{', '[1]', '"', '1 2', '1\n', '"a"\n', 'x', '{"a":1}', 'null'])
    assert.equal(ids.down(JSON.stringify(mark + rest)), undefined, JSON.stringify(rest));
});
