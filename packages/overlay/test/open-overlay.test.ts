import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OverlayError, openOverlay } from '../src/index.ts';
import { tempOverlay } from '../src/testing/index.ts';

test('local is taken when it is named and when nothing is, and each says why', async () => {
  await using net = await tempOverlay();
  for (const kind of ['local', undefined] as const) {
    const { overlay, chosenBecause } = await openOverlay({ env: net.env, kind });
    assert.equal(overlay.kind, 'local');
    assert.match(chosenBecause, kind ? /asked for/ : /no overlay was named/);
    assert.deepEqual(await overlay.listShares(), []);
  }
});

for (const kind of ['zrok', 'ziti'] as const) {
  test(`${kind} says that it is not available yet, and what is`, async () => {
    await assert.rejects(openOverlay({ env: {}, kind }), (error) => {
      assert.ok(error instanceof OverlayError);
      assert.equal(error.code, 'overlay_unavailable');
      assert.match(error.message, new RegExp(`the ${kind} overlay`));
      assert.match(error.hint ?? '', /--overlay local/);
      return true;
    });
  });
}
