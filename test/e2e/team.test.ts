// configs/team.yml acted out with the built programs: three people, two roles, and everything somebody might try. The rules,
// limits and audit are those of the file; backends, ids and keys are this test's.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { type Command, type Finished, root, runToEnd } from './harness.ts';
import { LineClient, type Reply } from './line-client.ts';
import { commandBackend, fixture } from './servers.ts';
import { ended, INITIALIZE, refusedWith, Town, until } from './town.ts';
import { world } from './world.ts';

const timeout = 240_000;
const TOOLS = ['read_file', 'list_directory', 'write_file', 'move_file'];
const PATIENT = { connection: { list_wait: '60s' } };

interface TeamFile {
  readonly backends: readonly { readonly id: string }[];
  readonly identities: Readonly<Record<string, { readonly roles?: readonly string[] } | readonly string[]>>;
  readonly audit: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

/** What is the same wherever the team is: the file, with servers that run here and ids of whoever is here. */
async function teamFile(folder: string, share: string, ids: Readonly<Record<string, string>>): Promise<string> {
  const file = parse(await readFile(join(root, 'configs', 'team.yml'), 'utf8')) as TeamFile;
  assert.deepEqual(
    file.backends.map(({ id }) => id),
    ['files', 'db'],
  );
  await writeFile(join(folder, 'audit.key'), randomBytes(32).toString('hex'), { mode: 0o600 });

  const identities = Object.fromEntries(
    Object.entries(file.identities).map(([name, entry]) => {
      const id = ids[name];
      return [name, id === undefined ? entry : { ...entry, is: [id] }];
    }),
  );
  const here = {
    ...file,
    share: { token: share },
    aggregator: PATIENT,
    backends: [
      commandBackend('files', fixture('named-server.mjs', ...TOOLS)),
      commandBackend('db', fixture('sql-server.mjs')),
    ],
    identities,
    audit: { ...file.audit, path: join(folder, 'audit'), key: `file:${join(folder, 'audit.key')}` },
  };
  const path = join(folder, 'team.yml');
  await writeFile(path, stringify(here));
  return path;
}

const sql = (agent: LineClient, query: string): Promise<Reply> => agent.call('db__execute_sql', { query });

function textOf({ result, error }: Reply): string {
  assert.equal(error, undefined, JSON.stringify(error));
  const [first] = (result?.content ?? []) as readonly { readonly text?: string }[];
  return first?.text ?? '';
}

async function done(command: Command): Promise<Finished> {
  const finished = await runToEnd(command);
  assert.equal(finished.code, 0, finished.stderr);
  return finished;
}

/** Says what an engineer and a supporter of the file see and may do; what the network is does not matter. */
async function dayAtWork(alice: LineClient, bob: LineClient): Promise<void> {
  assert.deepEqual((await alice.toolNames()).toSorted(), [
    'db__execute_sql',
    'db__list_tables',
    'files__list_directory',
    'files__read_file',
    'files__write_file',
  ]);
  assert.deepEqual((await bob.toolNames()).toSorted(), [
    'db__list_tables',
    'files__list_directory',
    'files__read_file',
  ]);
  assert.equal(textOf(await sql(alice, 'select sum(total) from orders')), '[{"sum":42}]');
  for (const query of [
    'drop table orders',
    'select 1; drop table orders',
    'delete from orders',
    'select pg_sleep(9)',
  ]) {
    const { error } = await sql(alice, query);
    assert.equal(error?.data?.error, 'refused', query);
    assert.ok(typeof (error?.data?.audit as { seq?: unknown } | undefined)?.seq === 'number', 'on record, by number');
  }
  assert.equal(textOf(await sql(alice, 'select count(*) from orders')), '[{"count":2}]', 'nothing of it reached it');
  assert.match((await sql(bob, 'select 1')).error?.message ?? '', /Unknown tool/, 'what he may not is not there');
  assert.match((await bob.call('files__write_file', { path: '/srv/team/public/x' })).error?.message ?? '', /Unknown/);
  assert.equal((await bob.call('files__read_file', { path: '/srv/team/public/x' })).error, undefined);
  for (const path of ['/etc/passwd', '/srv/team/public/../private', '/srv/team/publicly']) {
    assert.equal((await bob.call('files__read_file', { path })).error?.data?.error, 'refused', path);
  }
}

async function leave(...agents: readonly LineClient[]): Promise<void> {
  for (const agent of agents) agent.ends.input.end();
  await Promise.all(agents.map(ended));
}

describe('a team', { timeout }, () => {
  test('on one machine: roles, a stolen token, a narrowed one, a revoked certificate, a drop table, another’s session, an edited log, a cut one', async () => {
    await using town = await Town.open();
    const { house } = town;
    const share = await house.createShare('team');
    const config = await teamFile(house.home, share, { alice: 'x509:CN=alice', bob: 'x509:CN=bob' });
    const gateway = await house.start(house.gatewayProgram(config, ...(await town.as('gateway'))));
    const issued = { alice: town.ca.issue('alice'), bob: town.ca.issue('bob') };
    const flags = { alice: await town.as('alice', issued.alice), bob: await town.as('bob', issued.bob) };
    const come = async (...words: readonly string[]): Promise<LineClient> => {
      const agent = LineClient.spawn(house.agentProgram(share, ...words));
      await agent.initialize();
      return agent;
    };
    await using alice = await come(...flags.alice);
    await using bob = await come(...flags.bob);
    await dayAtWork(alice, bob);
    refusedWith(await town.initialize(share, await town.as('carol')), 'peer_refused');

    // Alice lends to Carol what a supporter may, for Carol's key alone; Carol hands less of it on.
    const pem = join(house.home, 'carol.pem');
    const key = (await done(house.program('tools', 'key', pem))).stdout.trim();
    const lend = house.program('gateway', 'token', 'mint', '--name', 'carol', '--role', 'support', '--for', key);
    const token = join(house.home, 'carol.token');
    await writeFile(token, (await done(lend)).stdout, { mode: 0o600 });
    const access = ['--access', `file:${token}`];
    const mine = [...access, '--access-key', `file:${pem}`];
    await using carol = await come(...mine);
    assert.deepEqual((await carol.toolNames()).toSorted(), await bob.toolNames().then((names) => names.toSorted()));
    const stolen = await runToEnd(house.agentProgram(share, ...access), `${INITIALIZE}\n`);
    assert.match(stolen.stderr, /access_key_missing/);
    const less = (await done(house.program('tools', 'narrow', ...mine, '--tools', 'list_*', '--bearer'))).stdout;
    const narrowed = join(house.home, 'robot.token');
    await writeFile(narrowed, less, { mode: 0o600 });
    await using robot = await come('--access', `file:${narrowed}`);
    assert.deepEqual((await robot.toolNames()).toSorted(), ['db__list_tables', 'files__list_directory']);
    assert.match(
      (await robot.call('files__read_file', { path: '/srv/team/public/x' })).error?.message ?? '',
      /Unknown/,
    );

    // Somebody else's session: Carol's, named by the robot.
    const bearer = less.trim();
    const opened = await overHttp(house.socket(share), bearer, INITIALIZE, undefined);
    assert.equal(opened.status, 200);
    const list = '{"jsonrpc":"2.0","id":2,"method":"tools/list"}';
    assert.equal((await overHttp(house.socket(share), undefined, list, opened.session)).status, 404);
    assert.equal((await overHttp(house.socket(share), bearer, list, opened.session)).status, 200);

    // Bob's certificate is taken back while he is in.
    await town.trustFile(town.ca.revocationList([issued.bob.serial]));
    await until(() => gateway.stderr().includes('proof_revoked'), 'he was sent away');
    refusedWith(await town.initialize(share, flags.bob), 'proof_revoked');
    assert.equal((await alice.call('db__list_tables')).error, undefined, 'nobody else is touched');
    await leave(alice, bob, carol, robot);
    await gateway.end();

    // What happened, and what the log says when somebody changes it.
    const audit = (...words: readonly string[]): Promise<Finished> =>
      runToEnd(house.program('gateway', 'audit', ...words));
    const asked = await audit('query', config, '--ident', 'x509:CN=alice', '--decision', 'deny', '--json');
    assert.equal(asked.code, 0, asked.stderr);
    assert.equal(asked.stdout.trim().split('\n').length, 4, asked.stdout);
    assert.equal(
      (await audit('query', config, '--arg', 'query=drop table orders', '--json')).stdout.includes('deny'),
      true,
    );
    assert.equal((await audit('verify', config)).code, 0);
    const receipts = join(house.home, 'receipts.jsonl');
    await done(house.program('tools', 'receipts', share, '-o', receipts, ...flags.alice, '--overlay', 'local'));
    assert.equal((await audit('verify', config, '--anchor', receipts)).code, 0);

    const segment = await segmentOf(join(house.home, 'audit'));
    const whole = await readFile(segment, 'utf8');
    await writeFile(segment, whole.replace('drop', 'keep').replace('"decision":"deny"', '"decision":"lent"'));
    const edited = await audit('verify', config);
    assert.equal(edited.code, 1, edited.stdout);
    assert.match(edited.stdout + edited.stderr, /modified/);
    const lines = whole.split('\n');
    await writeFile(segment, `${lines.slice(0, 6).join('\n')}\n`);
    const cut = await audit('verify', config, '--anchor', receipts);
    assert.equal(cut.code, 1, cut.stdout);
    assert.match(cut.stdout + cut.stderr, /truncated/);
    await writeFile(segment, whole);
    assert.equal((await audit('verify', config, '--anchor', receipts)).code, 0);
  });

  test('over OpenZiti: the same file, with identities of the network', async () => {
    await using w = await world();
    w.network.addService('team');
    const [here, there] = await Promise.all([w.home('here'), w.home('there')]);
    const people = Object.fromEntries(
      ['gateway', 'alice', 'bob', 'carol'].map((name) => [name, w.network.addIdentity(name)]),
    );
    const as = async (name: string): Promise<string[]> => {
      const identity = people[name];
      assert.ok(identity);
      return ['--overlay', 'ziti', '--identity', await w.network.identityFile(identity)];
    };
    const ids = { alice: `ziti:${people.alice?.id}`, bob: `ziti:${people.bob?.id}` };
    const config = await teamFile(here.path, 'team', ids);
    const gateway = await w.house.start(here.program('gateway', 'run', config, ...(await as('gateway'))));
    const come = async (name: string): Promise<LineClient> => {
      const agent = LineClient.spawn(there.program('tools', 'run', 'team', ...(await as(name))));
      await agent.initialize();
      return agent;
    };
    await using alice = await come('alice');
    await using bob = await come('bob');
    await dayAtWork(alice, bob);
    const carol = await runToEnd(there.program('tools', 'run', 'team', ...(await as('carol'))), `${INITIALIZE}\n`);
    refusedWith(carol, 'peer_refused');
    await done(here.program('gateway', 'peers', 'deny', ids.bob));
    const shut = await runToEnd(there.program('tools', 'run', 'team', ...(await as('bob'))), `${INITIALIZE}\n`);
    refusedWith(shut, 'peer_denied');
    assert.equal((await alice.call('db__list_tables')).error, undefined);
    await leave(alice, bob);
    await gateway.end();
    await done(here.program('gateway', 'audit', 'verify', config));
    const asked = await done(here.program('gateway', 'audit', 'query', config, '--ident', ids.bob, '--json'));
    assert.ok(asked.stdout.includes('read_file'), asked.stdout);
  });
});

interface HttpAnswer {
  readonly status: number | undefined;
  readonly session: string | undefined;
}

/** One request on the share's socket, as any HTTP client of this user could make it. */
function overHttp(
  socketPath: string,
  bearer: string | undefined,
  body: string,
  session: string | undefined,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        socketPath,
        method: 'POST',
        path: '/mcp',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
          ...(session === undefined ? {} : { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
        },
      },
      (answer) => {
        const id = answer.headers['mcp-session-id'];
        resolve({ status: answer.statusCode, session: typeof id === 'string' ? id : undefined });
        answer.destroy();
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

/** The one file of records of the one log there. */
async function segmentOf(folder: string): Promise<string> {
  const files = await readdir(folder, { recursive: true });
  const segments = files.filter((file) => /\d{10}\.jsonl$/.test(file));
  assert.equal(segments.length, 1, segments.join());
  return join(folder, segments[0] ?? '');
}
