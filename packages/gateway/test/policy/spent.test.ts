// Daily budgets over restarts.

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseGatewayConfig } from '@mcp-overlay/config';
import { openAllowances } from '../../src/policy/open-allowances.ts';
import { openSpent, type Spent } from '../../src/policy/spent.ts';
import { fileOf, person } from './rules-of.ts';

const NOON = Date.parse('2026-11-27T12:00:00Z');
const DAY = 24 * 3600 * 1000;
const SHARE = 'town-hall';

async function home() {
  const path = await mkdtemp(join(tmpdir(), 'spent-'));
  const said: string[] = [];
  const log = { debug: () => {}, info: () => {}, warn: (fields: object) => said.push(JSON.stringify(fields)) };
  const env = { MCP_OVERLAY_HOME: path };
  return {
    log,
    env,
    said,
    folder: join(path, 'budgets'),
    file: join(path, 'budgets', `${SHARE}.json`),
    open: (wall = NOON): Promise<Spent> =>
      openSpent({ share: SHARE, env, log, clock: { mono: () => 0, wall: () => wall } }),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
}

test('what a day spent is spent after a restart, in a file of nobody else, and another day begins with nothing', async () => {
  await using here = await home();
  const before = await here.open();
  for (let at = 0; at < 3; at += 1) before.add('identities alice');
  before.add('backends db');
  await before.close();
  assert.equal((await stat(here.file)).mode & 0o777, 0o600);
  assert.deepEqual(JSON.parse(await readFile(here.file, 'utf8')), {
    version: 1,
    day: '2026-11-27',
    spent: { 'identities alice': 3, 'backends db': 1 },
  });
  const after = await here.open();
  assert.equal(after.of('identities alice'), 3);
  assert.equal(after.of('backends db'), 1);
  assert.equal(
    (await here.open(NOON - DAY)).of('identities alice'),
    3,
    'T37: a clock that is behind gives nothing back',
  );
  assert.equal((await here.open(NOON + DAY)).of('identities alice'), 0);
});

test('two processes one after the other: what the first counted while the second already read is one sum', async () => {
  await using here = await home();
  const first = await here.open();
  for (let at = 0; at < 3; at += 1) first.add('identities alice');
  await first.flush();
  const second = await here.open();
  first.add('identities alice');
  first.add('backends db');
  second.add('identities alice');
  await first.flush();
  first.stopWriting();
  await second.catchUp();
  assert.deepEqual([second.of('identities alice'), second.of('backends db')], [5, 1]);
  // What it still counts is its own: the file is the second one's.
  first.add('identities alice');
  await first.close();
  await second.close();
  assert.equal((await here.open()).of('identities alice'), 5);
});

test('it is written a while after the first call, once for all that came meanwhile, and no draft is left', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await using here = await home();
  const spent = await here.open();
  spent.add('a');
  t.mock.timers.tick(999);
  for (let at = 0; at < 99; at += 1) spent.add('a');
  await assert.rejects(stat(here.file), { code: 'ENOENT' });
  t.mock.timers.tick(1);
  spent.add('a');
  await spent.close();
  assert.equal(JSON.parse(await readFile(here.file, 'utf8')).spent.a, 101);
  assert.deepEqual(await readdir(here.folder), [`${SHARE}.json`]);
});

for (const [what, text] of [
  ['cut', '{"version":1,"day":"2026-11-27","spe'],
  ['empty', ''],
  ['of another version', '{"version":2,"day":"2026-11-27","spent":{}}'],
  ['without a day', '{"version":1,"spent":{"a":1}}'],
  ['with less than nothing', '{"version":1,"day":"2026-11-27","spent":{"a":-5}}'],
  ['with half a call', '{"version":1,"day":"2026-11-27","spent":{"a":0.5}}'],
] as const) {
  test(`a file that is ${what} is said and opens no gate: the gateway does not start`, async () => {
    await using here = await home();
    await (await here.open()).close();
    await writeFile(here.file, text);
    await assert.rejects(here.open(), { code: 'state_file_invalid', message: /town-hall\.json is broken/ });
  });
}

test('where it cannot be written that is said, and counted on', async () => {
  await using here = await home();
  const spent = await here.open();
  await rm(here.folder, { recursive: true });
  spent.add('a');
  await spent.close();
  assert.equal(spent.of('a'), 1);
  assert.match(here.said.join(), /cannot be written/);
});

test('a configuration without daily budgets reads no file, one with them goes on where it was', async () => {
  await using here = await home();
  const openWith = (limits: string) => {
    const text = fileOf(`share: { token: ${SHARE} }\nlimits: { identities: { default: ${limits} } }\n`);
    return openAllowances(parseGatewayConfig(text, { file: 'g.yml', env: {}, cwd: '/' }).config, here);
  };
  const first = await openWith('{ daily: 1 }');
  assert.ok('release' in (first?.of(person('alice'))?.enter() ?? {}));
  await first?.close();
  const second = await openWith('{ daily: 1 }');
  assert.ok('refused' in (second?.of(person('alice'))?.enter() ?? {}));
  await writeFile(here.file, 'broken');
  assert.ok(await openWith('{ rate: 1/s }'));
  await assert.rejects(openWith('{ daily: 1 }'), { code: 'state_file_invalid' });
});

test('budgets that are new where another process has the share by now: count from what is known, and write nothing', async () => {
  await using here = await home();
  const text = `limits: { backends: { db: { daily: 1 } } }\nshare: { token: ${SHARE} }\nbackends: [{ id: db, transport: { type: stdio, command: x } }]\n`;
  const { config } = parseGatewayConfig(text, { file: 'g.yml', env: {}, cwd: '/' });
  const allowances = await openAllowances(config, { ...here, othersWrite: () => true });
  const limits = allowances?.of(person('alice'));
  assert.deepEqual(Object.keys(limits?.spend('db', 'read') ?? {}), ['release']);
  assert.deepEqual(Object.keys(limits?.spend('db', 'read') ?? {}), ['refused']);
  await allowances?.close();
  await assert.rejects(stat(here.file), { code: 'ENOENT' });
});
