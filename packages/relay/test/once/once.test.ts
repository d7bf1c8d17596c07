// One server that runs each key once: attach, stored answers, the truth about what nobody knows.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  errorMessage,
  Ledger,
  type LedgerOptions,
  type Message,
  notificationMessage,
  ONCE_LIMITS,
  OnceSession,
  parseMessage,
  requestMessage,
  resultMessage,
} from '../../src/index.ts';
import { linkedTransports, MemoryLedgerFiles } from '../../src/testing/index.ts';
import { errorOf, Queue } from '../steady/one-server.ts';

const SESSION = 'ab'.repeat(16);
const echo = (id: string, call: number | undefined, text = 'hello') =>
  requestMessage(id, 'tools/call', { name: 'echo', arguments: { text } }, call);

async function openHouse(options: Partial<LedgerOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'once-'));
  const ledgers: Ledger[] = [];
  return {
    folder,
    async ledger(more: Partial<LedgerOptions> = {}): Promise<Ledger> {
      const ledger = await Ledger.open({ folder: join(folder, 'ledger'), ...options, ...more });
      ledgers.push(ledger);
      return ledger;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(ledgers.map((ledger) => ledger.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function openOnce(ledger: Ledger, mayRunTwice?: (tool: string) => boolean, session = SESSION) {
  const [near, far] = linkedTransports();
  const client = new Queue();
  const server = new Queue();
  far.start({ message: (message) => server.push(message), fault: () => {}, closed: () => {} });
  const once = new OnceSession({
    server: near,
    ledger,
    session,
    name: 'backend fs',
    facts: { backend: 'fs' },
    mayRunTwice,
  });
  let over: (code: string) => void = () => {};
  const closed = new Promise<string>((resolve) => {
    over = resolve;
  });
  once.start({ message: (message) => client.push(message), fault: () => {}, closed: ({ code }) => over(code) });
  return { once, far, client, server, closed };
}

const textOf = (message: Message) => (parseMessage(message) as { result?: { text?: string } }).result?.text;

test('calls without a key pass untouched, and answers with them', async () => {
  await using house = await openHouse();
  const ledger = await house.ledger();
  const { once, far, client, server } = openOnce(ledger);
  const asked = echo('1', undefined);
  once.send(asked);
  assert.equal(await server.next(), asked);
  const answer = resultMessage('1', { text: 'a' });
  far.send(answer);
  assert.equal(await client.next(), answer);
  assert.equal(ledger.size.outcomes, 0);
});

test('a key that is asked again gets the stored answer, under its new id, and nothing runs', async () => {
  await using house = await openHouse();
  const { once, far, client, server } = openOnce(await house.ledger());
  once.send(echo('1', 17));
  await server.next();
  far.send(resultMessage('1', { text: 'a' }));
  assert.equal(textOf(await client.next()), 'a');
  once.send(echo('"b"', 17));
  const again = await client.next();
  assert.equal(again.id, '"b"');
  assert.equal(textOf(again), 'a');
  assert.equal(server.all.length, 1);
});

test('a key that is asked again while it runs is answered with the first, whoever asks', async () => {
  await using house = await openHouse();
  const ledger = await house.ledger();
  const first = openOnce(ledger);
  const second = openOnce(ledger);
  first.once.send(echo('1', 17));
  await first.server.next();
  first.once.send(echo('2', 17));
  second.once.send(echo('9', 17));
  first.far.send(resultMessage('1', { text: 'a' }));
  assert.deepEqual([(await first.client.next()).id, (await first.client.next()).id].sort(), ['1', '2']);
  const other = await second.client.next();
  assert.deepEqual([other.id, textOf(other)], ['9', 'a']);
  assert.equal(second.server.all.length, 0);
});

test('the next process answers what was finished, and says of what ran that nobody knows', async () => {
  await using house = await openHouse();
  const before = openOnce(await house.ledger());
  before.once.send(echo('1', 1));
  await before.server.next();
  before.far.send(resultMessage('1', { text: 'a' }));
  await before.client.next();
  before.once.send(echo('2', 2));
  await before.server.next();
  // Not closed: it is killed, as far as its file is concerned.
  const after = openOnce(await house.ledger({ lives: () => false }));
  after.once.send(echo('7', 1));
  assert.equal(textOf(await after.client.next()), 'a');
  after.once.send(echo('8', 2));
  const error = errorOf(await after.client.next());
  assert.equal(error?.data?.error, 'outcome_unknown');
  assert.match(error?.message ?? '', /outcome unknown: the call abababab:2 was begun at backend fs before/);
  after.once.send(echo('9', 3));
  assert.equal((await after.server.next()).id, '9');
});

test('a tool that may run twice runs again where nobody knows', async () => {
  await using house = await openHouse();
  const before = openOnce(await house.ledger());
  before.once.send(echo('2', 2));
  await before.server.next();
  const after = openOnce(await house.ledger({ lives: () => false }), (tool) => tool === 'echo');
  after.once.send(echo('8', 2));
  assert.equal((await after.server.next()).id, '8');
  after.far.send(errorMessage('8', 'outcome_unknown', 'lost'));
  void (await after.server.next());
});

test('another call under the same key is refused', async () => {
  await using house = await openHouse();
  const { once, far, client, server } = openOnce(await house.ledger());
  once.send(echo('1', 17));
  await server.next();
  once.send(echo('2', 17, 'other'));
  assert.match(errorOf(await client.next())?.message ?? '', /belongs to another call/);
  far.send(resultMessage('1', { text: 'a' }));
  await client.next();
  once.send(echo('3', 17, 'other'));
  assert.match(errorOf(await client.next())?.message ?? '', /belongs to another call/);
  assert.equal(server.all.length, 1);
});

test('what is taken back is unknown, and the server hears of it once nobody wants it', async () => {
  await using house = await openHouse();
  const { once, client, server } = openOnce(await house.ledger());
  once.send(echo('1', 17));
  once.send(echo('2', 17));
  await server.next();
  once.send(notificationMessage('notifications/cancelled', { requestId: 1 }));
  once.send(notificationMessage('notifications/cancelled', { requestId: 2, reason: 'enough' }));
  const told = await server.next();
  assert.deepEqual((parseMessage(told) as { params?: unknown }).params, { requestId: 1, reason: 'enough' });
  assert.equal(server.all.length, 2);
  once.send(echo('3', 17));
  assert.match(errorOf(await client.next())?.message ?? '', /taken back/);
});

test('an error of ours that says it never ran lets the key be asked again; one of the server is its outcome', async () => {
  await using house = await openHouse();
  const ledger = await house.ledger();
  const { once, far, client, server } = openOnce(ledger);
  once.send(echo('1', 17));
  await server.next();
  far.send(errorMessage('1', 'backend_unavailable', 'it is away'));
  await client.next();
  once.send(echo('2', 17));
  await server.next();
  const { ours: _ours, ...theirs } = errorMessage('2', 'backend_unavailable', 'said by the server');
  far.send(theirs);
  await client.next();
  once.send(echo('3', 17));
  assert.match(errorOf(await client.next())?.message ?? '', /said by the server/);
  assert.equal(server.all.length, 2);
});

test('a call is refused before it runs when it cannot be written down, and the next one runs', async () => {
  await using house = await openHouse();
  const files = new MemoryLedgerFiles();
  const { once, far, client, server } = openOnce(await house.ledger({ files }));
  files.room = 0;
  once.send(echo('1', 17));
  const error = errorOf(await client.next());
  assert.equal(error?.data?.error, 'ledger_unavailable');
  assert.match(error?.message ?? '', /ENOSPC.*was not run.*make room/);
  once.send(requestMessage('2', 'tools/list'));
  assert.equal((await server.next()).id, '2');
  files.room = Number.POSITIVE_INFINITY;
  once.send(echo('3', 17));
  assert.equal((await server.next()).id, '3');
  far.send(resultMessage('3', { text: 'a' }));
  assert.equal(textOf(await client.next()), 'a');
});

test('with commit nothing reaches the server before it is on the disk, and what is taken back meanwhile never does', async () => {
  await using house = await openHouse();
  const files = new MemoryLedgerFiles();
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const ledger = await house.ledger({ files, durability: 'commit' });
  const { once, far, client, server } = openOnce(ledger);
  const create = files.create.bind(files);
  files.create = (path) => {
    const file = create(path);
    return { ...file, size: 0, sync: () => held.then(() => file.sync()) };
  };
  once.send(echo('1', 1));
  once.send(echo('2', 2));
  once.send(notificationMessage('notifications/cancelled', { requestId: 2 }));
  once.send(requestMessage('3', 'ping'));
  assert.equal((await server.next()).id, '3');
  release();
  assert.equal((await server.next()).id, '1');
  far.send(resultMessage('1', { text: 'a' }));
  assert.equal(textOf(await client.next()), 'a');
  once.send(echo('4', 2));
  assert.equal((await server.next()).id, '4');
});

test('what a server leaves open when it ends is unknown, for everybody who asked', async () => {
  await using house = await openHouse();
  const ledger = await house.ledger();
  const first = openOnce(ledger);
  const second = openOnce(ledger);
  first.once.send(echo('1', 17));
  await first.server.next();
  second.once.send(echo('9', 17));
  first.far.break();
  assert.equal(await first.closed, 'connection_lost');
  assert.equal(errorOf(await second.client.next())?.data?.error, 'outcome_unknown');
  second.once.send(echo('10', 17));
  assert.equal(errorOf(await second.client.next())?.data?.error, 'outcome_unknown');
});

test('a client that takes nothing gets stored answers when it takes again', async () => {
  await using house = await openHouse();
  const { once, far, client, server } = openOnce(await house.ledger());
  once.send(echo('1', 17));
  await server.next();
  far.send(resultMessage('1', { text: 'a' }));
  await client.next();
  once.pause();
  once.send(echo('2', 17));
  once.send(requestMessage('3', 'ping'));
  await server.next();
  assert.equal(client.all.length, 1);
  once.resume();
  assert.equal((await client.next()).id, '2');
});

test('a host that keeps outcomes itself is asked every time', async () => {
  await using house = await openHouse();
  const ledger = await house.ledger();
  const [near, far] = linkedTransports();
  const server = new Queue();
  far.start({ message: (message) => server.push(message), fault: () => {}, closed: () => {} });
  const once = new OnceSession({ server: near, ledger, session: SESSION, name: 'share x', keepsOutcomes: () => true });
  once.start({ message: () => {}, fault: () => {}, closed: () => {} });
  once.send(echo('1', 17));
  once.send(echo('2', 17));
  await server.next();
  assert.equal((await server.next()).id, '2');
  assert.equal(ledger.size.outcomes, 0);
});

test('a session that its client ended is not kept, one that went away is', async () => {
  await using house = await openHouse();
  const ledger = await house.ledger();
  for (const [code, session, left] of [
    ['away', SESSION, 1],
    ['done', 'cd'.repeat(16), 1],
  ] as const) {
    const { once, far, client, server } = openOnce(ledger, undefined, session);
    once.send(echo('1', 17));
    await server.next();
    far.send(resultMessage('1', { text: 'a' }));
    await client.next();
    await once.close({ code, reason: '' });
    assert.equal(ledger.size.outcomes, left);
  }
});

test('a request without a key under the id of a call that runs is refused, and the call is still the one that runs', async () => {
  await using house = await openHouse();
  const { once, far, client, server } = openOnce(await house.ledger());
  once.send(echo('1', 7));
  await server.next();
  once.send(requestMessage('1', 'tools/list', {}));
  assert.equal(errorOf(await client.next())?.data?.error, 'invalid_request');
  once.send(echo('2', 7));
  far.send(resultMessage('1', { text: 'once' }));
  assert.deepEqual([textOf(await client.next()), textOf(await client.next())], ['once', 'once']);
  assert.equal(server.all.length, 1);
});

test('one key asked again and again costs no more than so many bytes: beyond them nobody knows, and none of it runs', async () => {
  await using house = await openHouse();
  const { once, far, client, server } = openOnce(await house.ledger());
  const most = ONCE_LIMITS.askingBytes / 4096;
  once.send(echo('0', 7));
  for (let id = 1; id <= most + 1; id += 1) once.send(echo(String(id), 7));
  assert.match(errorOf(await client.next())?.message ?? '', /^outcome unknown: .*too much that was asked/);
  far.send(resultMessage('0', { text: 'once' }));
  for (let id = 0; id <= most; id += 1) assert.equal(textOf(await client.next()), 'once');
  assert.equal(server.all.length, 1);
  once.pause();
  for (let id = 1; id <= most + 1; id += 1) once.send(echo(String(id), 7));
  assert.match(errorOf(await client.next())?.message ?? '', /too much that was asked/);
  once.resume();
  for (let id = 1; id <= most; id += 1) assert.equal(textOf(await client.next()), 'once');
});

test('an id whose call was taken back, and went on for somebody else, is free when that has ended', async () => {
  await using house = await openHouse();
  const ledger = await house.ledger();
  const [first, second] = [openOnce(ledger), openOnce(ledger)];
  first.once.send(echo('1', 7));
  await first.server.next();
  second.once.send(echo('2', 7));
  first.once.send(notificationMessage('notifications/cancelled', { requestId: 1 }));
  first.far.send(resultMessage('1', { text: 'a' }));
  assert.equal(textOf(await second.client.next()), 'a');
  first.once.send(echo('1', 8));
  first.far.send(resultMessage('1', { text: 'b' }));
  assert.equal(textOf(await first.client.next()), 'b');
});
