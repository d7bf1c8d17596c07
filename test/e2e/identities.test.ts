// Three people, two gateways, one machine: with certificates of a CA of its own the built programs prove who they are over
// the local overlay, and everything that goes wrong on a real network is refused here with the same words.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createLocalOverlay } from '@mcp-overlay/overlay';
import { testAuthority } from '@mcp-overlay/overlay/testing';
import { type Command, runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { shareBackend, stdioBackend } from './servers.ts';
import { ended, refusedWith, Town, until } from './town.ts';

describe('who is let in', () => {
  test('three people: the owner, one who is allowed by hand, one who is not; a denial ends what runs', async () => {
    await using town = await Town.open();
    const token = await town.house.createShare('town-hall');
    const me = await town.as('gateway');
    const alice = await town.as('alice');
    const bob = await town.as('bob');
    const gateway = await town.gateway(token, {}, me);

    // Whoever has the folder and shows no certificate is its user; so is the gateway's own identity.
    assert.equal((await town.initialize(token, [])).code, 0);
    assert.equal((await town.initialize(token, me)).code, 0);
    const refused = await town.initialize(token, alice);
    refusedWith(refused, 'peer_refused');
    assert.match(refused.stderr, /x509:CN=alice is not let in .*: mcp-gateway peers allow x509:CN=alice/);

    const [shown] = await town.peers();
    assert.deepEqual([shown?.id, shown?.outcome, shown?.sessions], ['x509:CN=alice', 'peer_refused', 0]);
    const [allowed] = await town.peers('allow', 'x509:CN=alice', '--name', 'Alice');
    assert.deepEqual([allowed?.id, allowed?.name, allowed?.decision], ['x509:CN=alice', 'Alice', 'allowed']);

    await using agent = LineClient.spawn(town.house.agentProgram(token, ...alice));
    await agent.initialize();
    assert.equal((await agent.told('echo', { nonce: 'a' })).nonce, 'a');
    refusedWith(await town.initialize(token, bob), 'peer_refused');
    const { sessions } = await town.house.status(token);
    assert.ok(JSON.stringify(sessions).includes('"principal":"x509:CN=alice","name":"Alice","proven":true'));

    const open = agent.call('hang');
    await agent.told('echo', { nonce: 'b' });
    await town.peers('deny', 'x509:CN=alice');
    // The gateway has nothing of her any more when the command is back; her agent hears it, and is not let in again.
    const after = await town.peers();
    assert.deepEqual(
      after.filter(({ id }) => id === 'x509:CN=alice').map(({ decision, sessions: count }) => [decision, count]),
      [['denied', 0]],
    );
    assert.equal((await open).error?.data?.error, 'outcome_unknown');
    // What she asks from now on need not wait for the way back: it is told.
    const { error: told } = await agent.call('echo', { nonce: 'c' });
    assert.deepEqual([told?.data?.error, told?.data?.refused], ['share_unreachable', 'peer_denied']);
    assert.match(told?.message ?? '', /the host refused: x509:CN=alice was denied by the operator/);
    refusedWith(await town.initialize(token, alice), 'peer_denied');
    // The agent that lives comes in again when she may.
    await town.peers('allow', 'x509:CN=alice');
    await until(() => agent.ends.stderr().split('"link up"').length > 2, 'she was let in again');
    assert.equal((await agent.told('echo', { nonce: 'd' })).nonce, 'd');
    await town.peers('deny', 'x509:CN=alice');
    agent.ends.input.end();
    await ended(agent);

    // What was decided outlives the gateway.
    await gateway.end();
    await town.gateway(token, {}, me);
    refusedWith(await town.initialize(token, alice), 'peer_denied');
    await town.peers('allow', 'x509:CN=alice');
    assert.equal((await town.initialize(token, alice)).code, 0);
    const kept = (await town.peers()).find(({ id }) => id === 'x509:CN=alice');
    assert.deepEqual([kept?.name, kept?.decision], ['Alice', 'allowed']);
  });

  test('a denied session is over when the command is, in the middle of its calls', async () => {
    await using town = await Town.open();
    const token = await town.house.createShare('town-hall');
    await town.gateway(token, { grants: ['network'] }, await town.as('gateway'));
    await using agent = LineClient.spawn(town.house.agentProgram(token, ...(await town.as('alice'))));
    await agent.initialize();
    let answered = 0;
    const asks = (async () => {
      for (;;) {
        const { result } = await agent.call('echo', { nonce: String(answered) });
        if (!result) break;
        answered += 1;
      }
      // What is asked from now on is refused.
    })().catch(() => {});
    while (answered < 20) await agent.told('echo', { nonce: 'warm' });
    await town.peers('deny', 'x509:CN=alice');
    const before = answered;
    const [alice] = (await town.peers()).filter(({ id }) => id === 'x509:CN=alice');
    assert.equal(alice?.sessions, 0);
    agent.ends.input.end();
    await ended(agent);
    await asks;
    // One may have been read by the agent's program and not by us.
    assert.ok(answered - before <= 1, `${answered - before} calls were answered afterwards`);
  });

  test('grants: by id in the configuration, by flag at a bridge; a gateway is somebody at its bridges', async () => {
    await using town = await Town.open();
    const me = await town.as('gateway');
    const alice = await town.as('alice');
    const server = stdioBackend('one').transport as unknown as { command: string; args: string[] };
    const bridge = await town.house.start(
      town.house.program(
        'bridge',
        '--overlay',
        'local',
        ...(await town.as('bridge')),
        '--grant',
        'x509:CN=gateway',
        server.command,
        ...server.args,
      ),
    );
    const bridged = bridge.ready.share_token ?? '';
    const refused = await town.initialize(bridged, alice);
    refusedWith(refused, 'peer_refused');
    assert.match(refused.stderr, /mcp-bridge --grant x509:CN=alice/);
    const token = await town.house.createShare('town-hall');
    await town.gateway(token, { grants: ['x509:CN=alice'] }, me, [shareBackend('far', bridged)]);
    await using agent = LineClient.spawn(town.house.agentProgram(token, ...alice));
    await agent.initialize();
    assert.equal((await agent.told('echo', { nonce: 'through both' })).nonce, 'through both');
  });

  test('bad certificates: revoked while the gateway runs, expired, of another CA', async () => {
    await using town = await Town.open();
    const token = await town.house.createShare('town-hall');
    await town.gateway(token, { grants: ['network'] }, await town.as('gateway'));
    const issued = town.ca.issue('alice');
    const alice = await town.as('alice', issued);
    assert.equal((await town.initialize(token, alice)).code, 0);
    await town.trustFile(town.ca.revocationList([issued.serial]));
    refusedWith(await town.initialize(token, alice), 'proof_revoked');
    const expired = town.ca.issue('old', { notAfter: new Date(Date.now() - 3_600_000) });
    refusedWith(await town.initialize(token, await town.as('old', expired)), 'proof_expired');
    refusedWith(
      await town.initialize(token, await town.as('eve', testAuthority('town').issue('alice'))),
      'proof_foreign',
    );
    const outcomes = (await town.peers()).map(({ outcome }) => outcome);
    for (const one of ['proof_foreign', 'granted']) assert.ok(outcomes.includes(one), `${one}: ${outcomes.join()}`);
  });
});

describe('whom an agent reaches', () => {
  test('T32: another host on the same share is refused with both names, until it is accepted', async () => {
    await using town = await Town.open();
    const token = await town.house.createShare('town-hall');
    const alice = await town.as('alice');
    const grants = { grants: ['network'] };
    const first = await town.gateway(token, grants, await town.as('first'));
    assert.equal((await town.initialize(token, alice)).code, 0);
    await first.end();
    const second = await town.gateway(token, grants, await town.as('second'));
    const refused = await town.initialize(token, alice);
    refusedWith(refused, 'host_changed');
    assert.match(refused.stderr, /hosted by x509:CN=first since .*, and now by x509:CN=second/);
    assert.match(refused.stderr, /\n {2}if you know that this is right: mcp-tools trust town-hall\n/);
    const status = JSON.parse((await town.tools('status', '--json', ...alice)).stdout) as {
      identity: string;
      hosts: { share: string; id: string; changed?: { id: string } }[];
    };
    assert.equal(status.identity, 'x509:CN=alice');
    assert.deepEqual(
      status.hosts.map(({ share, id, changed }) => [share, id, changed?.id]),
      [['town-hall', 'x509:CN=first', 'x509:CN=second']],
    );
    const trusted = await town.tools('trust', 'town-hall', '--json');
    assert.deepEqual(JSON.parse(trusted.stdout), {
      share: 'town-hall',
      before: 'x509:CN=first',
      host: 'x509:CN=second',
    });
    assert.equal((await town.initialize(token, alice)).code, 0);
    // One that proves nothing is not taken either, nor can its word be taken without a CA.
    await second.end();
    await town.gateway(token, grants, ['--trust', town.caFile]);
    refusedWith(await town.initialize(token, alice), 'host_unproven');
    assert.equal((await town.tools('trust', 'town-hall', '--forget')).code, 0);
    assert.equal((await town.initialize(token, alice)).code, 0);
  });

  test('an agent that lives goes on with a host that the known one vouched for, and not with another', async () => {
    await using town = await Town.open();
    const token = await town.house.createShare('town-hall');
    const share = { grants: ['network'], hosts: ['x509:CN=first', 'x509:CN=second'] };
    const first = await town.gateway(token, share, await town.as('first'));
    const alice = await town.as('alice');
    await using agent = LineClient.spawn(town.house.agentProgram(token, ...alice, '--log-level', 'debug'));
    await agent.initialize();
    assert.equal((await agent.told('echo', { nonce: '1' })).nonce, '1');
    await first.end();
    const second = await town.gateway(token, share, await town.as('second'));
    assert.equal((await agent.told('echo', { nonce: '2' })).nonce, '2');
    await second.end();
    const third = await town.gateway(token, share, await town.as('third'));
    const { error } = await agent.call('echo', { nonce: '3' });
    assert.deepEqual([error?.data?.error, error?.data?.refused], ['share_unreachable', 'host_changed']);
    assert.match(error?.message ?? '', /and now by x509:CN=third \(.*mcp-tools trust town-hall\)/);
    await third.end();
    await town.gateway(token, share, await town.as('first'));
    await until(() => agent.ends.stderr().split('"link up"').length > 3, 'it found one that it knows');
    assert.equal((await agent.told('echo', { nonce: '4' })).nonce, '4');
  });

  test('a share that proved itself and now answers plain HTTP is refused; nobody is asked a second time', async () => {
    await using town = await Town.open();
    const token = await town.house.createShare('town-hall');
    const alice = await town.as('alice');
    const gateway = await town.gateway(token, { grants: ['network'] }, await town.as('first'));
    assert.equal((await town.initialize(token, alice)).code, 0);
    await gateway.end();
    let requests = 0;
    const http = createServer((_request, response) => {
      requests += 1;
      response.end();
    });
    const overlay = createLocalOverlay({ env: { MCP_OVERLAY_HOME: town.house.home } });
    await overlay.listen(token, { onConnection: (connection) => void http.emit('connection', connection.resume()) });
    const refused = await town.initialize(token, alice);
    await overlay.close();
    http.closeAllConnections();
    refusedWith(refused, 'host_downgraded');
    assert.match(refused.stderr, /proved to be hosted by x509:CN=first before, and now answers plain HTTP/);
    assert.equal(requests, 0);
  });

  test('a host that is named before the first visit: no other will do', async () => {
    await using town = await Town.open();
    const token = await town.house.createShare('town-hall');
    assert.equal((await town.tools('trust', token, 'x509:CN=right')).code, 0);
    await town.gateway(token, { grants: ['network'] }, await town.as('wrong'));
    refusedWith(await town.initialize(token, await town.as('alice')), 'host_changed');
  });
});

describe('files', () => {
  test('an identity or trust file that is no good ends every program with exit 2, before anything runs', async () => {
    await using town = await Town.open();
    const { house } = town;
    const empty = join(house.home, 'empty.pem');
    await writeFile(empty, 'nothing', { mode: 0o600 });
    const config = await house.config([stdioBackend('one')]);
    const programs: Command[] = [
      house.program('gateway', 'run', config, '--overlay', 'local', '--identity', empty),
      house.program('bridge', '--overlay', 'local', '--identity', empty, process.execPath),
      house.program('tools', 'run', 'town-hall', '--overlay', 'local', '--identity', empty),
      house.program('tools', 'status', '--overlay', 'local', '--identity', empty),
    ];
    for (const program of programs) {
      const { code, stdout, stderr } = await runToEnd(program);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /empty\.pem holds no private key \(identity_invalid\)/);
    }
    const { code, stderr } = await town.tools('status', '--trust', empty);
    assert.equal(code, 2);
    assert.match(stderr, /empty\.pem holds no CA certificate \(trust_invalid\)/);
  });
});
