// configs/team.yml acted out with the built programs: three people, two roles, and everything somebody might try. Rules, limits,
// audit, credentials, pins, scrubbing and alarms are those of the file; servers, ids and keys are this test's.

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
import { Tickets } from './tickets.ts';
import { ended, INITIALIZE, refusedWith, Town, until } from './town.ts';
import { world } from './world.ts';

const timeout = 240_000;
const TOOLS = ['read_file', 'list_directory', 'write_file', 'move_file'];
const IDS = { alice: 'x509:CN=alice', bob: 'x509:CN=bob' };
const PATIENT = { connection: { list_wait: '60s' } };

interface TeamFile {
  readonly backends: readonly { readonly id: string; readonly transport: unknown }[];
  readonly identities: Readonly<Record<string, { readonly roles?: readonly string[] } | readonly string[]>>;
  readonly audit: Readonly<Record<string, unknown>>;
  readonly alarms: { readonly hours: Readonly<Record<string, unknown>> };
  readonly [key: string]: unknown;
}

/** Where it is two in the morning now. */
function nightZone(): string {
  const east = ((2 - new Date().getUTCHours() + 36) % 24) - 12;
  // The sign of these names is that of the sum to UTC.
  return east === 0 ? 'Etc/GMT' : `Etc/GMT${east > 0 ? '-' : '+'}${Math.abs(east)}`;
}

/** What is the same wherever the team is: the file, with servers that run here and ids of whoever is here. */
async function teamFile(
  folder: string,
  share: string,
  ids: Readonly<Record<string, string>>,
  tickets: Tickets,
): Promise<string> {
  const file = parse(await readFile(join(root, 'configs', 'team.yml'), 'utf8')) as TeamFile;
  assert.deepEqual(
    file.backends.map(({ id }) => id),
    ['files', 'db', 'tickets'],
  );
  const servers = [
    commandBackend('files', fixture('named-server.mjs', ...TOOLS)),
    commandBackend('db', fixture('sql-server.mjs')),
    commandBackend('tickets', tickets.command),
  ];
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
    backends: file.backends.map((backend, at) => ({ ...backend, ...servers[at] })),
    identities,
    alarms: { ...file.alarms, hours: { ...file.alarms.hours, zone: nightZone() } },
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
    'db__dump_credentials',
    'db__execute_sql',
    'db__list_tables',
    'files__list_directory',
    'files__read_file',
    'files__write_file',
  ]);
  assert.deepEqual((await bob.toolNames()).toSorted(), [
    'db__dump_credentials',
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
    const config = await teamFile(house.home, share, IDS, await Tickets.open(house));
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
    assert.deepEqual((await robot.toolNames()).toSorted(), [
      'db__dump_credentials',
      'db__list_tables',
      'files__list_directory',
    ]);
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

  test('its tools: a poisoned server, a rug pull at the third call, an injected result, a secret in an answer, a loop, a decoy at night', async () => {
    await using town = await Town.open();
    const { house } = town;
    const share = await house.createShare('team');
    const tickets = await Tickets.open(house);
    const config = await teamFile(house.home, share, IDS, tickets);
    const gateway = await house.start(house.gatewayProgram(config, ...(await town.as('gateway'))));
    const come = async (name: string): Promise<LineClient> => {
      const agent = LineClient.spawn(house.agentProgram(share, ...(await town.as(name))));
      await agent.initialize();
      return agent;
    };
    await using alice = await come('alice');
    await using bob = await come('bob');
    const ticketsOf = async (agent: LineClient): Promise<string[]> =>
      (await agent.toolNames()).filter((name) => name.startsWith('tickets__'));

    // A poisoned server: nothing of it is shown before somebody looked, and one tool of it never is.
    assert.deepEqual(await ticketsOf(alice), []);
    const first = await tickets.look();
    assert.match(first.get('list_tickets')?.shown ?? '', /trigger words: "<IMPORTANT>"/);
    assert.match(first.get('list_tickets')?.shown ?? '', /cross reference: .*"read_file"/);
    assert.doesNotMatch(first.get('read_ticket')?.shown ?? '', /!/);
    await tickets.decide('list_tickets', first, '--deny');
    await tickets.decide('read_ticket', first);
    await tickets.decide('close_ticket', first);
    assert.deepEqual((await ticketsOf(alice)).toSorted(), ['tickets__close_ticket', 'tickets__read_ticket']);
    assert.deepEqual(await ticketsOf(bob), ['tickets__read_ticket']);

    // An injected result: marked as data and on record; what it asks for is not there, whoever obeys.
    const injected = await alice.call('tickets__read_ticket', { id: 1 });
    assert.match(
      textOf(injected),
      /^\[data [0-9a-f]+: .*Ignore all previous instructions.*\[end of data [0-9a-f]+\]$/s,
    );
    const note = (injected.result?._meta as Readonly<Record<string, unknown>> | undefined)?.['mcp-overlay/scrub'];
    assert.match(JSON.stringify(note), /override-instructions/);
    assert.match(
      (await alice.call('files__move_file', { source: '/a', destination: '/b' })).error?.message ?? '',
      /Unknown/,
    );

    // A secret in an answer: somebody's key, and the credential that this server has for this caller.
    await tickets.answers(tickets.leaky());
    const leaked = textOf(await bob.call('tickets__read_ticket', { id: 2 }));
    assert.match(leaked, /my key is \[removed:secret-[a-z-]+\], yours \[secret\]/);

    // The rug pull: at her third call the tool is another one.
    await tickets.change(3);
    assert.equal((await alice.call('tickets__read_ticket', { id: 2 })).error, undefined);
    await alice.call('tickets__read_ticket', { id: 3 });
    assert.deepEqual(await ticketsOf(alice), ['tickets__close_ticket']);
    assert.equal((await alice.call('tickets__read_ticket', { id: 4 })).error?.data?.code, 'pin');
    const second = await tickets.look();
    assert.match(second.get('read_ticket')?.shown ?? '', /new required parameter: "notes"/);
    await tickets.decide('read_ticket', second);
    assert.deepEqual((await ticketsOf(alice)).toSorted(), ['tickets__close_ticket', 'tickets__read_ticket']);

    // A runaway loop is slowed, then refused; another call passes.
    const read = (path: string): Promise<Reply> => bob.call('files__read_file', { path: `/srv/team/public/${path}` });
    for (let call = 1; call <= 23; call += 1) assert.equal((await read('same')).error, undefined, `${call}`);
    assert.equal((await read('same')).error?.data?.error, 'looping');
    assert.equal((await read('other')).error, undefined);

    // A decoy at night.
    assert.equal((await alice.call('db__dump_credentials')).result?.isError, true);
    const rang = JSON.parse((await done(house.program('gateway', 'alarms', '--json'))).stdout) as {
      open: readonly { rule: string; ident: string; target?: string; count: number; seqs: readonly number[] }[];
    };
    const causes = rang.open.filter(({ rule }) => ['decoy', 'loop', 'hours'].includes(rule));
    assert.deepEqual(causes.map(({ rule, ident }) => `${rule} ${ident}`).toSorted(), [
      `decoy ${IDS.alice}`,
      `hours ${IDS.alice}`,
      `hours ${IDS.bob}`,
      `loop ${IDS.bob}`,
    ]);
    assert.ok(
      causes.every(({ seqs }) => seqs.length > 0),
      'with evidence',
    );

    await leave(alice, bob);
    await gateway.end();
    await done(house.program('gateway', 'audit', 'verify', config));
    const records = (await done(house.program('gateway', 'audit', 'query', config, '--json'))).stdout;
    for (const part of [
      'pin.new',
      'pin.change',
      'scrub.hit',
      'override-instructions',
      'alarms.loop.refuse',
      '"decoy"',
    ]) {
      assert.ok(records.includes(part), part);
    }
    const said =
      [alice, bob].flatMap(({ lines }) => lines.map(({ raw }) => raw)).join('\n') + gateway.stderr() + records;
    for (const secret of tickets.secrets) assert.ok(!said.includes(secret), 'no secret anywhere');
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
    const config = await teamFile(here.path, 'team', ids, await Tickets.open(here));
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
