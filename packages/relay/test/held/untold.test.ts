import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Untold } from '../../src/held/untold.ts';
import { notificationMessage, requestMessage, resultMessage } from '../../src/index.ts';

const MiB = 1024 * 1024;
const cancelled = (id: string) => notificationMessage('notifications/cancelled', { requestId: id });

test('questions stay until they are answered or taken back; news are told once', () => {
  const untold = new Untold();
  for (const id of ['a', 'b', 'c']) untold.asked(requestMessage(`"${id}"`, 'roots/list', {}));
  untold.keep([notificationMessage('news'), cancelled('x'), resultMessage('1', {})]);
  const ids = (): (string | undefined)[] => untold.take().map(({ id, method }) => id ?? method);
  assert.deepEqual(ids(), ['news', '"a"', '"b"', '"c"']);
  assert.equal(untold.answered(resultMessage('"b"', {})), true);
  assert.equal(untold.answered(resultMessage('"b"', {})), false);
  untold.takenBack(cancelled('c'));
  assert.deepEqual(ids(), ['"a"']);
});

test('of news the latest thousand are kept, and no more than a MiB of them', () => {
  const untold = new Untold();
  for (let n = 0; n < 2000; n += 1) untold.keep([notificationMessage('news', { n })]);
  const kept = untold.take();
  assert.equal(kept.length, 1024);
  assert.match(kept[0]?.bytes.toString() ?? '', /"n":976\}/);
  for (let n = 0; n < 10; n += 1) untold.keep([notificationMessage('news', { text: 'x'.repeat(200 * 1024) })]);
  const bytes = untold.take().reduce((sum, message) => sum + message.bytes.length, 0);
  assert.ok(bytes <= MiB && bytes > 800 * 1024, `${bytes}`);
});

test('questions beyond 4 MiB are asked of one client only', () => {
  const untold = new Untold();
  const text = 'x'.repeat(1.5 * MiB);
  for (const id of ['1', '2', '3']) untold.asked(requestMessage(id, 'elicitation/create', { text }));
  assert.deepEqual(untold.unaskable(), ['3']);
  assert.deepEqual(untold.unaskable(), []);
  assert.equal(untold.answered(resultMessage('1', {})), true);
  // Its room is there again.
  untold.asked(requestMessage('4', 'elicitation/create', { text }));
  assert.deepEqual(untold.unaskable(), []);
  assert.deepEqual(
    untold.take().map(({ id }) => id),
    ['2', '4'],
  );
});
