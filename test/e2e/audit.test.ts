// The log of a gateway, from the caller's end: numbers in answers over every way and in both eras, receipts that are kept, and
// a log that somebody cut, found by them.

import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { House, type Running, runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { shareBackend, stdioBackend } from './servers.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
type Json = any;

const KEY = 'mcp-overlay/audit';
const SHARE = 'audited';
const EVENTUALLY_MS = 30_000;
const MODERN = {
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'audit', version: '1' },
  },
};

describe('the audit log and its callers', () => {
  let house: House;
  let file: string;
  let gateway: Running;
  let agent: LineClient;

  before(async () => {
    house = await House.open();
    await house.createShare(SHARE);
    const audit = { path: './audit', durability: 'os' };
    file = await house.config([stdioBackend('near')], { share: { token: SHARE }, audit });
    gateway = await house.start(house.gatewayProgram(file));
    agent = LineClient.spawn(house.agentProgram(SHARE));
    await agent.initialize();
  });

  after(async () => {
    await agent.end();
    await house[Symbol.asyncDispose]();
  });

  const numberOf = async (params: Json): Promise<number> => {
    const { result } = await agent.request('tools/call', params);
    const receipt = ((result as Json)._meta as Json)[KEY];
    assert.match(receipt.hash, /^sha256:[0-9a-f]{64}$/);
    return receipt.seq;
  };

  const segment = async (): Promise<string> => {
    const base = join(house.home, 'audit');
    const [log = ''] = (await readdir(base)).filter((name) => /^[0-9a-f]{32}$/.test(name));
    return join(base, log, '0000000001.jsonl');
  };

  const audit = (...args: readonly string[]) => runToEnd(house.program('gateway', 'audit', ...args));

  const receipts = async (): Promise<readonly Json[]> => {
    const { stdout } = await runToEnd(house.program('tools', 'receipts', SHARE, '--json', '--overlay', 'local'));
    return JSON.parse(stdout);
  };

  const eventually = async (what: string, so: () => Promise<boolean> | boolean): Promise<void> => {
    const until = Date.now() + EVENTUALLY_MS;
    while (!(await so())) {
      assert.ok(Date.now() < until, `never so: ${what}`);
      await wait(100);
    }
  };

  test('answers tell their numbers, in both eras, and a refusal does', async () => {
    const legacy = await numberOf({ name: 'echo', arguments: { n: 1 } });
    const modern = await numberOf({ name: 'echo', arguments: { n: 2 }, ...MODERN });
    assert.ok(modern > legacy);
    const { result, error } = await agent.request('resources/read', { uri: 'no:such' });
    assert.ok(result ?? error);
  });

  test('over the HTTP door too', async () => {
    const url = await house.http(SHARE);
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    const post = (body: object, more: Record<string, string> = {}): Promise<Response> =>
      fetch(url, {
        method: 'POST',
        headers: { ...headers, ...more },
        body: JSON.stringify({ jsonrpc: '2.0', ...body }),
      });
    const clientInfo = { name: 'http', version: '1' };
    const hello = await post({
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo },
    });
    const session = { 'mcp-session-id': hello.headers.get('mcp-session-id') ?? '' };
    await hello.text();
    await (await post({ method: 'notifications/initialized' }, session)).text();
    const called = await post({ id: 2, method: 'tools/call', params: { name: 'echo', arguments: {} } }, session);
    const text = await called.text();
    const data = text.startsWith('{')
      ? text
      : text
          .split('\n')
          .filter((line) => line.startsWith('data: {'))
          .at(-1)
          ?.slice(6);
    assert.ok(JSON.parse(data ?? '').result._meta[KEY].seq > 0, text);
    const modern = await post(
      { id: 3, method: 'tools/call', params: { name: 'echo', arguments: {}, ...MODERN } },
      { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'echo' },
    );
    const answer = await modern.text();
    const line = answer.startsWith('{')
      ? answer
      : answer
          .split('\n')
          .filter((one) => one.startsWith('data: {'))
          .at(-1)
          ?.slice(6);
    assert.ok(JSON.parse(line ?? '').result._meta[KEY].seq > 0, answer);
  });

  test('the caller keeps them, and the log is what they say', async () => {
    for (let n = 0; n < 12; n += 1) await numberOf({ name: 'echo', arguments: { n } });
    const last = await numberOf({ name: 'echo' });
    await eventually('the last receipt is on file', async () => (await receipts()).some(({ seq }) => seq === last));
    const out = join(house.home, 'receipts.jsonl');
    await runToEnd(house.program('tools', 'receipts', SHARE, '-o', out, '--overlay', 'local'));
    const { code, stdout, stderr } = await audit('verify', file, '--anchor', out);
    assert.equal(code, 0, stdout + stderr);
    const { stdout: found } = await audit('query', file, '--seq', String(last - 1), '--json');
    assert.deepEqual(JSON.parse(found).outcome.seq, last);
    assert.equal(((await house.status(SHARE)) as Json).audit.durability, 'os');
  });

  test('a log whose end was cut is found by them, at the gateway and at once at the caller', async () => {
    await gateway.end('SIGKILL');
    const path = await segment();
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    await writeFile(path, `${lines.slice(0, -16).join('\n')}\n`);
    assert.equal((await audit('verify', file)).code, 0);
    const { code, stdout } = await audit('verify', file, '--anchor', join(house.home, 'receipts.jsonl'));
    assert.equal(code, 1);
    assert.match(stdout, /truncated/);
    gateway = await house.start(house.gatewayProgram(file));
    await numberOf({ name: 'echo', arguments: { after: 'the cut' } });
    await eventually('the agent is told', () => agent.ends.stderr().includes('rolled back'));
  });
});

test('two gateways in a row: an answer carries the numbers of both, and each log holds its own', async () => {
  await using house = await House.open();
  await house.createShare('behind');
  const log = (name: string): Json => ({ audit: { path: `./${name}`, durability: 'os' } });
  const behind = await house.config([stdioBackend('near')], { share: { token: 'behind' }, ...log('inner') });
  await house.start(house.gatewayProgram(behind));
  const front = await house.config([shareBackend('far', 'behind'), stdioBackend('own')], log('outer'));
  const { share_token: token = '' } = (await house.start(house.gatewayProgram(front))).ready;
  await using agent = LineClient.spawn(house.agentProgram(token));
  await agent.initialize();
  const meta = async (name: string): Promise<Json> => ((await agent.call(name)).result as Json)._meta[KEY];
  const far = await meta('far__echo');
  assert.equal((await meta('own__echo')).behind, undefined);
  assert.notEqual(far.behind.log, far.log);
  const anchor = join(house.home, 'both.jsonl');
  for (const [config, receipt] of [
    [front, far],
    [behind, far.behind],
  ] as const) {
    const line = { log: receipt.log, seq: receipt.seq, hash: receipt.hash };
    await writeFile(anchor, `${JSON.stringify(line)}\n`);
    const verified = await runToEnd(house.program('gateway', 'audit', 'verify', config, '--anchor', anchor));
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    await writeFile(anchor, `${JSON.stringify({ ...line, hash: `sha256:${'0'.repeat(64)}` })}\n`);
    const wrong = await runToEnd(house.program('gateway', 'audit', 'verify', config, '--anchor', anchor));
    assert.equal(wrong.code, 1, 'it is this log that the number is of');
  }
});
