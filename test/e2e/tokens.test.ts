// Access tokens, acted out with the built programs: lent, stolen, narrowed, taken back, over. And whoever is in on a
// certificate or a JWT that counts no more. Out means: the gateway has no session of it within a second.

import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createLocalOverlay } from '@mcp-overlay/overlay';
import { stringify } from 'yaml';
import { type Command, runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { stdioBackend } from './servers.ts';
import { ended, INITIALIZE, refusedWith, Town, until } from './town.ts';
import { world } from './world.ts';

/** What is promised, and nothing for a loaded machine. */
const OUT_MS = 1000;

interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly revoked?: string;
}

/** Writes what only its owner may read, as a program that renews tokens does: aside, then in its place. */
async function keep(file: string, text: string): Promise<string> {
  await writeFile(`${file}~`, text, { mode: 0o600 });
  await chmod(`${file}~`, 0o600);
  await rename(`${file}~`, file);
  return file;
}

/** A town on one machine with a share, and shortcuts for its tokens. */
async function tokenTown(more: Record<string, unknown> = {}, flags: readonly string[] = [], beside = '') {
  const town = await Town.open();
  if (beside !== '') await town.house.createShare(beside);
  const share = await town.house.createShare('town-hall');
  const config = await town.house.config([stdioBackend('one')], { share: { token: share }, ...more });
  const gateway = await town.house.start(town.house.gatewayProgram(config, ...flags));
  const run = async (command: Command): Promise<string> => {
    const { code, stdout, stderr } = await runToEnd(command);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };
  const file = (name: string): string => join(town.house.home, name);
  return {
    town,
    share,
    config,
    gateway,
    file,
    mint: async (name: string, ...words: readonly string[]): Promise<string> => {
      const text = await run(town.house.program('gateway', 'token', 'mint', '--name', name, ...words));
      return keep(file(`${name}.token`), `${text}\n`);
    },
    narrow: async (name: string, ...words: readonly string[]): Promise<string> => {
      return keep(file(`${name}.token`), `${await run(town.house.program('tools', 'narrow', ...words))}\n`);
    },
    key: async (name: string): Promise<{ file: string; open: string }> => {
      const path = file(`${name}.pem`);
      return { file: path, open: await run(town.house.program('tools', 'key', path)) };
    },
    token: async (...words: readonly string[]): Promise<TokenRow[]> => {
      const text = await run(town.house.program('gateway', 'token', ...words, '--json'));
      const answer = JSON.parse(text) as TokenRow | TokenRow[];
      return Array.isArray(answer) ? answer : [answer];
    },
    agent: (token: string, ...words: readonly string[]): Command =>
      town.house.agentProgram(share, '--access', `file:${token}`, ...words),
    sessions: async (): Promise<string[]> => {
      const { sessions } = await town.house.status(share);
      return sessions.map((session) => String((session as unknown as { principal: string }).principal));
    },
    [Symbol.asyncDispose]: () => town[Symbol.asyncDispose](),
  };
}

/** Waits until the gateway has no session, and says how long that took. */
async function outAfter(sessions: () => Promise<readonly string[]>, began: number): Promise<number> {
  for (;;) {
    const left = await sessions();
    const ms = performance.now() - began;
    if (left.length === 0) return ms;
    assert.ok(ms < 10_000, `still in: ${left.join()}`);
  }
}

describe('tokens on one machine', () => {
  test('lent: it lets in as what it is, is shown by its id, and taken back while it is used', async () => {
    await using here = await tokenTown();
    const bob = await here.mint('bob', '--ttl', '2h');
    const [row] = await here.token('list');
    assert.equal(row?.name, 'bob');
    await using agent = LineClient.spawn(here.agent(bob));
    await agent.initialize();
    assert.equal((await agent.told('echo', { nonce: 'a' })).nonce, 'a');
    assert.deepEqual(await here.sessions(), [`token:${row?.id}`]);
    const open = agent.call('hang');
    await agent.told('echo', { nonce: 'b' });
    await here.token('revoke', String(row?.id));
    assert.deepEqual(await here.sessions(), [], 'when the command is back it is out');
    assert.equal((await open).error?.data?.error, 'outcome_unknown');
    refusedWith(await runToEnd(here.agent(bob), `${INITIALIZE}\n`), 'access_revoked');
    assert.ok((await here.token('list'))[0]?.revoked);
    agent.ends.input.end();
    await ended(agent);
  });

  test('for a view: its share takes tokens that were made for it, and no others; taken back without saying where', async () => {
    const views = { calm: { show: [{ backend: 'one', tools: ['echo'] }], share: { token: 'town-calm' } } };
    const roles = { all: [{ allow: { backend: 'one', tools: ['*'] } }] };
    await using here = await tokenTown({ roles, identities: { owner: ['all'] }, views }, [], 'town-calm');
    const calm = await here.mint('calm', '--role', 'all', '--view', 'calm');
    const main = await here.mint('main', '--role', 'all');
    const { house } = here.town;
    const come = (share: string, file: string): Command => house.agentProgram(share, '--access', `file:${file}`);
    await using agent = LineClient.spawn(come('town-calm', calm));
    await agent.initialize();
    assert.deepEqual(await agent.toolNames(), ['echo']);
    refusedWith(await runToEnd(come('town-calm', main), `${INITIALIZE}\n`), 'access_foreign');
    refusedWith(await runToEnd(come(here.share, calm), `${INITIALIZE}\n`), 'access_foreign');
    const [row] = await here.token('list', '--view', 'calm');
    assert.equal(row?.name, 'calm');
    const wrong = await runToEnd(house.program('gateway', 'token', 'mint', '--view', 'quiet'));
    assert.match(wrong.stderr, /no view "quiet" has a share of its own/);
    assert.equal((await runToEnd(house.program('gateway', 'token', 'revoke', 'a', '--view', 'calm'))).code, 2);
    await here.token('revoke', String(row?.id));
    assert.deepEqual(await here.sessions(), [], 'when the command is back it is out');
    // With the configuration and no word to the gateway: the same files.
    const beside = house.program('gateway', 'token', 'list', here.config, '--view', 'calm', '--json');
    assert.ok((JSON.parse((await runToEnd(beside)).stdout) as TokenRow[])[0]?.revoked);
    agent.ends.input.end();
    await ended(agent);
  });

  test('stolen: a copy of a bearer works until it is revoked, a copy of a token for a key never', async () => {
    await using here = await tokenTown();
    const [mine, thiefs] = [await here.key('alice'), await here.key('thief')];
    const bound = await here.mint('bound', '--for', mine.open);
    const bearer = await here.mint('bearer');
    const stolen = await keep(here.file('stolen.token'), await readFile(bound, 'utf8'));
    const copy = await keep(here.file('copy.token'), await readFile(bearer, 'utf8'));

    const first = `${INITIALIZE}\n`;
    assert.equal((await runToEnd(here.agent(bound, '--access-key', `file:${mine.file}`), first)).code, 0);
    const without = await runToEnd(here.agent(stolen), first);
    assert.match(without.stderr, /access_key_missing/);
    const other = await runToEnd(here.agent(stolen, '--access-key', `file:${thiefs.file}`), first);
    assert.match(other.stderr, /access_key_invalid/);
    const handed = await runToEnd(
      here.town.house.program('tools', 'narrow', '--access', `file:${stolen}`, '--for', thiefs.open),
    );
    assert.equal(handed.code, 2);
    assert.equal(handed.stdout, '');

    await using thief = LineClient.spawn(here.agent(copy));
    await thief.initialize();
    const narrowed = await here.narrow('his', '--access', `file:${copy}`, '--for', thiefs.open);
    await using child = LineClient.spawn(here.agent(narrowed, '--access-key', `file:${thiefs.file}`));
    await child.initialize();
    const row = (await here.token('list')).find(({ name }) => name === 'bearer');
    // Beside the gateway, as from a script: it looks at the file.
    const began = performance.now();
    await here.token('revoke', String(row?.id), here.config);
    const ms = await outAfter(here.sessions, began);
    refusedWith(await runToEnd(here.agent(copy), first), 'access_revoked');
    refusedWith(await runToEnd(here.agent(narrowed, '--access-key', `file:${thiefs.file}`), first), 'access_revoked');
    // What counts is from the file to the end; the rest is how long two programs take to start.
    assert.ok(ms < 10_000, `${ms} ms`);
    thief.ends.input.end();
    child.ends.input.end();
    await Promise.all([ended(thief), ended(child)]);
  });

  test('handed on: whoever holds the key narrows for another, asking nobody, and cannot use that one himself', async () => {
    await using here = await tokenTown();
    const [alice, carol] = [await here.key('alice'), await here.key('carol')];
    const root = await here.mint('alice', '--for', alice.open);
    const access = ['--access', `file:${root}`, '--access-key', `file:${alice.file}`];
    const given = await here.narrow('carol', ...access, '--tools', 'echo', '--until', '1h', '--for', carol.open);
    await using agent = LineClient.spawn(here.agent(given, '--access-key', `file:${carol.file}`));
    await agent.initialize();
    assert.deepEqual(await agent.toolNames(), ['echo'], 'what it may not is not there');
    assert.equal((await agent.told('echo', { nonce: 'in' })).nonce, 'in');
    const { error } = await agent.call('hang');
    assert.match(error?.message ?? '', /Unknown tool/);
    assert.deepEqual(await agent.all('prompts/list', 'prompts'), [], 'nor what nobody spoke of');
    const [row] = await here.token('list');
    const [session] = await here.sessions();
    assert.match(session ?? '', new RegExp(`^token:${row?.id}/[0-9a-f]{24}$`));
    const own = session?.split('/')[1] ?? '';
    const mine = await runToEnd(here.agent(given, '--access-key', `file:${alice.file}`), `${INITIALIZE}\n`);
    assert.match(mine.stderr, /access_key_invalid/);
    await here.token('revoke', own);
    assert.deepEqual(await here.sessions(), []);
    const parent = here.agent(root, '--access-key', `file:${alice.file}`);
    assert.equal((await runToEnd(parent, `${INITIALIZE}\n`)).code, 0, 'a child that is revoked leaves its parent');
    agent.ends.input.end();
    await ended(agent);
  });

  test('over: the session ends with it, and goes on with the one that was put in its place before', async () => {
    await using here = await tokenTown();
    const bob = await here.mint('bob', '--ttl', '15s');
    const next = await here.mint('next');
    await using agent = LineClient.spawn(here.agent(bob));
    await agent.initialize();
    assert.equal((await agent.told('echo', { nonce: 'before' })).nonce, 'before');
    const [first] = await here.sessions();
    await keep(bob, await readFile(next, 'utf8'));
    await until(() => here.gateway.stderr().includes('"session closed"'), 'it was over');
    assert.equal((await agent.told('echo', { nonce: 'after' })).nonce, 'after', 'the agent notices nothing');
    assert.notDeepEqual(await here.sessions(), [first]);
  });

  test('over, and nothing in its place: whoever asks is told why, at once', async () => {
    await using here = await tokenTown();
    const bob = await here.mint('bob', '--ttl', '15s');
    await using agent = LineClient.spawn(here.agent(bob));
    await agent.initialize();
    await until(() => here.gateway.stderr().includes('"session closed"'), 'it was over');
    const { error } = await agent.call('echo', { nonce: 'late' });
    assert.equal(error?.data?.refused, 'access_expired');
    agent.ends.input.end();
    await ended(agent);
  });

  test('a link that is broken at the time is not taken up again', async () => {
    await using here = await tokenTown();
    const bob = await here.mint('bob');
    await using agent = LineClient.spawn(here.agent(bob, '--log-level', 'debug'));
    await agent.initialize();
    agent.ends.kill('SIGSTOP');
    const [row] = await here.token('list');
    const began = performance.now();
    await here.token('revoke', String(row?.id));
    const ms = await outAfter(here.sessions, began);
    assert.ok(ms < 5000, `${ms} ms with two programs started`);
    agent.ends.kill('SIGCONT');
    await agent.said(/was revoked/);
    assert.deepEqual(await here.sessions(), []);
    agent.ends.input.end();
    await ended(agent);
  });

  test('a token stands in no log, no error, no list of processes and no status', async () => {
    await using here = await tokenTown();
    const bob = await here.mint('bob');
    const text = (await readFile(bob, 'utf8')).trim();
    await using agent = LineClient.spawn(here.agent(bob, '--log-level', 'debug'));
    await agent.initialize();
    const [row] = await here.token('list');
    await here.token('revoke', String(row?.id));
    const refused = await runToEnd(here.agent(bob, '--log-level', 'debug'), `${INITIALIZE}\n`);
    const typed = await runToEnd(here.town.house.agentProgram(here.share, '--access', text), `${INITIALIZE}\n`);
    assert.equal(typed.code, 2);
    assert.match(typed.stderr, /a token itself has no place on a command line/);
    const revoked = await runToEnd(here.town.house.program('gateway', 'token', 'revoke', text));
    assert.equal(revoked.code, 2);
    const status = JSON.stringify(await here.town.house.status(here.share));
    const peers = JSON.stringify(await here.town.peers());
    const kept = await readFile(join(here.town.house.home, 'tokens', `${here.share}.json`), 'utf8');
    const said = [
      here.gateway.stderr(),
      agent.ends.stderr(),
      refused.stderr,
      refused.stdout,
      typed.stderr,
      revoked.stderr,
    ];
    for (const place of [...said, status, peers, kept]) assert.equal(place.includes(text.slice(6, 60)), false);
    agent.ends.input.end();
    await ended(agent);
  });

  test('wrong use is said before anything is made', async () => {
    await using here = await tokenTown({ tokens: { max_ttl: '1h' } });
    const rows: [readonly string[], RegExp][] = [
      [['mint', '--ttl', '8x'], /expected a lifetime/],
      [['mint'], /longer than tokens\.max_ttl/],
      [['mint', '--ttl', '1h', '--role', 'reader'], /has no roles/],
      [['mint', '--ttl', '1h', '--for', 'x'], /no key of a holder/],
      [['mint', '--ttl', '1h', '--for', 'x', '--bearer'], /either --for or --bearer/],
      [['mint', '--ttl', '1h', '--tools', '[ab]'], /no sets/],
      [['revoke'], /ID is missing/],
      [['revoke', 'bob'], /no id of a token/],
      [['list', '--ttl', '1h'], /--ttl is for mint/],
      [['make'], /expected mint, list or revoke/],
    ];
    for (const [words, expected] of rows) {
      const { code, stdout, stderr } = await runToEnd(here.town.house.program('gateway', 'token', ...words));
      assert.deepEqual([code, stdout], [2, ''], words.join(' '));
      assert.match(stderr, expected, words.join(' '));
    }
    assert.deepEqual(await here.token('list'), []);
    const nothing = await runToEnd(here.agent('/nowhere'), `${INITIALIZE}\n`);
    assert.match(nothing.stderr, /secret_missing/);
  });

  test('without a gateway: made on the files of its share, and good when it runs', async () => {
    await using town = await Town.open();
    const share = await town.house.createShare('town-hall');
    const { code, stdout, stderr } = await runToEnd(
      town.house.program('gateway', 'token', 'mint', '--share', share, '--overlay', 'local', '--name', 'early'),
    );
    assert.equal(code, 0, stderr);
    const file = await keep(join(town.house.home, 't'), stdout);
    await town.gateway(share, {}, []);
    const agent = town.house.agentProgram(share, '--access', `file:${file}`);
    assert.equal((await runToEnd(agent, `${INITIALIZE}\n`)).code, 0);
  });
});

describe('who is in on a certificate', () => {
  test('revoked: its live session is out within a second, also one whose connection is broken', async () => {
    await using town = await Town.open();
    const token = await town.house.createShare('town-hall');
    await town.gateway(token, { grants: ['network'] }, await town.as('gateway'));
    const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) => town.ca.issue(name));
    assert.ok(alice && bob && carol);
    await using first = LineClient.spawn(town.house.agentProgram(token, ...(await town.as('alice', alice))));
    await using gone = LineClient.spawn(town.house.agentProgram(token, ...(await town.as('bob', bob))));
    await using other = LineClient.spawn(town.house.agentProgram(token, ...(await town.as('carol', carol))));
    await Promise.all([first.initialize(), gone.initialize(), other.initialize()]);
    gone.ends.kill('SIGKILL');
    await ended(gone);
    const began = performance.now();
    await town.trustFile(town.ca.revocationList([alice.serial, bob.serial]));
    const theirs = async (): Promise<string[]> => {
      const { sessions } = await town.house.status(token);
      return sessions
        .map((session) => String((session as unknown as { principal: string }).principal))
        .filter((id) => id !== 'x509:CN=carol');
    };
    // One look takes a program: as long as it is found out by then, the second has held.
    await wait(Math.max(0, OUT_MS - (performance.now() - began)));
    assert.deepEqual(await theirs(), []);
    assert.equal((await other.told('echo', { nonce: 'still' })).nonce, 'still', 'nobody else is touched');
    refusedWith(await town.initialize(token, await town.as('alice', alice)), 'proof_revoked');
    first.ends.input.end();
    await ended(first);
  });

  test('over: its live session is out within a second, and in again with a renewed one', async () => {
    await using town = await Town.open();
    const token = await town.house.createShare('town-hall');
    await town.gateway(token, { grants: ['network'] }, await town.as('gateway'));
    // A minute is granted for clocks: of that five seconds are left. Certificates count whole seconds.
    const end = Math.floor(Date.now() / 1000) * 1000 + 6000;
    const issued = town.ca.issue('alice', { notAfter: new Date(end - 60_000) });
    await using agent = LineClient.spawn(town.house.agentProgram(token, ...(await town.as('alice', issued))));
    await agent.initialize();
    assert.equal((await agent.told('echo', { nonce: 'in' })).nonce, 'in');
    const sessions = async (): Promise<number> => (await town.house.status(token)).sessions.length;
    assert.equal(await sessions(), 1);
    await wait(Math.max(0, end - 500 - Date.now()));
    if (Date.now() < end - 200) assert.equal((await agent.told('echo', { nonce: 'still' })).nonce, 'still');
    await wait(Math.max(0, end + OUT_MS - Date.now()));
    assert.equal(await sessions(), 0);
    await town.as('alice', town.ca.issue('alice'));
    await town.house.untilStatus(token, ({ sessions }) => sessions.length === 1);
    assert.equal((await agent.told('echo', { nonce: 'again' })).nonce, 'again');
  });

  test('a bridge sends away just the same', async () => {
    await using town = await Town.open();
    const server = stdioBackend('one').transport as unknown as { command: string; args: string[] };
    const me = await town.as('bridge');
    const bridge = await town.house.start(
      town.house.program('bridge', '--overlay', 'local', ...me, '--grant', 'network', server.command, ...server.args),
    );
    const alice = town.ca.issue('alice');
    const token = bridge.ready.share_token ?? '';
    await using agent = LineClient.spawn(town.house.agentProgram(token, ...(await town.as('alice', alice))));
    await agent.initialize();
    await town.trustFile(town.ca.revocationList([alice.serial]));
    await until(() => bridge.stderr().includes('session closed'), 'it was sent away');
    const tokenless = await runToEnd(
      town.house.agentProgram(token, '--access', `file:${await keep(join(town.house.home, 'j'), 'e30.e30.x')}`),
      `${INITIALIZE}\n`,
    );
    assert.match(tokenless.stderr, /access_not_taken/);
    agent.ends.input.end();
    await ended(agent);
  });
});

describe('JWTs of an issuer', () => {
  const ISSUER = 'https://idp.example';
  const key = generateKeyPairSync('ed25519').privateKey;
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const jwt = (sub: string, seconds: number): string => {
    const claims = { iss: ISSUER, aud: 'hall', sub, exp: Math.floor(Date.now() / 1000) + seconds };
    const text = `${encode({ alg: 'EdDSA', kid: 'k' })}.${encode(claims)}`;
    return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
  };
  const jwks = (kid: string): string => {
    const { d: _d, ...open } = key.export({ format: 'jwk' });
    return JSON.stringify({ keys: kid === '' ? [] : [{ ...open, kid }] });
  };

  test('T07: over a link and over HTTP; out when its key is gone; what the client sends as headers stays here', async () => {
    const seen: string[] = [];
    const reflect = createServer((request, response) => {
      seen.push(JSON.stringify([request.rawHeaders, request.url]));
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      request.on('end', () => {
        const { id, method } = (body === '' ? {} : JSON.parse(body)) as { id?: unknown; method?: string };
        if (id === undefined) return response.writeHead(request.method === 'POST' ? 202 : 405).end();
        seen.push(body);
        const result =
          method === 'initialize'
            ? { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'r', version: '1' } }
            : method === 'tools/list'
              ? { tools: [{ name: 'look', inputSchema: { type: 'object' } }] }
              : { content: [{ type: 'text', text: JSON.stringify(request.rawHeaders) }] };
        return response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ jsonrpc: '2.0', id, result }));
      });
    });
    await new Promise<void>((resolve) => reflect.listen(0, '127.0.0.1', resolve));
    try {
      await using town = await Town.open();
      const share = await town.house.createShare('town-hall');
      const keys = await keep(join(town.house.home, 'jwks.json'), jwks('k'));
      const { port } = reflect.address() as AddressInfo;
      const mirror = {
        id: 'mirror',
        transport: {
          type: 'http',
          endpoint: `http://127.0.0.1:${port}/mcp`,
          protocol: 'streamable',
          allow_insecure: true,
        },
      };
      const issuers = [{ issuer: ISSUER, audience: 'hall', jwks: keys, algorithms: ['EdDSA'] }];
      const config = await town.house.config([mirror, stdioBackend('one')], {
        share: { token: share, grants: [`jwt:${ISSUER}#bob`] },
        issuers,
      });
      const gateway = await town.house.start(town.house.gatewayProgram(config));
      const bob = jwt('bob', 600);
      const file = await keep(join(town.house.home, 'bob.jwt'), bob);
      const flags = ['--access', `file:${file}`, '--log-level', 'debug'];
      await using agent = LineClient.spawn(town.house.agentProgram(share, ...flags));
      await agent.initialize();
      const looked = await agent.call('mirror__look', {}, { 'x-secret': 'META' });
      assert.ok(looked.result, JSON.stringify(looked.error));
      const mallory = await keep(join(town.house.home, 'mallory.jwt'), jwt('mallory', 600));
      refusedWith(
        await runToEnd(town.house.agentProgram(share, '--access', `file:${mallory}`), `${INITIALIZE}\n`),
        'peer_refused',
      );

      // Any HTTP client on the share's own connection.
      const overlay = createLocalOverlay({ env: { MCP_OVERLAY_HOME: town.house.home } });
      const speak = async (bearer: string): Promise<string> => {
        const connection = await overlay.dial(share);
        let heard = '';
        connection.on('error', () => {});
        connection.setEncoding('utf8').on('data', (chunk: string) => {
          heard += chunk;
        });
        const request = `POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bearer}\r\nX-Custom: TELLTALE\r\nCookie: TELLTALE\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\nContent-Length: ${INITIALIZE.length}\r\n\r\n${INITIALIZE}`;
        connection.write(request);
        await until(() => heard.includes('"id":1') || heard.includes('"error"'), 'an answer');
        connection.destroy();
        return heard;
      };
      assert.match(await speak(bob), /^HTTP\/1\.1 200 [\s\S]*mcp-session-id/i);
      assert.match(await speak(jwt('bob', -600)), /^HTTP\/1\.1 401 [\s\S]*jwt_expired/);
      assert.equal(
        (await town.peers()).some(({ id }) => id === `jwt:${ISSUER}#bob`),
        true,
      );
      await overlay.close();

      const everything = [...seen, gateway.stderr(), agent.ends.stderr()].join('\n');
      for (const secret of [bob.slice(-40), bob.split('.')[1] ?? '', 'TELLTALE']) {
        assert.equal(everything.includes(secret), false, secret);
      }
      const began = performance.now();
      await keep(keys, jwks(''));
      await wait(Math.max(0, OUT_MS - (performance.now() - began)));
      assert.deepEqual((await town.house.status(share)).sessions, []);
      refusedWith(await runToEnd(town.house.agentProgram(share, ...flags), `${INITIALIZE}\n`), 'jwt_key_unknown');
      agent.ends.input.end();
      await ended(agent);
    } finally {
      reflect.closeAllConnections();
      reflect.close();
    }
  });
});

test('OpenZiti: a token of a gateway, from another machine; stolen on the way it is of no use', {
  timeout: 120_000,
}, async () => {
  await using w = await world();
  w.network.addService('town-hall');
  const [here, there] = await Promise.all([w.home('here'), w.home('there')]);
  const [host, guest] = ['host', 'guest'].map((name) => w.network.addIdentity(name));
  assert.ok(host && guest);
  const as = async (identity: typeof host) => [
    '--overlay',
    'ziti',
    '--identity',
    await w.network.identityFile(identity),
  ];
  const config = join(here.path, 'config.yml');
  await writeFile(config, stringify({ share: { token: 'town-hall' }, backends: [stdioBackend('own')] }));
  await w.house.start(here.program('gateway', 'run', config, ...(await as(host))));
  const me = await as(guest);
  const run = (...flags: readonly string[]): Command => there.program('tools', 'run', 'town-hall', ...me, ...flags);
  const refused = async (code: string, ...flags: readonly string[]): Promise<void> => {
    const { stderr } = await runToEnd(run(...flags), `${INITIALIZE}\n`);
    assert.ok(stderr.includes(code), `${code} in: ${stderr}`);
  };
  await refused('peer_refused');

  await mkdir(join(there.path, 'keys'));
  const pem = join(there.path, 'keys', 'me.pem');
  const open = (await there.tools('key', pem)).stdout.trim();
  const minted = await runToEnd(here.program('gateway', 'token', 'mint', '--for', open, '--name', 'guest'));
  assert.equal(minted.code, 0, minted.stderr);
  const file = await keep(join(there.path, 'token'), minted.stdout);
  const flags = ['--access', `file:${file}`, '--access-key', `file:${pem}`];
  await using agent = LineClient.spawn(run(...flags));
  await agent.initialize();
  assert.equal((await agent.told('echo', { nonce: 'in' })).nonce, 'in');
  const stolen = await runToEnd(run('--access', `file:${file}`), `${INITIALIZE}\n`);
  assert.match(stolen.stderr, /access_key_missing/);
  const jwt = await keep(join(there.path, 'jwt'), 'e30.e30.x');
  await refused('jwt_issuer', '--access', `file:${jwt}`);

  const listed = await runToEnd(here.program('gateway', 'token', 'list', '--json'));
  const [row] = JSON.parse(listed.stdout) as TokenRow[];
  assert.equal((await runToEnd(here.program('gateway', 'token', 'revoke', String(row?.id)))).code, 0);
  const status = await runToEnd(here.program('gateway', 'status', '--json'));
  assert.deepEqual((JSON.parse(status.stdout) as { sessions: unknown[] }).sessions, []);
  await refused('access_revoked', ...flags);
  agent.ends.input.end();
  await ended(agent);
});
