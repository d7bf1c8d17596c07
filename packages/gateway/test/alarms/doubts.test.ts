import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OverlayError, type ShareGuard } from '@mcp-overlay/overlay';
import { noticingDoubts } from '../../src/backend/doubts.ts';

test('a changed host is noticed and refused all the same; a lost connection is no doubt about anybody', async () => {
  const noticed: string[] = [];
  const failing = (error: Error): ShareGuard => ({
    prove: async () => null,
    verify: () => Promise.reject(error),
    plain: () => Promise.reject(error),
  });
  const changed = noticingDoubts(failing(new OverlayError('host_changed', 'another')), (code) => noticed.push(code));
  await assert.rejects(changed.verify(undefined as never, null), { code: 'host_changed' });
  const downgraded = noticingDoubts(failing(new OverlayError('host_downgraded', 'plain')), (code) =>
    noticed.push(code),
  );
  await assert.rejects(downgraded.plain(), { code: 'host_downgraded' });
  const lost = noticingDoubts(failing(new OverlayError('dial_timeout', 'late')), (code) => noticed.push(code));
  await assert.rejects(lost.verify(undefined as never, null), { code: 'dial_timeout' });
  assert.deepEqual(noticed, ['host_changed', 'host_downgraded']);
  assert.equal(changed.tell, undefined);
});
