import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { OverlayError, type OverlayKind, openOverlay } from '../src/index.ts';
import { tempOverlay } from '../src/testing/index.ts';

test('local is taken when it is named and when nothing is, and each says why', async () => {
  await using net = await tempOverlay();
  const env = { ...net.env, HOME: net.home };
  for (const kind of ['local', undefined] as const) {
    const { overlay, chosenBecause } = await openOverlay({ env, kind });
    assert.equal(overlay.kind, 'local');
    assert.match(chosenBecause, kind ? /asked for/ : /no overlay was named/);
    assert.deepEqual(await overlay.listShares(), []);
  }
});

const MISSING = {
  zrok: ['not_enabled', /mcp-tools enable TOKEN/],
  ziti: ['identity_invalid', /mcp-tools enroll/],
} as const;

for (const [kind, [code, remedy]] of Object.entries(MISSING)) {
  test(`${kind} without what it needs says what that is`, async () => {
    await using net = await tempOverlay();
    const env = { HOME: net.home, MCP_OVERLAY_HOME: net.home };
    await assert.rejects(openOverlay({ env, kind: kind as OverlayKind }), (error) => {
      assert.ok(error instanceof OverlayError);
      assert.equal(error.code, code);
      assert.match(error.hint ?? '', remedy);
      return true;
    });
  });
}

test('an overlay of no name that we know is refused', async () => {
  await assert.rejects(openOverlay({ env: {}, kind: 'tor' as OverlayKind }), (error) => {
    assert.ok(error instanceof OverlayError);
    assert.equal(error.code, 'overlay_unavailable');
    return true;
  });
});

test('zrok files that cannot be understood stop a program that named no overlay, instead of sending it elsewhere', async () => {
  await using net = await tempOverlay();
  await mkdir(join(net.home, '.zrok2'), { recursive: true });
  await writeFile(join(net.home, '.zrok2', 'metadata.json'), '{"v":"v9"}');
  await assert.rejects(openOverlay({ env: { HOME: net.home } }), (error) => {
    assert.ok(error instanceof OverlayError);
    assert.equal(error.code, 'zrok_files_invalid');
    assert.match(error.hint ?? '', /--overlay local/);
    return true;
  });
  const { overlay } = await openOverlay({ env: net.env, kind: 'local' });
  assert.equal(overlay.kind, 'local');
});
