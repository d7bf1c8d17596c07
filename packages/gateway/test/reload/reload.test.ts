// What a reload does to those who are in, and what it refuses: a gateway with an overlay and real servers.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Applied, Rejected, ReloadOutcome } from '../../src/reload/outcome.ts';
import { ISSUER, running } from './running.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
const server = (id: string, ...tools: readonly string[]): string =>
  `  - { id: ${id}, transport: { type: stdio, command: "${process.execPath}", args: ["${fixture('named-server.mjs')}", ${tools.join(', ')}] } }\n`;
const FILES = `backends:\n${server('files', 'read_file', 'write_file')}`;
const bob = { sub: 'bob', groups: ['staff'] };
const applied = (outcome: ReloadOutcome): Applied => {
  assert.equal(outcome.outcome, 'applied', JSON.stringify(outcome));
  return outcome as Applied;
};
const rejected = (outcome: ReloadOutcome): Rejected => {
  assert.equal(outcome.outcome, 'rejected', JSON.stringify(outcome));
  return outcome as Rejected;
};

test('whose grant is taken away is out at once, and others go on', async () => {
  const share = (...grants: readonly string[]): string =>
    `share: { token: box, grants: [${grants.map((sub) => `"jwt:${ISSUER}#${sub}"`).join(', ')}] }\n${FILES}`;
  await using town = await running(share('bob', 'ann'));
  const [out, stays] = [await town.come(bob), await town.come({ sub: 'ann' })];
  assert.equal(await stays.call('read_file'), 'read_file');
  const { ended, draining, changes } = applied(await town.take(share('ann')));
  assert.deepEqual([ended, draining], [1, 0]);
  assert.deepEqual(changes, [{ what: 'share.grants', name: '', change: 'changed' }]);
  assert.equal((await out.ended).code, 'peer_refused');
  assert.equal(await stays.call('read_file'), 'read_file');
  assert.equal(stays.begun, 1);
  // Given again, it lets in at once.
  applied(await town.take(share('ann', 'bob')));
  assert.equal(await (await town.come(bob)).call('read_file'), 'read_file');
});

for (const before of [true, false]) {
  test(`what is written while another one comes into force is taken over next, ${before ? 'watched' : 'unwatched'} before`, {
    timeout: 20_000,
  }, async () => {
    const watched = (backends: string, watch = true): string =>
      `share: { token: box }\nreload: { watch: ${watch} }\n${backends}`;
    const last = watched(`${FILES}${server('mail', 'send')}${server('clock', 'now')}`);
    await using town = await running(watched(FILES, before));
    let taken: () => void = () => {};
    const takenOver = new Promise<void>((resolve) => {
      taken = resolve;
    });
    const { push } = town.logged;
    town.logged.push = (...lines) => {
      for (const { event, fields } of lines) {
        // It was read by then, and is not in force yet.
        if (event === 'configuration changes names' && fields.warning !== undefined) town.writeNow(last);
        if (event === 'configuration applied' && fields.by === 'file') taken();
      }
      return push.apply(town.logged, lines);
    };
    applied(await town.take(watched(`${FILES}${server('mail', 'send')}`)));
    await takenOver;
    assert.deepEqual(Object.keys(town.gateway.reloads.status().prefixes), ['files', 'mail', 'clock']);
  });
}

test('whoever loses his last role is out, who loses one loses its tools, who gains one has them', async () => {
  const rules = (identities: string): string =>
    `share: { token: box }\n${FILES}roles:\n  reader: [ { allow: { tools: [read_*] } } ]\n  writer: [ { allow: { tools: ["*"] } } ]\nidentities: { ${identities} }\n`;
  await using town = await running(rules(`"jwt:${ISSUER}#bob": [writer], "group:staff": [reader], owner: [reader]`));
  const caller = await town.come(bob);
  const owner = await town.come();
  assert.deepEqual(await caller.tools(), ['read_file', 'write_file']);
  assert.deepEqual(await owner.tools(), ['read_file']);
  applied(await town.take(rules(`"group:staff": [reader], owner: [writer]`)));
  await caller.notified('notifications/tools/list_changed');
  assert.deepEqual(await caller.tools(), ['read_file']);
  assert.match(await caller.call('write_file'), /Unknown tool/);
  await owner.notified('notifications/tools/list_changed');
  assert.equal(await owner.call('write_file'), 'write_file');
  applied(await town.take(rules('owner: [writer]')));
  assert.equal((await caller.ended).code, 'peer_refused');
});

test('an issuer that is believed no more: whoever it vouched for is out', async () => {
  const lines = `share: { token: box, grants: [network] }\n${FILES}`;
  await using town = await running(lines);
  const caller = await town.come(bob);
  const other = (await readFile(join(town.temp.home, 'g.yml'), 'utf8')).match(/^issuers:.*$/m)?.[0] ?? '';
  applied(await town.take(`${other.replace(ISSUER, 'https://other.example')}\n${lines}`));
  assert.equal((await caller.ended).code, 'jwt_issuer');
});

test('shares of views come and go; who came over one that is gone begins elsewhere or waits', async () => {
  const views = (lines: string): string =>
    `share: { token: box }\n${FILES}roles: { all: [ { allow: { tools: ["*"] } } ] }\nidentities: { owner: [all] }\n${lines}`;
  const shop = 'views: { shop: { show: [ { tools: [read_*] } ], share: { token: shop } } }\n';
  await using town = await running(views(''), ['shop']);
  assert.deepEqual(town.gateway.status && (await town.gateway.status()).views, []);
  applied(await town.take(views(shop)));
  assert.deepEqual((await town.gateway.status()).views, [{ view: 'shop', token: 'shop' }]);
  const caller = await town.come(undefined, 'shop');
  assert.deepEqual(await caller.tools(), ['read_file']);
  applied(await town.take(views('')));
  assert.deepEqual((await town.gateway.status()).views, []);
  assert.equal((await town.gateway.status()).sessions.length, 0);
  await assert.rejects(town.temp.other.dial('shop', {}), { code: 'share_not_hosted' });
  // One that cannot be hosted leaves everything as it was, the first half of it too.
  const both = `views:\n  shop: { show: [ { tools: [read_*] } ], share: { token: shop } }\n  gone: { show: [ { tools: [read_*] } ], share: { token: never-made } }\n`;
  assert.equal(rejected(await town.take(views(both))).code, 'share_unknown');
  await assert.rejects(town.temp.other.dial('shop', {}), { code: 'share_not_hosted' });
});

test('a secret that is another one: servers that were given the old one end, others do not', async () => {
  const lines = (file: string): string =>
    `share: { token: box }\nbackends:\n${server('files', 'read_file')}  - id: vault\n    transport: { type: stdio, command: "${process.execPath}", args: ["${fixture('secret-server.mjs')}"], env: { SECRET_ONE: "\${file:${file}}" } }\n`;
  await using town = await running(`share: { token: box }\n${FILES}`);
  const file = join(town.temp.home, 'one.secret');
  await writeFile(file, 'first-secret-value', { mode: 0o600 });
  applied(await town.take(lines(file)));
  const caller = await town.come();
  const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
  assert.match(await caller.call('vault__who'), new RegExp(sha('first-secret-value')));
  const nothing = await town.gateway.reloads.reload('command');
  assert.equal(nothing.outcome, 'unchanged');
  await writeFile(file, 'second-secret-value', { mode: 0o600 });
  const outcome = applied(await town.gateway.reloads.reload('command'));
  assert.deepEqual(outcome.changes, [{ what: 'backend', name: 'vault', change: 'a secret of it is another one' }]);
  assert.equal(outcome.ended, 1);
  await caller.again(2);
  assert.match(await caller.call('vault__who'), new RegExp(sha('second-secret-value')));
  // One that cannot be read keeps nobody from a change elsewhere, but is needed for one that is new.
  await writeFile(file, '');
  applied(await town.take(`${lines(file)}aggregator: { name: hall }\n`));
  const { code } = rejected(await town.take(lines(file).replace('id: vault', 'id: safe')));
  assert.equal(code, 'secret_missing');
});

test('what scrubbing blocks from now on is blocked in sessions that began before, and its lists are told', async () => {
  const scrub = (how: string): string =>
    `share: { token: box }\n${how}${FILES.replace('read_file', '"AKIAIOSFODNN7EXAMPLQ"')}`;
  for (const before of ['scrub: off\n', '']) {
    await using town = await running(scrub(before));
    const caller = await town.come();
    const [name = ''] = await caller.tools();
    assert.equal(await caller.call(name), name);
    applied(await town.take(scrub('scrub: { mode: block }\n')));
    await caller.notified('notifications/tools/list_changed');
    assert.deepEqual(await caller.tools(), ['write_file']);
    assert.match(await caller.call(name), /Unknown tool|operator blocks/);
    applied(await town.take(scrub(before)));
    assert.equal(await caller.call(name), name);
  }
});

test('definitions that only pins of now hold back are hidden in sessions that began before', async () => {
  await using town = await running(`share: { token: box }\n${FILES}`);
  const pins = (mode: string): string => `share: { token: box }\npins: { mode: ${mode}, file: ${lock} }\n${FILES}`;
  const lock = (await town.gateway.status()).pins?.file ?? '';
  const caller = await town.come();
  assert.deepEqual(await caller.tools(), ['read_file', 'write_file']);
  applied(await town.take(pins('strict')));
  assert.deepEqual(await caller.tools(), ['read_file', 'write_file'], 'what was recorded is approved');
  assert.equal((await town.gateway.status()).pins?.mode, 'strict');
  const { message } = rejected(await town.take(`share: { token: box }\npins: strict\n${FILES}`));
  assert.match(message, /pins\.file: cannot change while the gateway runs/);
});

test('budgets are those of now, and what was spent goes on', async () => {
  const limits = (daily: number): string =>
    `share: { token: box, grants: [network] }\n${FILES}limits: { identities: { default: { daily: ${daily} } } }\n`;
  await using town = await running(limits(3));
  const caller = await town.come(bob);
  assert.equal(await caller.call('read_file'), 'read_file');
  assert.equal(await caller.call('read_file'), 'read_file');
  applied(await town.take(limits(2)));
  assert.match(await caller.call('read_file'), /limit/);
  applied(await town.take(limits(4)));
  assert.equal(await caller.call('read_file'), 'read_file');
  applied(await town.take(`share: { token: box, grants: [network] }\n${FILES}`));
  for (let call = 0; call < 5; call += 1) assert.equal(await caller.call('read_file'), 'read_file');
});

test('every change in force and every one that was refused is on record', async () => {
  await using town = await running(`share: { token: box }\n${FILES}`);
  applied(await town.take(`share: { token: box }\naggregator: { name: hall }\n${FILES}`));
  await town.write('backends: [');
  const { digest } = rejected(await town.gateway.reloads.reload('command'));
  const folder = join(town.temp.home, 'audit');
  const [name = ''] = (await readdir(folder, { recursive: true })).filter((one) => one.endsWith('.jsonl'));
  const lines = (await readFile(join(folder, name), 'utf8'))
    .split('\n')
    .flatMap((line) => (line.includes('"config.') ? [JSON.parse(line) as Record<string, unknown>] : []));
  assert.deepEqual(
    lines.map(({ type, reason }) => [type, typeof reason === 'string' ? reason.split(':')[0] : undefined]),
    [
      ['config.apply', undefined],
      ['config.apply', 'command'],
      ['config.reject', join(town.temp.home, 'g.yml')],
    ],
  );
  assert.equal(lines[1]?.digest, digest, 'what stays in force is what was applied last');
  assert.notEqual(lines[2]?.digest, digest);
});

test('a backend that goes keeps its sessions until they begin anew; then nothing of it is left', async () => {
  const two = `share: { token: box }\nreload: { watch: false, max_drain: 500ms }\n${FILES}${server('notes', 'note')}`;
  const three = `${two}${server('more', 'another')}`;
  await using town = await running(three);
  const caller = await town.come();
  assert.equal(await caller.call('more__another'), 'another');
  const { draining } = applied(await town.take(two));
  assert.equal(draining, 1);
  assert.equal(await caller.call('more__another'), 'another');
  const late = await town.come();
  assert.ok(!(await late.tools()).includes('more__another'));
  await caller.again(2);
  assert.match(await caller.call('more__another'), /Unknown tool/);
  assert.equal(late.begun, 1, 'who began after it goes on');
});

test('of a backend that goes nothing is shown that was held back before', async () => {
  const keep = `${FILES.replace('backends:', 'reload: { watch: false, max_drain: 10m }\nbackends:')}${server('notes', 'note')}`;
  await using town = await running(`share: { token: box }\n${keep}`);
  const lock = (await town.gateway.status()).pins?.file ?? '';
  const base = `share: { token: box }\npins: { mode: strict, file: ${lock} }\n${keep}`;
  const more = server('more', 'unseen', 'AKIAIOSFODNN7EXAMPLQ');
  applied(await town.take(`${base}${more}`));
  const caller = await town.come();
  assert.ok(!(await caller.tools()).some((name) => name.startsWith('more__')), 'nobody approved it');
  assert.match(await caller.call('more__unseen'), /error .*approve/);
  assert.equal(applied(await town.take(base)).draining, 1);
  assert.ok(!(await caller.tools()).some((name) => name.startsWith('more__')));
  assert.match(await caller.call('more__unseen'), /error .*approve/);
});

test('scrubbing of a backend that goes is what it was, in sessions that have it', async () => {
  const start = `share: { token: box }\nreload: { watch: false, max_drain: 10m }\n${FILES}${server('notes', 'note')}`;
  const more = server('more', 'fine', 'AKIAIOSFODNN7EXAMPLQ').replace('id: more', 'id: more, scrub: block');
  await using town = await running(`${start}${more}`);
  const caller = await town.come();
  const shown = async () => (await caller.tools()).filter((name) => name.startsWith('more__'));
  assert.deepEqual(await shown(), ['more__fine']);
  assert.equal(applied(await town.take(start)).draining, 1);
  assert.deepEqual(await shown(), ['more__fine']);
});

test('the peers of a running gateway are known by the roles of now', async () => {
  const rules = (role: string): string =>
    `share: { token: box }\n${FILES}roles: { ${role}: [ { allow: { tools: ["*"] } } ] }\nidentities: { owner: [${role}] }\n`;
  await using town = await running(rules('old'));
  applied(await town.take(rules('young')));
  await assert.rejects(town.gateway.peers.allow('ziti:x', { role: 'old' }), { code: 'usage' });
  await town.gateway.peers.allow('ziti:x', { role: 'young' });
});
