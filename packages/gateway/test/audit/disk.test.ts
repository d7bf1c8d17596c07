// On a real disk: modes, locks, a file system that is full, fsync that fails.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { AuditReceipt } from '../../src/audit/audit-log.ts';
import { systemCode } from '../../src/audit/errors.ts';
import { diskFiles, readWhole, writeWhole } from '../../src/audit/files.ts';
import { logsIn } from '../../src/audit/folder.ts';
import { KeyRing } from '../../src/audit/keys.ts';
import { eachLine } from '../../src/audit/lines.ts';
import { hasWriter, lockLog } from '../../src/audit/lock.ts';
import { openAuditLog } from '../../src/audit/open-audit-log.ts';
import { type Verdict, verifyLog } from '../../src/audit/verify/verify.ts';
import { call, KEY } from './sample.ts';

function tempFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function verifyOnly(base: string, receipts: readonly AuditReceipt[]): Promise<Verdict> {
  const [log = ''] = await logsIn(base, diskFiles);
  const anchors = receipts.map((one) => ({ log, seq: one.seq, hash: one.hash.slice(7), from: 'r' }));
  return verifyLog({ folder: join(base, log), log, ring: new KeyRing([KEY]), files: diskFiles, anchors });
}

test('folders are 0700 and files 0600, whatever the umask', async (t) => {
  const base = join(tempFolder(t), 'a/b');
  const umask = process.umask(0);
  try {
    const log = await openAuditLog({ base, key: KEY, durability: 'commit' });
    const receipt = await log.append(call(1));
    assert.equal(log.state().durability, 'commit');
    const { path } = log.state();
    for (const folder of [base, path]) assert.equal(statSync(folder).mode & 0o777, 0o700);
    for (const name of readdirSync(path)) assert.equal(statSync(join(path, name)).mode & 0o777, 0o600, name);
    assert.ok(readdirSync(path).includes('ballast'));
    assert.equal((await verifyOnly(base, receipt ? [receipt] : [])).live, true);
    await log.close();
    assert.deepEqual(readdirSync(path).sort(), ['0000000001.jsonl', 'keys.json']);
  } finally {
    process.umask(umask);
  }
});

test('audit_folder_unsafe: one that others can read is refused', async (t) => {
  const base = tempFolder(t);
  chmodSync(base, 0o755);
  await assert.rejects(openAuditLog({ base, key: KEY }), { code: 'audit_folder_unsafe' });
  await assert.rejects(
    openAuditLog({
      base: join(base, 'file/x'),
      key: KEY,
      files: {
        ...diskFiles,
        makeFolder: async () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTDIR' })),
      },
    }),
    {
      code: 'audit_folder_unsafe',
    },
  );
  writeFileSync(join(base, 'file'), '');
  await assert.rejects(openAuditLog({ base: join(base, 'file'), key: KEY }), { code: 'audit_folder_unsafe' });
});

test('a link in place of a segment is not written through', async (t) => {
  const base = join(tempFolder(t), 'log');
  const log = await openAuditLog({ base, key: KEY });
  await log.close();
  const path = join(log.state().path, '0000000001.jsonl');
  const target = join(base, 'elsewhere');
  writeFileSync(target, readFileSync(path), { mode: 0o600 });
  rmSync(path);
  symlinkSync(target, path);
  await assert.rejects(openAuditLog({ base, key: KEY }), { code: 'ELOOP' });
});

test('audit_in_use: one process writes a log, whichever way it is asked', async (t) => {
  const folder = tempFolder(t);
  const lock = await lockLog(folder, diskFiles);
  await assert.rejects(lockLog(folder, diskFiles), { code: 'audit_in_use' });
  assert.equal(await hasWriter(folder, diskFiles), true);
  await lock[Symbol.asyncDispose]();
  assert.equal(await hasWriter(folder, diskFiles), false);
  // Of another network namespace its socket is not seen, but its process is.
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log(1)'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
  const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  writeFileSync(join(folder, 'writer'), `${child.pid} ${start}\n`);
  await assert.rejects(lockLog(folder, diskFiles), { code: 'audit_in_use', message: new RegExp(`${child.pid}`) });
  child.kill('SIGKILL');
  await once(child, 'exit');
  // Whoever has its number now is somebody else.
  writeFileSync(join(folder, 'writer'), `${process.ppid} 1\n`);
  await (await lockLog(folder, diskFiles))[Symbol.asyncDispose]();
});

test('audit_in_use: where there are no abstract sockets, a socket in the folder', async (t) => {
  const folder = tempFolder(t);
  const lock = await lockLog(folder, diskFiles, 'darwin');
  await assert.rejects(lockLog(folder, diskFiles, 'darwin'), { code: 'audit_in_use' });
  await lock[Symbol.asyncDispose]();
  await (await lockLog(folder, diskFiles, 'darwin'))[Symbol.asyncDispose]();
  await assert.rejects(lockLog(join(folder, 'absent'), diskFiles, 'darwin'), { code: 'state_folder_unsafe' });
  await assert.rejects(lockLog(join(folder, 'absent'), diskFiles), { code: 'ENOENT' });
});

test('small files are put in place whole, and read up to a cap', async (t) => {
  const path = join(tempFolder(t), 'x');
  assert.equal(await readWhole(diskFiles, path, 10), undefined);
  await writeWhole(diskFiles, path, 'one');
  await writeWhole(diskFiles, path, 'two and more');
  assert.equal((await readWhole(diskFiles, path, 3))?.toString(), 'two');
  assert.equal((await readWhole(diskFiles, path, 100))?.toString(), 'two and more');
  await assert.rejects(readWhole(diskFiles, join(path, 'y'), 1), { code: 'ENOTDIR' });
  await assert.rejects(logsIn(path, diskFiles), { code: 'ENOTDIR' });
  assert.deepEqual(await logsIn(`${path}-absent`, diskFiles), []);
  await assert.rejects(diskFiles.makeFolder(join(path, 'z')), { code: 'EEXIST' });
  await assert.rejects(diskFiles.makeFolder(join(path, '..', 'n'.repeat(300))), { code: 'ENAMETOOLONG' });
  assert.equal(systemCode(undefined), '?');
});

test('lines are found wherever blocks end, and longer ones are cut to what tells that they are', async (t) => {
  const path = join(tempFolder(t), 'x');
  const lengths = [0, 1, 200, 16_384, 16_385, 70_000, 256 * 1024 - 3, 300_000, 5, 600_000, 12];
  writeFileSync(path, `${lengths.map((length) => 'x'.repeat(length)).join('\n')}`);
  const file = await diskFiles.openToRead(path);
  const seen: number[] = [];
  const ends: number[] = [];
  await eachLine(file, 0, ({ bytes, offset, end, terminated }) => {
    seen.push(bytes.length);
    ends.push(end - offset - (terminated ? 1 : 0));
    return true;
  });
  assert.deepEqual(ends, lengths);
  assert.deepEqual(
    seen,
    lengths.map((length) => Math.min(length, 16_385)),
  );
  await file.close();
});

test('T17: a real file system that is full', async (t) => {
  const mount = tempFolder(t);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2500k,mode=0700', 'tmpfs', mount], { stdio: 'ignore' });
  } catch {
    t.skip('no file system can be mounted here: this is checked with one in memory only');
    return;
  }
  try {
    const base = join(mount, 'log');
    const log = await openAuditLog({ base, key: KEY, durability: 'commit', arguments: 'clear' });
    const receipts: AuditReceipt[] = [];
    // Odd sizes, so that the disk fills up at any byte of a record.
    writeFileSync(join(mount, 'filler'), Buffer.alloc(1_000_001));
    let refusal: unknown;
    for (let n = 0; refusal === undefined && n < 100_000; n += 1) {
      await log.append(call(n, { text: 'x'.repeat((n * 131) % 1500) })).then(
        (receipt) => receipt && receipts.push(receipt),
        (error) => {
          refusal = error;
        },
      );
    }
    assert.equal((refusal as { code: string }).code, 'audit_unwritable');
    assert.match(log.state().trouble ?? '', /ENOSPC/);
    assert.ok(receipts.length > 100);
    const full = await verifyOnly(base, receipts);
    assert.deepEqual([full.status, full.anchors], ['ok', receipts.length]);
    assert.match(
      readFileSync(join(log.state().path, '0000000001.jsonl'), 'utf8').trimEnd().split('\n').at(-1) ?? '',
      /"log\.degraded","code":"ENOSPC"/,
    );
    rmSync(join(mount, 'filler'));
    const after = await log.append(call(1));
    assert.ok(after);
    await log.close();
    assert.equal((await verifyOnly(base, [...receipts, after])).status, 'ok');
  } finally {
    execFileSync('umount', [mount]);
  }
});

test('T17: a kernel that reports a failed fdatasync once', async (t) => {
  const folder = tempFolder(t);
  try {
    execFileSync('strace', ['-o', '/dev/null', '-e', 'trace=none', 'true'], { stdio: 'ignore' });
  } catch {
    t.skip('no strace, or it may not trace: this is checked with files in memory only');
    return;
  }
  mkdirSync(join(folder, 'x'));
  const base = join(folder, 'log');
  const program = join(import.meta.dirname, 'writer-process.ts');
  const inject = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', 'inject=fdatasync:error=EIO:when=9+7'];
  const child = spawn(
    'strace',
    [...inject, process.execPath, '--import', 'tsx', program, base, 'commit', KEY.toString(), '60'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let said = '';
  child.stdout.on('data', (text: Buffer) => {
    said += text.toString('latin1');
  });
  await once(child, 'close');
  const receipts = said
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [seq = '', hash = ''] = line.split(' ');
      return { log: '', seq: Number(seq), hash: `sha256:${hash}` };
    });
  assert.ok(receipts.length > 100, `${receipts.length}`);
  const { status, anchors } = await verifyOnly(base, receipts);
  assert.deepEqual([status, anchors], ['ok', receipts.length]);
  const [log = ''] = await logsIn(base, diskFiles);
  const names = readdirSync(join(base, log)).filter((name) => name.endsWith('.jsonl'));
  const text = names.map((name) => readFileSync(join(base, log, name), 'utf8')).join('');
  assert.match(text, /"log\.resumed","code":"EIO"/);
});

test('T17: a log that is removed or moved away while it is written is made anew in its place, or nothing passes', async (t) => {
  const base = tempFolder(t);
  const log = await openAuditLog({ base, key: KEY, durability: 'os' });
  const receipts = [await log.append(call(1))];
  const { path } = log.state();
  const segment = join(path, '0000000001.jsonl');

  rmSync(segment);
  receipts.push(await log.append(call(2)));
  renameSync(segment, join(base, 'carried-off'));
  receipts.push(await log.append(call(3)));
  // Yesterday's copy does not take its place either.
  writeFileSync(join(path, 'old'), readFileSync(segment).subarray(0, 100));
  renameSync(join(path, 'old'), segment);
  receipts.push(await log.append(call(4)));
  const kept = receipts.filter((one) => one !== undefined);
  assert.equal((await verifyOnly(base, kept)).status, 'ok');
  assert.equal(statSync(segment).mode & 0o777, 0o600);

  renameSync(path, join(base, 'away'));
  await assert.rejects(log.append(call(5)), { code: 'audit_unwritable' });
  await assert.rejects(log.append(call(6)), { code: 'audit_unwritable' });
  assert.match(log.state().trouble ?? '', /ENOENT/);
  renameSync(join(base, 'away'), path);
  const last = await log.append(call(7));
  assert.ok(last);
  await log.close();
  assert.equal((await verifyOnly(base, [...kept, last])).status, 'ok');
});
