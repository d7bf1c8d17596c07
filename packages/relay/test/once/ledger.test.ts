// The ledger against its disk: what is written is found again, what cannot be written does not run, what is dropped is
// unknown, whatever byte a process was killed at.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ledger, type LedgerOptions, ONCE_LIMITS, RelayError } from '../../src/index.ts';
import { callKey } from '../../src/once/key.ts';
import { MemoryLedgerFiles } from '../../src/testing/index.ts';

const FOLDER = '/ledger';
const A = 'aa'.repeat(16);
const B = 'bb'.repeat(16);
const answer = (text: string) => Buffer.from(`{"jsonrpc":"2.0","id":1,"result":{"text":"${text}"}}`);

function open(files: MemoryLedgerFiles, more: Partial<LedgerOptions> = {}): Promise<Ledger> {
  return Ledger.open({ folder: FOLDER, files, lives: () => false, ...more });
}

function run(ledger: Ledger, session: string, number: number, outcome: Buffer | undefined): void {
  const begun = ledger.start(callKey(session, number), 7);
  if (outcome) ledger.settle(begun, 'done', outcome, undefined);
}

const found = (ledger: Ledger, session: string, number: number): string => ledger.find(callKey(session, number), 7).is;

test('a folder that others can read is refused, ours is 0700 and its files 0600', async () => {
  const base = await mkdtemp(join(tmpdir(), 'ledger-'));
  try {
    const folder = join(base, 'open');
    await mkdir(folder, { mode: 0o755 });
    await chmod(folder, 0o755);
    await assert.rejects(
      Ledger.open({ folder }),
      (error: unknown) => error instanceof RelayError && error.code === 'ledger_folder_unsafe',
    );
    const ours = join(base, 'ours');
    const ledger = await Ledger.open({ folder: ours });
    run(ledger, A, 1, answer('a'));
    const [name = ''] = readdirSync(ours);
    assert.equal((await stat(ours)).mode & 0o777, 0o700);
    assert.equal((await stat(join(ours, name))).mode & 0o777, 0o600);
    await ledger.close();
  } finally {
    await rm(base, { recursive: true, force: true });
  }
});

test('a process that had no calls leaves no file', async () => {
  const files = new MemoryLedgerFiles();
  await (await open(files)).close();
  assert.equal(files.stored.size, 0);
});

test('a kill at any byte: what was answered is there, what began is unknown or never began', async () => {
  const files = new MemoryLedgerFiles();
  const ledger = await open(files);
  /** Length of the file after each step: a kill before it may lose it, one after it may not. */
  const [marks, size] = [[] as number[], () => [...files.stored.values()][0]?.bytes.length ?? 0];
  run(ledger, A, 1, answer('first'));
  marks.push(size());
  run(ledger, A, 2, undefined);
  marks.push(size());
  run(ledger, B, 1, answer('other'));
  marks.push(size());
  for (let at = 0; at <= size(); at += 1) {
    const next = await open(files.copy((bytes) => bytes.subarray(0, at)));
    const [first = 0, second = 0, third = 0] = marks;
    if (at >= first) assert.equal(found(next, A, 1), 'done', `${at}`);
    else assert.notEqual(found(next, A, 1), 'done', `${at}`);
    assert.equal(found(next, A, 2), at >= second ? 'unknown' : 'new', `${at}`);
    if (at >= third) assert.equal(found(next, B, 1), 'done', `${at}`);
    await next.close();
  }
});

test('one wrong byte anywhere: the outcome as it was, or unknown, never new', async () => {
  const files = new MemoryLedgerFiles();
  const ledger = await open(files);
  run(ledger, A, 1, answer('first'));
  run(ledger, A, 2, undefined);
  run(ledger, B, 9, undefined);
  run(ledger, A, 3, answer('third'));
  const size = [...files.stored.values()][0]?.bytes.length ?? 0;
  for (let at = 0; at < size; at += 1) {
    for (const flip of [0x01, 0x80, 0x2a]) {
      const next = await open(
        files.copy((bytes) => {
          bytes[at] = (bytes[at] as number) ^ flip;
          return bytes;
        }),
      );
      for (const [session, number, text] of [
        [A, 1, 'first'],
        [A, 2, undefined],
        [B, 9, undefined],
        [A, 3, 'third'],
      ] as const) {
        const is = next.find(callKey(session, number), 7);
        assert.ok(is.is === 'done' || is.is === 'unknown' || is.is === 'other', `${at}: ${session}:${number} ${is.is}`);
        if (is.is === 'done') assert.deepEqual(is.bytes, answer(text ?? ''));
      }
      await next.close();
    }
  }
});

test('a disk without room: the call is refused before it runs, and goes on by itself when there is room', async () => {
  const files = new MemoryLedgerFiles();
  const troubles: (string | undefined)[] = [];
  const ledger = await open(files, { onTrouble: (trouble) => troubles.push(trouble) });
  run(ledger, A, 1, answer('first'));
  files.room = 40;
  assert.throws(() => ledger.start(callKey(A, 2), 7), { code: 'ledger_unwritable' });
  assert.match(ledger.trouble ?? '', /ENOSPC/);
  assert.equal(found(ledger, A, 2), 'new');
  files.room = Number.POSITIVE_INFINITY;
  run(ledger, A, 2, answer('second'));
  assert.equal(ledger.trouble, undefined);
  assert.equal(troubles.length, 2);
  const next = await open(files.copy());
  assert.equal(found(next, A, 1), 'done');
  assert.equal(found(next, A, 2), 'done');
});

test('an outcome there is no room for is answered, kept in memory, and written when there is room', async () => {
  const files = new MemoryLedgerFiles();
  const ledger = await open(files);
  const begun = ledger.start(callKey(A, 1), 7);
  const told: string[] = [];
  begun.waiters.add(() => told.push('told'));
  files.room = 0;
  ledger.settle(begun, 'done', answer('first'), undefined);
  assert.deepEqual(told, ['told']);
  assert.equal(found(ledger, A, 1), 'done');
  assert.equal(found(await open(files.copy()), A, 1), 'unknown');
  files.room = Number.POSITIVE_INFINITY;
  run(ledger, A, 2, answer('second'));
  assert.equal(found(await open(files.copy()), A, 1), 'done');
});

test('every call to the disk fails once, and no key runs twice', async () => {
  for (let nth = 1; nth < 40; nth += 1) {
    const files = new MemoryLedgerFiles();
    files.before = () => {
      if (files.calls === nth) throw Object.assign(new Error('input or output'), { code: 'EIO' });
    };
    const ledger = await open(files, { durability: 'commit' });
    const ran = new Set<number>();
    for (let number = 1; number <= 6; number += 1) {
      try {
        const begun = ledger.start(callKey(A, number), 7);
        await begun.safe;
        ran.add(number);
        const over = new Promise<void>((resolve) => {
          begun.waiters.add(() => resolve());
        });
        ledger.settle(begun, 'done', answer(`${number}`), undefined);
        await over;
      } catch (error) {
        assert.equal((error as RelayError).code, 'ledger_unwritable');
      }
    }
    assert.ok(ran.size >= 5, `${nth}`);
    for (const next of [await open(files.copy()), await open(files.afterPowerLoss())]) {
      for (const number of ran) assert.notEqual(found(next, A, number), 'new', `${nth}: ${number}`);
    }
    await ledger.close();
  }
});

test('with commit a start is on the disk before it is safe, and an outcome before it is told', async () => {
  const files = new MemoryLedgerFiles();
  const ledger = await open(files, { durability: 'commit' });
  const begun = ledger.start(callKey(A, 1), 7);
  assert.equal(found(await open(files.afterPowerLoss()), A, 1), 'new');
  await begun.safe;
  assert.equal(found(await open(files.afterPowerLoss()), A, 1), 'unknown');
  const told = new Promise<void>((resolve) => {
    begun.waiters.add(() => resolve());
  });
  ledger.settle(begun, 'done', answer('first'), undefined);
  await told;
  assert.equal(found(await open(files.afterPowerLoss()), A, 1), 'done');
});

test('what is too old is dropped with its file, unknown from then on, also for the next process', async () => {
  const files = new MemoryLedgerFiles();
  let now = 1_000_000;
  const onDamage = (lines: number) => assert.fail(`${lines} lines`);
  const options = { wall: () => now, keepMs: 60_000, onDamage };
  const ledger = await open(files, options);
  run(ledger, A, 1, answer('first'));
  run(ledger, A, 2, answer('second'));
  const long = ledger.start(callKey(A, 3), 7);
  now += 120_000;
  run(ledger, B, 1, undefined);
  assert.equal(files.stored.size, 1);
  assert.equal(found(ledger, A, 1), 'unknown');
  assert.equal(found(ledger, A, 3), 'running');
  assert.equal(found(ledger, A, 4), 'new');
  const next = await open(files.copy(), options);
  assert.equal(found(next, B, 1), 'unknown');
  assert.equal(found(next, A, 1), 'unknown');
  assert.equal(found(next, A, 2), 'unknown');
  assert.equal(found(next, A, 3), 'unknown');
  assert.equal(found(next, A, 4), 'new');
  ledger.settle(long, 'done', answer('long'), undefined);
  assert.equal(found(ledger, A, 3), 'done');
});

test('it never takes more of the disk than it may, and large outcomes go first by age', async () => {
  const files = new MemoryLedgerFiles();
  const bytes = ONCE_LIMITS.minBytes;
  const ledger = await open(files, { bytes });
  const large = answer('x'.repeat(900_000));
  for (let number = 1; number <= 30; number += 1) {
    run(ledger, A, number, large);
    assert.ok(ledger.size.bytes <= bytes, `${ledger.size.bytes}`);
  }
  assert.equal(found(ledger, A, 1), 'unknown');
  assert.equal(found(ledger, A, 30), 'done');
  const tooLarge = answer('x'.repeat(bytes / ONCE_LIMITS.filesByBytes));
  run(ledger, A, 31, tooLarge);
  const is = ledger.find(callKey(A, 31), 7);
  assert.ok(is.is === 'unknown' && /larger than what is kept/.test(is.why));
});

test('a session that ended on purpose is not kept, and its numbers stay unknown', async () => {
  const files = new MemoryLedgerFiles();
  const ledger = await open(files);
  run(ledger, A, 1, answer('first'));
  ledger.end(A);
  assert.equal(found(ledger, A, 1), 'unknown');
  assert.equal(ledger.size.outcomes, 0);
  const next = await open(files.copy());
  assert.equal(next.size.outcomes, 0);
  assert.equal(found(next, A, 1), 'unknown');
});

test('a ledger whose folder or file is taken away writes nothing where nobody finds it', async () => {
  const base = await mkdtemp(join(tmpdir(), 'ledger-'));
  try {
    const folder = join(base, 'ledger');
    const ledger = await Ledger.open({ folder });
    run(ledger, A, 1, answer('first'));
    await rm(folder, { recursive: true });
    assert.equal(found(ledger, A, 2), 'new');
    assert.throws(() => ledger.start(callKey(A, 2), 7), { code: 'ledger_unwritable' });
    await mkdir(folder, { mode: 0o700 });
    assert.equal(found(ledger, A, 2), 'new');
    run(ledger, A, 2, answer('second'));
    await ledger.close();
    const next = await Ledger.open({ folder });
    assert.equal(found(next, A, 2), 'done');
    for (const name of readdirSync(folder)) await rm(join(folder, name));
    assert.equal(found(next, A, 3), 'new');
    next.start(callKey(A, 3), 7);
    for (const name of readdirSync(folder)) await rm(join(folder, name));
    assert.equal(found(next, A, 4), 'new');
    run(next, A, 4, answer('fourth'));
    const last = await Ledger.open({ folder, lives: () => false });
    assert.equal(found(last, A, 4), 'done');
    assert.equal(found(last, A, 3), 'unknown');
    assert.equal(found(last, A, 2), 'unknown');
  } finally {
    await rm(base, { recursive: true, force: true });
  }
});

test('two processes of one share read each other and write apart', async () => {
  const files = new MemoryLedgerFiles();
  const alive = new Set([true]);
  const lives = () => alive.has(true);
  const one = await open(files, { lives });
  run(one, A, 1, answer('first'));
  const two = await open(files, { lives });
  const long = one.start(callKey(A, 2), 7);
  run(two, B, 1, answer('other'));
  assert.equal(found(two, A, 1), 'done');
  assert.equal(found(one, B, 1), 'done');
  const elsewhere = two.find(callKey(A, 2), 7);
  assert.equal(elsewhere.is, 'elsewhere');
  one.settle(long, 'done', answer('long'), undefined);
  if (elsewhere.is === 'elsewhere') assert.deepEqual((await elsewhere.ended).bytes, answer('long'));
  one.start(callKey(A, 3), 7);
  const lost = two.find(callKey(A, 3), 7);
  alive.clear();
  if (lost.is === 'elsewhere') assert.equal((await lost.ended).state, 'unknown');
  assert.equal(found(two, A, 3), 'unknown');
  assert.equal(files.stored.size, 2);
});

test('one process did not run it, another began it and was killed: unknown, whichever file is read first', async () => {
  for (const laterFile of ['the one that did not run it', 'the one that was killed']) {
    const files = new MemoryLedgerFiles();
    const begin = async (at: number) => {
      const ledger = await open(files, { lives: () => true, wall: () => at });
      run(ledger, B, at, undefined);
      return ledger;
    };
    const killedFirst = laterFile === 'the one that did not run it';
    const killed = await begin(killedFirst ? 1000 : 2000);
    const ending = await begin(killedFirst ? 2000 : 1000);
    ending.notRun(ending.start(callKey(A, 5), 7), undefined);
    assert.equal(found(killed, A, 5), 'new');
    killed.start(callKey(A, 5), 7);
    let pid = 100;
    for (const stored of files.stored.values()) {
      const text = stored.bytes.toString('latin1').replace(/^mcp-once\/1 [0-9]+/, () => `mcp-once/1 ${++pid}`);
      stored.bytes = Buffer.from(text, 'latin1');
    }
    const next = await open(files, { wall: () => 3000 });
    assert.equal(found(next, A, 5), 'unknown', laterFile);
    await next.close();
  }
});

test('a moment in which no more files can be opened costs no outcome, and no key that stands in a file is new', async () => {
  const full = Object.assign(new Error('too many open files'), { code: 'EMFILE' });
  let [opens, lists] = [false, false];
  class Crowded extends MemoryLedgerFiles {
    override openToRead(path: string) {
      if (!opens) throw full;
      return super.openToRead(path);
    }
    override list(folder: string) {
      if (!lists) throw full;
      return super.list(folder);
    }
  }
  const files = new Crowded();
  lists = true;
  const before = await open(files);
  run(before, A, 1, answer('kept'));
  await before.close();
  const ledger = await open(files);
  opens = true;
  assert.equal(found(ledger, A, 1), 'done');
  run(ledger, A, 2, undefined);
  lists = false;
  run(ledger, B, 1, answer('other'));
  assert.equal(found(ledger, A, 3), 'new');
  run(ledger, A, 3, answer('next'));
  lists = true;
  assert.deepEqual(
    [1, 2, 3].map((number) => found(ledger, A, number)),
    ['done', 'running', 'done'],
  );
  assert.equal(files.stored.size, 2);
});

test('with commit: a start that fails after it was taken back says nothing of the next one under its key', async () => {
  const files = new MemoryLedgerFiles();
  let failures = 1;
  files.before = (what) => {
    if (what === 'sync' && failures-- > 0) throw Object.assign(new Error('disk'), { code: 'EIO' });
  };
  const ledger = await open(files, { durability: 'commit' });
  const takenBack = ledger.start(callKey(A, 1), 7);
  const failed = assert.rejects(takenBack.safe ?? Promise.resolve());
  // Its group is on the way to the disk: the next start is in another one.
  await Promise.resolve();
  ledger.notRun(takenBack, undefined);
  const next = ledger.start(callKey(A, 1), 7);
  await failed;
  await next.safe;
  assert.equal(found(ledger, A, 1), 'running');
  const told = new Promise((resolve) => next.waiters.add(resolve));
  ledger.settle(next, 'done', answer('a'), undefined);
  await told;
  assert.equal(found(ledger, A, 1), 'done');
});

test('floors of so many sessions that they fill a file are no trouble', async () => {
  const base = await mkdtemp(join(tmpdir(), 'ledger-'));
  try {
    const troubles: (string | undefined)[] = [];
    const onTrouble = (trouble: string | undefined) => void troubles.push(trouble);
    const ledger = await Ledger.open({ folder: join(base, 'l'), bytes: ONCE_LIMITS.minBytes, onTrouble });
    for (let number = 1; number <= 120_000; number += 1) {
      const session = (number % 15_000).toString(16).padStart(32, '0');
      run(ledger, session, number, answer('a'));
    }
    assert.deepEqual(troubles, []);
    await ledger.close();
  } finally {
    await rm(base, { recursive: true, force: true });
  }
});
