// Ids never meet those in use or those of the router.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConnIds, FIRST_ROUTER_ID } from '../../src/edge/sequence.ts';

const none = (): boolean => false;

test('ids begin at 1 and count up', () => {
  const ids = new ConnIds();
  assert.deepEqual([ids.next(none), ids.next(none), ids.next(none)], [1, 2, 3]);
});

test('after 2^31-2 they begin again at 1, below those of the router', () => {
  const ids = new ConnIds(FIRST_ROUTER_ID - 2);
  assert.equal(ids.next(none), 2 ** 31 - 2);
  assert.equal(ids.next(none), 1);
});

test('an id in use is skipped, wherever counting stands', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: FIRST_ROUTER_ID - 40, max: FIRST_ROUTER_ID - 1 })),
      fc.uniqueArray(fc.integer({ min: 1, max: 30 })),
      fc.uniqueArray(fc.integer({ min: FIRST_ROUTER_ID - 30, max: FIRST_ROUTER_ID - 1 })),
      (last, low, high) => {
        const used = new Set([...low, ...high]);
        const ids = new ConnIds(last);
        for (let n = 0; n < 100; n += 1) {
          const id = ids.next((one) => used.has(one));
          assert.ok(id >= 1 && id < FIRST_ROUTER_ID);
          assert.ok(!used.has(id));
          used.add(id);
        }
      },
    ),
  );
});
