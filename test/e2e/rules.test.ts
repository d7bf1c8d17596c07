// Rules with the built programs: three people with certificates, two roles, a view with a share of its own, and a client over
// HTTP whose headers say something else than its body.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { stdioBackend } from './servers.ts';
import { refusedWith, Town } from './town.ts';

const NONCES = '[a-z0-9 ]{1,20}';
const RULES = {
  roles: {
    support: [{ allow: { backend: 'one', tools: ['echo'], args: { nonce: { pattern: NONCES } } } }],
    engineer: [{ allow: { backends: ['one', 'two'], tools: ['*'] } }, { deny: { tools: ['echo_twin'] } }],
  },
  identities: {
    alice: { is: ['x509:CN=alice'], roles: ['engineer'] },
    bob: { is: ['x509:CN=bob'], roles: ['support'] },
    owner: ['support'],
  },
};

async function gatewayOf(town: Town, more: Record<string, unknown>, flags: readonly string[]) {
  const config = await town.house.config([stdioBackend('one'), stdioBackend('two')], { ...RULES, ...more });
  await town.house.start(town.house.gatewayProgram(config, ...flags));
  return config;
}

test('who has a role is let in and does what it allows; who has none is not; a role by hand counts at once', async () => {
  await using town = await Town.open();
  const token = await town.house.createShare('town-rules');
  const [me, alice, bob, carol] = await Promise.all(['gateway', 'alice', 'bob', 'carol'].map((name) => town.as(name)));
  assert.ok(me && alice && bob && carol);
  await gatewayOf(town, { share: { token } }, me);

  await using a = LineClient.spawn(town.house.agentProgram(token, ...alice));
  await using b = LineClient.spawn(town.house.agentProgram(token, ...bob));
  await a.initialize();
  await b.initialize();
  const seen = await a.toolNames();
  assert.ok(seen.includes('two__echo') && !seen.includes('one__echo_twin'));
  assert.deepEqual(await b.toolNames(), ['one__echo']);
  assert.equal((await a.told('two__echo', { nonce: 'a' })).nonce, 'a');
  assert.equal((await b.told('one__echo', { nonce: 'b' })).nonce, 'b');
  assert.deepEqual((await b.call('two__echo', { nonce: 'b' })).error?.message, 'Unknown tool: two__echo');
  const refused = await b.call('one__echo', { nonce: 'NO' });
  assert.equal(refused.error?.code, -31055);
  assert.deepEqual([refused.error?.data?.error, refused.error?.data?.argument], ['refused', 'nonce']);

  refusedWith(await town.initialize(token, carol), 'peer_refused');
  const wrong = await runToEnd(town.house.program('gateway', 'peers', 'allow', 'x509:CN=carol', '--role', 'suport'));
  assert.equal(wrong.code, 2, wrong.stderr);
  assert.match(wrong.stderr, /no role suport in the configuration, which has: support, engineer/);
  await town.peers('allow', 'x509:CN=carol', '--role', 'support');
  await using c = LineClient.spawn(town.house.agentProgram(token, ...carol));
  await c.initialize();
  assert.deepEqual(await c.toolNames(), ['one__echo']);
});

test('a role that is given to somebody who is in reaches new backends at once, and the agent stays', async () => {
  await using town = await Town.open();
  const token = await town.house.createShare('town-rules');
  const [me, bob] = await Promise.all(['gateway', 'bob'].map((name) => town.as(name)));
  assert.ok(me && bob);
  await gatewayOf(town, { share: { token } }, me);
  await using b = LineClient.spawn(town.house.agentProgram(token, ...bob));
  await b.initialize();
  assert.deepEqual(await b.toolNames(), ['one__echo']);
  const from = b.lines.length;
  await town.peers('allow', 'x509:CN=bob', '--role', 'engineer');
  await b.heard('notifications/tools/list_changed', () => true, from);
  assert.ok((await b.toolNames()).includes('two__echo'));
  assert.equal((await b.told('two__echo', { nonce: 'b' })).nonce, 'b');
});

test('a view has a share of its own: at most the view, for whom it names; status shows it', async () => {
  await using town = await Town.open();
  const token = await town.house.createShare('town-main');
  const calm = await town.house.createShare('town-calm');
  const [me, alice, bob] = await Promise.all(['gateway', 'alice', 'bob'].map((name) => town.as(name)));
  assert.ok(me && alice && bob);
  const views = { calm: { roles: ['engineer'], show: [{ backend: 'two', tools: ['echo*'] }], share: { token: calm } } };
  await gatewayOf(town, { share: { token }, views }, me);

  await using a = LineClient.spawn(town.house.agentProgram(calm, ...alice));
  await a.initialize();
  assert.deepEqual(await a.toolNames(), ['two__echo']);
  assert.equal((await a.told('two__echo', { nonce: 'a' })).nonce, 'a');
  assert.match((await a.call('one__echo', { nonce: 'a' })).error?.message ?? '', /Unknown tool/);
  refusedWith(await town.initialize(calm, bob), 'peer_refused');
  await using b = LineClient.spawn(town.house.agentProgram(token, ...bob));
  await b.initialize();
  assert.deepEqual(await b.toolNames(), ['one__echo']);

  const status = await town.house.status(token);
  assert.deepEqual(status.views, [{ view: 'calm', token: calm }]);
  assert.equal(new Set(status.sessions.map(({ number }) => number)).size, 2);
  await town.peers('deny', 'x509:CN=alice');
  assert.equal((await town.house.status(token)).sessions.length, 1);
});

test('T11: headers that disagree with the body are refused, and rules read the body alone', async () => {
  await using town = await Town.open();
  const token = await town.house.createShare('town-http');
  await gatewayOf(town, { share: { token } }, []);
  const post = async (method: string, params: object, headers: Record<string, string>) => {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } });
    const request = httpRequest({
      socketPath: town.house.socket(token),
      path: '/mcp',
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...headers,
      },
    });
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    return { status: response.statusCode, text };
  };
  const call = (name: string, header: Record<string, string>) =>
    post('tools/call', { name, arguments: { nonce: 'x' } }, header);
  const honest = await call('one__echo', { 'mcp-name': 'one__echo' });
  assert.equal(honest.status, 200);
  assert.match(honest.text, /nonce/);
  const split: readonly [string, Record<string, string>][] = [
    ['two__echo', { 'mcp-name': 'one__echo' }],
    ['one__echo', { 'mcp-name': 'two__echo' }],
    ['two__echo', {}],
    ['two__echo', { 'mcp-name': 'one__echo', 'mcp-method': 'tools/list' }],
    ['two__echo', { 'mcp-name': 'two__echo', 'mcp-method': 'tools/list' }],
    ['two__echo', { 'mcp-name': 'ONE__ECHO' }],
  ];
  for (const [name, header] of split) {
    const { status, text } = await call(name, header);
    assert.deepEqual([status, text.includes('-32020')], [400, true], `${name} ${JSON.stringify(header)}: ${text}`);
  }
  const denied = await call('two__echo', { 'mcp-name': 'two__echo' });
  assert.match(denied.text, /Unknown tool: two__echo/);
});

test('policy test and explain with the built program: exit codes and words', async () => {
  await using town = await Town.open();
  const config = await town.house.config([stdioBackend('one'), stdioBackend('two')], RULES);
  const cases = join(town.house.home, 'cases.yml');
  const run = (...words: readonly string[]) => runToEnd(town.house.program('gateway', 'policy', ...words));
  const right = '{ as: bob, tool: one/echo, args: { nonce: x }, expect: allow, rule: support/1 }';
  await writeFile(cases, `config: ${config}\ncases:\n  - ${right}\n`);
  const passed = await run('test', cases);
  assert.deepEqual([passed.code, passed.stdout], [0, '1 cases, 0 failed\n']);
  await writeFile(cases, `config: ${config}\ncases:\n  - ${right}\n  - { as: bob, tool: two/echo, expect: allow }\n`);
  const failed = await run('test', cases);
  assert.equal(failed.code, 1);
  assert.match(failed.stdout, /4 +bob +tool two\/echo +allow +deny by default +no rule allows it\n2 cases, 1 failed/);
  const yes = await run('explain', config, '--as', 'alice', 'two__echo', '{"nonce":"x"}');
  assert.equal(yes.code, 0, yes.stderr);
  assert.match(
    yes.stdout,
    /^x509:CN=alice \(proven\) has the roles engineer\ntool echo of backend two: may call it so; rule engineer\/1 decides\n/,
  );
  const no = await run('explain', config, '--as', 'alice', 'two/echo_twin');
  assert.equal(no.code, 3);
  assert.match(no.stdout, /may not see it; rule engineer\/2 decides: rule engineer\/2 refuses it/);
  for (const words of [
    ['explain', config, 'two/echo'],
    ['explain', config, '--as', 'nobody', 'two/echo'],
    ['explain', config, '--as', 'bob', 'two/echo', '{'],
    ['try', config],
  ]) {
    assert.equal((await run(...words)).code, 2, words.join(' '));
  }
});
