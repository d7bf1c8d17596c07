// The way to the disk: batches, faults at every call, and what a call is told when its record cannot be written.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { basename, join } from 'node:path';
import { mock, test } from 'node:test';
import type { AuditReceipt } from '../../src/audit/audit-log.ts';
import type { AuditError } from '../../src/audit/errors.ts';
import { AUDIT_LIMITS } from '../../src/audit/limits.ts';
import { parseCheckpoint } from '../../src/audit/note.ts';
import { segmentName } from '../../src/audit/record.ts';
import type { OnFailure } from '../../src/audit/writer.ts';
import { MemoryFiles, type Operation } from '../../src/testing/memory-files.ts';
import { call, KEY, type OpenSample, openSample, splitLines, verify } from './sample.ts';

const code = (wanted: string) => (error: AuditError) => error.code === wanted;
const isSegment = (path: string): boolean => path.includes('.jsonl');

function recordsOf(files: MemoryFiles, folder: string, seg = 1): Record<string, unknown>[] {
  return splitLines(files.get(join(folder, segmentName(seg)))).map((line) => JSON.parse(line.toString()));
}

/** Those that were acknowledged stand in the log as their receipts say. */
async function assertKept(
  files: MemoryFiles,
  { log }: OpenSample,
  receipts: readonly (AuditReceipt | undefined)[],
): Promise<void> {
  const anchors = receipts.flatMap((one) =>
    one ? [{ log: one.log, seq: one.seq, hash: one.hash.slice(7), from: 'r' }] : [],
  );
  const verdict = await verify(files, { id: log.id, key: KEY }, { anchors });
  assert.ok(verdict.status === 'ok' || verdict.status === 'torn', `${verdict.status} ${JSON.stringify(verdict.first)}`);
  assert.equal(verdict.anchors, anchors.length);
}

test('what comes while the disk is busy is written together', async () => {
  let syncs = 0;
  const files = new MemoryFiles({
    fail: (operation, path) => {
      if (operation === 'sync' && isSegment(path)) syncs += 1;
      return undefined;
    },
  });
  const sample = await openSample({ files });
  syncs = 0;
  const receipts = await Promise.all(Array.from({ length: 500 }, (_, n) => sample.log.append(call(n))));
  assert.ok(syncs <= 2, `${syncs} syncs`);
  assert.deepEqual(
    receipts.map((receipt) => receipt?.seq),
    Array.from({ length: 500 }, (_, n) => n + 3),
  );
  await assertKept(files, sample, receipts);
  await sample.log.close();
});

test('T17: short writes are gone on with, at every length', async () => {
  for (let taken = 1; taken < 40; taken += 3) {
    const files = new MemoryFiles({ take: (path) => (isSegment(path) ? taken : 1e9) });
    const sample = await openSample({ files });
    await assertKept(files, sample, [await sample.log.append(call(1))]);
    await sample.log.close();
  }
  const files = new MemoryFiles();
  const sample = await openSample({ files });
  files.options = { take: (path) => (isSegment(path) ? 0 : 1e9) };
  await assert.rejects(sample.log.append(call(1)), code('audit_unwritable'));
  files.options = {};
  await sample.log.close();
});

/** Runs some calls with one operation failing at its nth time; gives what was acknowledged. */
async function runWithFault(
  operation: Operation,
  nth: number,
  errno: string,
  options: Parameters<typeof openSample>[0] & { readonly lasting?: number },
): Promise<
  { hit: boolean; files: MemoryFiles; sample: OpenSample; receipts: AuditReceipt[]; refused: number } | undefined
> {
  let count = 0;
  let hit = false;
  const { lasting = 1, ...rest } = options;
  const files = new MemoryFiles({
    fail: (what, path) => {
      if (what !== operation || path.endsWith('ballast')) return undefined;
      count += 1;
      const now = count >= nth && count < nth + lasting;
      hit ||= now;
      return now ? errno : undefined;
    },
  });
  let sample: OpenSample;
  try {
    sample = await openSample({ files, rotate: { bytes: 4000 }, ...rest });
  } catch {
    // It could not even begin: nothing was acknowledged.
    return hit ? { hit, files, sample: undefined as never, receipts: [], refused: 0 } : undefined;
  }
  const receipts: AuditReceipt[] = [];
  let refused = 0;
  for (let n = 0; n < 12; n += 1) {
    const receipt = await sample.log.append(call(n)).catch(() => undefined);
    if (receipt) receipts.push(receipt);
    else refused += 1;
  }
  await sample.log.close().catch(() => {});
  return { hit, files, sample, receipts, refused };
}

const OPERATIONS: readonly Operation[] = [
  'create',
  'write',
  'sync',
  'truncate',
  'rename',
  'unlink',
  'syncFolder',
  'read',
  'open',
];

for (const durability of ['commit', 'interval', 'os'] as const) {
  test(`T17: a disk that fails once, at any call, loses nothing that was acknowledged (${durability})`, async () => {
    for (const operation of OPERATIONS) {
      for (const errno of ['EIO', 'ENOSPC']) {
        for (let nth = 1; ; nth += 1) {
          const run = await runWithFault(operation, nth, errno, { durability });
          if (!run?.hit) break;
          const what = `${operation} ${nth} ${errno}`;
          if (run.receipts.length === 0) continue;
          await assertKept(run.files, run.sample, run.receipts).catch((error) =>
            assert.fail(`${what}: ${error.message}`),
          );
          // A fault that is over by the next try is nobody's concern.
          assert.equal(run.refused, 0, what);
          // And what is on the disk after a loss of power holds all of it, where that was promised.
          if (durability === 'commit') {
            await assertKept(run.files.afterPowerLoss(), run.sample, run.receipts).catch((error) =>
              assert.fail(`${what}, power: ${error.message}`),
            );
          }
        }
      }
    }
  });
}

test('T17: a disk that fails for a while refuses calls, and then goes on by itself', async () => {
  for (const operation of ['write', 'sync', 'create'] as const) {
    for (const errno of ['EIO', 'ENOSPC']) {
      for (let nth = 1; ; nth += 1) {
        const run = await runWithFault(operation, nth, errno, { lasting: 6 });
        if (!run?.hit) break;
        if (run.receipts.length === 0) continue;
        await assertKept(run.files, run.sample, run.receipts);
        await assertKept(run.files.afterPowerLoss(), run.sample, run.receipts);
        const again = await openSample({ files: run.files.afterPowerLoss() });
        await again.log.close();
      }
    }
  }
});

test('T17: after a failed sync the file is not believed any more: it is written anew', async () => {
  const files = new MemoryFiles();
  const sample = await openSample({ files });
  const before = await sample.log.append(call(1));
  let syncs = 0;
  files.options = {
    fail: (operation, path) => {
      if (operation !== 'sync' || !isSegment(path)) return undefined;
      syncs += 1;
      return syncs === 1 ? 'EIO' : undefined;
    },
  };
  const after = await sample.log.append(call(2));
  assert.ok(before && after);
  await assertKept(files.afterPowerLoss(), sample, [before, after]);
  assert.deepEqual(
    recordsOf(files, sample.folder)
      .slice(-2)
      .map(({ type }) => type),
    ['log.resumed', 'call.intent'],
  );
  await sample.log.close();
});

test('T17: what was written and cannot be read back is not gone on from', async () => {
  const files = new MemoryFiles();
  const sample = await openSample({ files });
  await sample.log.append(call(1));
  const path = join(sample.folder, segmentName(1));
  const good = files.get(path);
  const lost = (bytes: Buffer): void => {
    let syncs = 0;
    files.options = {
      fail: (operation, at) => {
        if (operation !== 'sync' || !isSegment(at)) return undefined;
        syncs += 1;
        if (syncs === 1) (files.get(path) as Buffer).set(bytes.subarray(0, good.length));
        return syncs === 1 ? 'EIO' : undefined;
      },
    };
  };
  lost(Buffer.alloc(good.length));
  await assert.rejects(sample.log.append(call(2)), code('audit_unwritable'));
  await assert.rejects(sample.log.append(call(3)), code('audit_unwritable'));
  await assert.rejects(sample.log.close(), code('audit_unwritable'));
});

/** Full: nothing can be written but into room that is given back. */
async function fill(sample: OpenSample): Promise<() => void> {
  let free = 0;
  const { files } = sample;
  files.options = {
    fail: (operation, path) => {
      if (operation === 'unlink' && path.endsWith('ballast')) free += AUDIT_LIMITS.ballastBytes;
      if (operation !== 'write') return undefined;
      if (path.endsWith('ballast')) return 'ENOSPC';
      if (free < 1000) return 'ENOSPC';
      free -= 1000;
      return undefined;
    },
  };
  return () => {
    files.options = {};
  };
}

test('T17: a full disk refuses calls, says so in the log with the room it kept, and goes on when there is room', async () => {
  const told: (string | undefined)[] = [];
  const files = new MemoryFiles();
  const sample = await openSample({ files, onTrouble: (trouble) => told.push(trouble) });
  await sample.log.append(call(1));
  const empty = await fill(sample);
  await assert.rejects(sample.log.append(call(2)), (error: AuditError) => {
    return error.code === 'audit_unwritable' && /ENOSPC/.test(error.message) && /make room/.test(error.hint ?? '');
  });
  assert.match(sample.log.state().trouble ?? '', /ENOSPC/);
  await assert.rejects(sample.log.append(call(3)), code('audit_unwritable'));
  assert.equal(recordsOf(files, sample.folder).at(-1)?.type, 'log.degraded');
  empty();
  const receipt = await sample.log.append(call(4));
  const resumed = recordsOf(files, sample.folder).at(-2);
  assert.deepEqual([resumed?.type, resumed?.code, resumed?.refused, resumed?.lost], ['log.resumed', 'ENOSPC', 2, 0]);
  assert.equal(sample.log.state().trouble, undefined);
  assert.equal(told.at(-1), undefined);
  assert.match(told[0] ?? '', /^it cannot be written since .* \(ENOSPC\)$/);
  await assertKept(files, sample, [receipt]);
  await sample.log.close();
});

async function inTrouble(onFailure: OnFailure): Promise<{ sample: OpenSample; over: () => void }> {
  const sample = await openSample({ onFailure });
  sample.files.options = { fail: (operation) => (operation === 'write' ? 'EIO' : undefined) };
  return {
    sample,
    over: () => {
      sample.files.options = {};
    },
  };
}

test('on_failure: allow lets calls go on without a record, and says later how many', async () => {
  const { sample, over } = await inTrouble('allow');
  for (let n = 0; n < 5; n += 1) assert.equal(await sample.log.append(call(n)), undefined);
  over();
  // The first ones after it are still let go; their records are tried all the same.
  while ((await sample.log.append(call(9))) === undefined) await new Promise((resolve) => setImmediate(resolve));
  const records = recordsOf(sample.files, sample.folder);
  // Five, and those that came while it was found out that the disk works again.
  assert.ok((records.find(({ type }) => type === 'log.resumed')?.lost as number) >= 5);
  assert.equal((await verify(sample.files, { id: sample.log.id, key: KEY })).status, 'ok');
  await sample.log.close();
});

test('on_failure: buffer remembers so many, writes them later in order, and refuses what is too much', async () => {
  const { sample, over } = await inTrouble({ buffer: 3 });
  const answers = await Promise.allSettled(Array.from({ length: 5 }, (_, n) => sample.log.append(call(n))));
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'],
  );
  await assert.rejects(sample.log.append(call(6)), code('audit_unwritable'));
  over();
  await sample.log.close();
  const types = recordsOf(sample.files, sample.folder).map(({ type }) => type);
  assert.deepEqual(types.slice(2), ['log.resumed', 'call.intent', 'call.intent', 'call.intent', 'log.close']);
  assert.equal((await verify(sample.files, { id: sample.log.id, key: KEY })).status, 'ok');
});

test('a log that cannot be written at its end says so', async () => {
  for (const onFailure of ['deny', 'allow'] as const) {
    const { sample } = await inTrouble(onFailure);
    await assert.rejects(sample.log.close(), code('audit_unwritable'));
    await assert.rejects(sample.log.close(), code('audit_unwritable'), 'whoever asks again hears the same');
  }
});

test('audit_closed: nothing is recorded after the end', async () => {
  const sample = await openSample();
  await sample.log.close();
  await sample.log.close();
  await assert.rejects(sample.log.append(call(1)), code('audit_closed'));
});

test('audit_busy: a disk that hangs does not fill the memory', async () => {
  const sample = await openSample();
  const { files } = sample;
  let release = (): void => {};
  const hang = new Promise<void>((resolve) => {
    release = resolve;
  });
  // The first write waits, everything else queues behind it.
  files.options = { hang: (operation, path) => (operation === 'write' && isSegment(path) ? hang : undefined) };
  const first = sample.log.append(call(0));
  await new Promise((resolve) => setImmediate(resolve));
  const many = Array.from({ length: AUDIT_LIMITS.waiting - 1 }, () =>
    sample.log.append({ type: 'auth.deny', code: 'x' }),
  );
  await assert.rejects(sample.log.append(call(1)), code('audit_busy'));
  files.options = {};
  release();
  await first;
  await Promise.all(many);
  await sample.log.close();
});

test('durability: interval syncs a moment later, a failed one makes the file anew with the same receipts', async () => {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const sample = await openSample({ durability: 'interval', intervalMs: 50 });
    const { files, log } = sample;
    const receipt = await log.append(call(1));
    let syncs = 0;
    const synced = new Promise<void>((resolve) => {
      files.options = {
        fail: (operation, path) => {
          if (operation !== 'sync' || !isSegment(path)) return undefined;
          syncs += 1;
          if (syncs === 3) resolve();
          return syncs === 1 ? 'EIO' : undefined;
        },
      };
    });
    mock.timers.tick(50);
    // One that fails, that of the new file, and that of the record about it.
    await synced;
    await log.append(call(2));
    await assertKept(files.afterPowerLoss(), sample, [receipt]);
    await log.close();
  } finally {
    mock.timers.reset();
  }
});

test('a record is written every five minutes though nothing happens, and a log in trouble is tried again', async () => {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const sample = await openSample();
    mock.timers.tick(AUDIT_LIMITS.heartbeatMs);
    await sample.log.append(call(1));
    assert.deepEqual(
      recordsOf(sample.files, sample.folder)
        .map(({ type }) => type)
        .slice(2),
      ['heartbeat', 'call.intent'],
    );
    sample.files.options = { fail: (operation) => (operation === 'write' ? 'EIO' : undefined) };
    await assert.rejects(sample.log.append(call(2)));
    mock.timers.tick(AUDIT_LIMITS.heartbeatMs);
    sample.files.options = {};
    mock.timers.tick(AUDIT_LIMITS.retryMs);
    await sample.log.append(call(3));
    assert.equal(sample.log.state().trouble, undefined);
    await sample.log.close();
  } finally {
    mock.timers.reset();
  }
});

test('a segment ends when it is full or old, sealed on the disk whatever the durability', async () => {
  let mono = 1000;
  const clock = { boot: 'b', wall: () => 1_700_000_000_000 + mono, mono: () => mono };
  const sample = await openSample({ durability: 'os', clock, rotate: { ms: 10_000 } });
  await sample.log.append(call(1));
  mono += 9_000;
  await sample.log.append(call(2));
  mono += 2_000;
  await sample.log.append(call(3));
  const first = recordsOf(sample.files, sample.folder).at(-1) as {
    count: number;
    first: object;
    last: object;
    root: string;
  };
  assert.equal(first.count, 4);
  assert.deepEqual(
    [first.first, first.last],
    [
      { seq: 1, ts: '2023-11-14T22:13:21.000Z' },
      { seq: 4, ts: '2023-11-14T22:13:30.000Z' },
    ],
  );
  const second = recordsOf(sample.files, sample.folder, 2)[0] as { after: Record<string, unknown>; peaks: string[] };
  assert.deepEqual([second.after.seg, second.after.seq, second.peaks.length], [1, 5, 2]);
  assert.equal(sample.files.afterPowerLoss().get(join(sample.folder, segmentName(1))).length > 0, true);
  await sample.log.close();
  // Its age goes on over a restart, unless the machine was restarted too.
  const again = await openSample({ files: sample.files, durability: 'os', clock, rotate: { ms: 10_000 } });
  mono += 11_000;
  await again.log.append(call(4));
  assert.ok(again.files.paths().some((path) => basename(path) === segmentName(3)));
  await again.log.close();
  const rebooted = await openSample({ files: sample.files, clock: { ...clock, boot: 'c', mono: () => 5 } });
  await rebooted.log.close();
  assert.equal((await verify(sample.files, { id: sample.log.id, key: KEY })).status, 'ok');
});

test('T37: a wall clock that jumps is recorded beside one that does not; order and age do not depend on it', async () => {
  let mono = 1000;
  let wall = 1_700_000_000_000;
  const clock = { boot: 'b', wall: () => wall, mono: () => mono };
  const sample = await openSample({ clock, rotate: { ms: 60_000 } });
  for (const jump of [0, -86_400_000, 3_600_000, -3_600_000, 400 * 86_400_000, Number.MAX_SAFE_INTEGER, -2e16]) {
    wall += jump;
    mono += 1000;
    await sample.log.append(call(1));
  }
  const records = recordsOf(sample.files, sample.folder) as { mono: number; ts: string; boot: string }[];
  assert.ok(records.every(({ mono: at, boot }, index) => boot === 'b' && at >= (records[index - 1]?.mono ?? 0)));
  await sample.log.close();
  const verdict = await verify(sample.files, { id: sample.log.id, key: KEY });
  assert.deepEqual([verdict.status, verdict.segments, verdict.clockBack], ['ok', 1, 3]);
});

test('checkpoints are written at seals, every so often, and at the end, of what is on the disk', async () => {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    for (const durability of ['commit', 'os'] as const) {
      const { privateKey: key } = generateKeyPairSync('ed25519');
      const sample = await openSample({ durability, checkpoint: { key, everyMs: 60_000 }, rotate: { bytes: 3000 } });
      const { files, folder, log } = sample;
      const size = (): number | undefined => {
        const path = join(folder, 'checkpoint');
        return files.paths().includes(path) ? parseCheckpoint(files.get(path).toString())?.size : undefined;
      };
      assert.equal(size(), undefined);
      mock.timers.tick(60_000);
      await log.append(call(1));
      await log.append(call(2));
      const early = size() ?? 0;
      assert.ok(early > 0, durability);
      for (let n = 0; n < 10; n += 1) await log.append(call(n));
      assert.ok((size() ?? 0) > early);
      // One that cannot be written is no trouble of the log.
      files.options = {
        fail: (operation, path) => (operation === 'create' && path.includes('checkpoint') ? 'EIO' : undefined),
      };
      mock.timers.tick(60_000);
      await log.append(call(3));
      files.options = {};
      await log.close();
      assert.equal(size(), log.state().head.seq);
    }
  } finally {
    mock.timers.reset();
  }
});
