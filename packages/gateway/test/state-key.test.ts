import assert from 'node:assert/strict';
import { lstat, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { coded, tempOverlay } from '@mcp-overlay/overlay/testing';
import { StateSeal } from '../src/routing/states.ts';
import { openStateKey } from '../src/state-key.ts';

test('the key of a share outlives its gateway; two that begin at once have the same; other shares have others', async () => {
  await using temp = await tempOverlay();
  const of = (token: string | undefined, kind = 'local' as const) =>
    openStateKey({ config: { share: { token } as never }, overlay: { kind }, env: temp.env });
  const [first, second] = await Promise.all([of('box'), of('box')]);
  assert.deepEqual(first, second);
  assert.deepEqual(await of('box'), first);
  assert.notDeepEqual(await of('other'), first);
  assert.notDeepEqual(await of(undefined), await of(undefined));
  assert.equal(new StateSeal(second).open(new StateSeal(first).seal('state', 'call'), 'call'), 'state');
  const [file] = (await readdir(join(temp.home, 'tokens'))).filter((name) => name.includes('box'));
  assert.equal((await lstat(join(temp.home, 'tokens', file ?? ''))).mode & 0o777, 0o600);
});

test('a key that is none is not replaced: what it sealed would be lost without a word', async () => {
  await using temp = await tempOverlay();
  const open = () =>
    openStateKey({ config: { share: { token: 'box' } as never }, overlay: { kind: 'local' }, env: temp.env });
  await open();
  await writeFile(join(temp.home, 'tokens', 'local-box.state.json'), '{"version":1,"key":"AAAA"}');
  await assert.rejects(open(), coded('state_file_invalid'));
});
