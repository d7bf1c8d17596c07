// `mcp-gateway audit verify`, `prove` and `key` as they are run: exit codes and words.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openAuditLog } from '../../src/audit/open-audit-log.ts';
import { call, KEY } from './sample.ts';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(folder: string, ...args: readonly string[]): Promise<Ran> {
  const argv = ['--import', 'tsx', join(import.meta.dirname, '../../src/bin.ts'), 'audit', ...args];
  const env = { ...process.env, MCP_OVERLAY_HOME: join(folder, 'home') };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, argv, { env, encoding: 'utf8' }, (_, out, err) => {
      resolve({ code: child.exitCode ?? -1, out, err });
    });
  });
}

interface World {
  readonly folder: string;
  readonly config: string;
  readonly log: string;
  readonly segment: string;
  readonly head: { readonly seq: number; readonly hash: string };
}

/** A configuration, and the log that its gateway left. */
async function world(t: TestContext): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'audit-cli-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'key'), KEY, { mode: 0o600 });
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(join(folder, 'checkpoint.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const config = join(folder, 'gateway.yml');
  writeFileSync(
    config,
    `backends: [ { id: a, transport: { type: stdio, command: x } } ]
audit: { path: ./audit, key: "file:key", checkpoint: { key: "file:checkpoint.pem" } }
`,
  );
  const log = await openAuditLog({
    base: join(folder, 'audit'),
    key: KEY,
    durability: 'commit',
    checkpoint: { key: privateKey },
  });
  for (let n = 0; n < 5; n += 1) await log.append(call(n));
  await log.close();
  const { head, path } = log.state();
  return { folder, config, log: path, segment: join(path, '0000000001.jsonl'), head };
}

test('audit verify: 0 whole, with and without anchors, by configuration, folder of logs, and log', async (t) => {
  const { folder, config, log, head } = await world(t);
  const receipts = join(folder, 'receipts');
  writeFileSync(receipts, `${JSON.stringify({ log: log.split('/').at(-1), ...head, at: 'x' })}\n`);
  const [byConfig, byFolder, byLog] = await Promise.all([
    run(folder, 'verify', config, '--anchor', receipts, '--anchor', `${head.seq}:${head.hash}`),
    run(folder, 'verify', join(folder, 'audit'), '--keyring', `file:${join(folder, 'key')}`, '--json'),
    run(folder, 'verify', log, '--key', `file:${join(folder, 'key')}`, '--from', '3'),
  ]);
  assert.deepEqual([byConfig.code, byFolder.code, byLog.code], [0, 0, 0], byConfig.err + byFolder.err + byLog.err);
  assert.match(
    byConfig.out,
    /^log [0-9a-f]{32}: ok, 8 records in 1 files, the last is 8 sha256:[0-9a-f]{64}\n {2}\d anchors hold\n$/,
  );
  assert.equal(JSON.parse(byFolder.out).status, 'ok');
  assert.match(byLog.out, /ok, 8 records/);
});

test('audit verify: 1 changed, 2 torn, 3 no key, 4 nothing to read; the words name record, file and byte', async (t) => {
  const { folder, config, log, segment, head } = await world(t);
  const whole = readFileSync(segment, 'utf8');
  const lines = whole.split('\n');
  const key = `file:${join(folder, 'key')}`;
  writeFileSync(segment, whole.replace('"session":1', '"session":2'));
  const changed = await run(folder, 'verify', config);
  assert.deepEqual([changed.code, changed.err], [1, '']);
  assert.match(
    changed.out,
    new RegExp(`tampered.*\n  modified at record 3, 0000000001\\.jsonl byte ${`${lines[0]}\n${lines[1]}\n`.length}`),
  );
  writeFileSync(segment, whole.slice(0, -20));
  rmSync(join(log, 'checkpoint'));
  writeFileSync(join(folder, 'other'), 'another key of thirty-two bytes, or more', { mode: 0o600 });
  const [torn, cut, keyless, absent, unreadable, noKey] = await Promise.all([
    run(folder, 'verify', config),
    run(folder, 'verify', config, '--anchor', `${head.seq}:${head.hash}`),
    run(folder, 'verify', log, '--keyring', `file:${join(folder, 'other')}`),
    run(folder, 'verify', folder, '--keyring', key),
    run(folder, 'verify', log, '--keyring', key, '--anchor', join(folder, 'absent')),
    run(folder, 'verify', log, '--keyring', `file:${join(folder, 'absent')}`),
  ]);
  assert.equal(torn.code, 2);
  assert.match(
    torn.out,
    /torn, 7 records.*\n {2}\d+ bytes at its end are no whole record, as a crash leaves them: 0000000001\.jsonl byte \d+\n {2}nothing was compared/,
  );
  assert.equal(cut.code, 1);
  assert.match(cut.out, /truncated vs anchor at record 8/);
  assert.equal(keyless.code, 3);
  assert.match(
    keyless.out,
    /unverifiable.*\n {2}7 records from 1 on are under key k[0-9a-f]{16}, which is not known: add it with --keyring/,
  );
  assert.deepEqual([absent.code, unreadable.code, noKey.code], [4, 4, 3]);
  assert.match(absent.err, /audit_unreadable/);
  assert.match(noKey.err, /secret_missing/);
});

test('audit prove: what it prints is checked with a public key alone', async (t) => {
  const { folder, config, log } = await world(t);
  const [proof, other, none] = await Promise.all([
    run(folder, 'prove', config, '--seq', '4'),
    run(folder, 'prove', config, '--seq', '99'),
    run(folder, 'prove', config),
  ]);
  assert.equal(proof.code, 0, proof.err);
  const [, vkey = ''] = /--vkey (\S+)/.exec(proof.err) ?? [];
  const file = join(folder, 'proof');
  writeFileSync(file, proof.out);
  writeFileSync(`${file}2`, proof.out.replace('index 3', 'index 2'));
  const [checked, json, changed, keyless, byAnchor] = await Promise.all([
    run(folder, 'verify', '--proof', file, '--vkey', vkey),
    run(folder, 'verify', '--proof', file, '--vkey', vkey, '--json'),
    run(folder, 'verify', '--proof', `${file}2`, '--vkey', vkey),
    run(folder, 'verify', '--proof', file),
    run(folder, 'prove', config, '--seq', '1', '--anchor', join(log, 'checkpoint')),
  ]);
  assert.equal(checked.code, 0);
  assert.match(checked.out, /^record 4 of log [0-9a-f]{32}:\n\{"v":1,.*"seq":4,/);
  assert.equal(JSON.parse(json.out).ok, true);
  assert.deepEqual([changed.code, keyless.code, byAnchor.code], [1, 2, 0]);
  assert.match(changed.err, /its record is not in the checkpoint/);
  assert.match(other.err, /record 99 is not in its checkpoint, which ends at 8/);
  assert.equal(other.code, 4);
  // And with the program of the documentation, which is nobody's but its reader's.
  const doc = readFileSync(join(import.meta.dirname, '../../../../docs/AUDIT-FORMAT.md'), 'utf8');
  const script = join(folder, 'check.mjs');
  writeFileSync(script, /```js\n(.*?)```/s.exec(doc)?.[1] ?? '');
  const said = (proof: string): string => execFileSync(process.execPath, [script, proof, vkey], { encoding: 'utf8' });
  assert.match(said(file), /^\{"v":1,.*"seq":4,/);
  assert.equal(said(`${file}2`), 'NOT PROVEN\n');
  // As are the two lines for a shell.
  const [two = ''] = /^line=.*?\n.*?sha256sum.*?\n.*?\$line$/ms.exec(doc) ?? [];
  const segment = join(log, '0000000001.jsonl');
  const shell = two.replace(/0000000001\.jsonl/g, segment).replaceAll(/ +# is.*$/gm, '');
  const [prev, mac] = execFileSync('sh', ['-c', shell], {
    encoding: 'utf8',
    env: { ...process.env, KEY: KEY.toString() },
  }).split('\n');
  const record = JSON.parse(readFileSync(segment, 'utf8').split('\n')[2] ?? '') as { prev: string; mac: string };
  assert.equal(prev?.split(' ')[0], record.prev);
  assert.equal(mac?.split(' ').at(-1), record.mac);
  assert.match(none.err, /--seq is missing/);
});

test('audit key: the first key of keys that evolve is shown once, and verifies the log', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-cli-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const base = join(folder, 'audit');
  const config = join(folder, 'gateway.yml');
  writeFileSync(
    config,
    'backends: [ { id: a, transport: { type: stdio, command: x } } ]\naudit: { path: ./audit, forward_secure: true }\n',
  );
  const made = await run(folder, 'key', config);
  assert.equal(made.code, 0, made.err);
  assert.match(made.out, /^[0-9a-f]{64}\n$/);
  assert.match(made.err, /first key e[0-9a-f]{16} of the next log/);
  const log = await openAuditLog({ base, key: KEY, forwardSecure: true, rotate: { bytes: 1 } });
  for (let n = 0; n < 3; n += 1) await log.append(call(n));
  await log.close();
  writeFileSync(join(folder, 'first'), made.out, { mode: 0o600 });
  const [verified, again] = await Promise.all([
    run(folder, 'verify', config, '--keyring', `file:${join(folder, 'first')}`),
    run(folder, 'key', base),
  ]);
  assert.equal(verified.code, 0, verified.out + verified.err);
  assert.match(verified.out, /ok, \d+ records in 5 files/);
  assert.notEqual(again.out, made.out);
});
