import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resultMessage } from '../../src/index.ts';
import { type MemoryEnd, SESSION, settle } from '../link/support.ts';
import { type Dialer, type House, house, INIT, notification, request } from './support.ts';

async function greet(all: House, nth = 0, more: Record<string, unknown> = {}): Promise<Dialer> {
  const dialer = await all.dial(more);
  dialer.send(request('1', 'initialize', INIT), notification('notifications/initialized'));
  await settle();
  all.served[nth]?.accepted.transport.send(resultMessage('1', { hello: nth }));
  await dialer.message();
  return dialer;
}

test('another principal, another session, and somebody of whom nothing is proven find no session', async () => {
  let id = 'alice';
  const all = house({ as: () => id });
  const first = await greet(all);
  first.raw.end.destroy();
  await settle();
  id = 'mallory';
  await all.dial();
  assert.equal(all.served.length, 2);
  id = 'alice';
  await all.dial({ session: 'f'.repeat(32) });
  assert.equal(all.served.length, 3);
  id = 'unproven';
  const third = await greet(all, 3);
  third.raw.end.destroy();
  await settle();
  await all.dial();
  assert.equal(all.served.length, 5);
  assert.equal(all.returned.length, 0);
});

test('a client that lives keeps its link: whoever comes with the same session has another one', async () => {
  const all = house();
  const first = await greet(all);
  first.raw.end.on('data', (chunk: Buffer) => {
    const [, n] = /!ping (\d+)/.exec(chunk.toString()) ?? [];
    if (n !== undefined) first.send(`!pong ${n}`);
  });
  const second = await all.dial();
  assert.equal(second.welcome.kept, undefined);
  assert.equal(all.served.length, 2);
  first.send(request('2', 'ping'));
  await settle();
  assert.equal(all.served[0]?.got.at(-1)?.method, 'ping');
});

test('a link whose client is gone in silence gives way to its successor', { timeout: 8000 }, async () => {
  const all = house();
  const first = await greet(all);
  (first.raw.end as MemoryEnd).silent = true;
  const second = await all.dial();
  assert.equal(second.welcome.kept, true);
  assert.equal(all.served.length, 1);
});

test('a client that goes away comes back in time, or its session ends', { timeout: 8000 }, async () => {
  const all = house({ limits: { linkClosedWindowMs: 150 } });
  const first = await greet(all);
  first.send('!close {"code":"away","reason":"restarted"}');
  await settle();
  const [server] = all.served;
  assert.equal(server?.closed, undefined);
  assert.equal(server?.accepted.link, undefined);
  const second = await all.dial();
  assert.equal(second.welcome.kept, true);
  second.send('!close {"code":"away","reason":"restarted"}');
  while (server?.closed === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(server.closed.code, 'link_expired');
  assert.equal((await all.dial()).welcome.kept, undefined);
  assert.equal(all.served.length, 2);
});

test('a session whose client goes away stays while a call runs that it will ask for', { timeout: 8000 }, async () => {
  const all = house({ limits: { linkClosedWindowMs: 50 } });
  const first = await greet(all);
  first.send(request('2', 'tools/call', '{}', 9), '!close {"code":"away","reason":"restarted"}');
  const [server] = all.served;
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(server?.closed, undefined);
  server?.accepted.transport.send(resultMessage('2', {}));
  while (server?.closed === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(server.closed.code, 'link_expired');
});

test('a client that goes away before anything was worth keeping ends its session', async () => {
  const all = house();
  const first = await all.dial();
  first.send(request('1', 'server/discover'), '!close {"code":"away","reason":"only asked"}');
  await settle();
  assert.equal(all.served[0]?.closed?.code, 'away');
});

test('whose client went away goes first when room is short; a full host takes a session that waits for its link', async () => {
  const all = house({ limits: { sessions: 2 } });
  const first = await greet(all, 0, { session: 'a'.repeat(32) });
  first.send('!close {"code":"away","reason":""}');
  await settle();
  await greet(all, 1, { session: 'b'.repeat(32) });
  const third = await greet(all, 2, { session: 'c'.repeat(32) });
  assert.equal(all.served[0]?.closed?.code, 'link_expired');
  const refused = await all.dial({ session: 'd'.repeat(32) });
  assert.equal((refused.welcome.error as { code: string }).code, 'busy');
  third.raw.end.destroy();
  await settle();
  const back = await all.dial({ session: 'c'.repeat(32) });
  assert.equal(back.welcome.kept, true);
  assert.equal(all.served.length, 3);
});

test('a host says what it keeps: outcomes, and what became of servers', async () => {
  for (const [options, said] of [
    [{}, {}],
    [{ once: 3600 }, { once: 3600 }],
    [{ lostServers: 'gone' }, { kept: false }],
    [
      { lostServers: 'told', once: 1 },
      { kept: true, once: 1 },
    ],
  ] as const) {
    const { welcome } = await house(options).dial();
    assert.deepEqual({ once: welcome.once, kept: welcome.kept }, { once: undefined, kept: undefined, ...said });
  }
});

test('which ledger keeps outcomes is said of each principal: to another one the same key is another call', async () => {
  let id = 'alice';
  const all = house({ once: 60, ledger: 'one', as: () => id });
  const first = (await all.dial()).welcome.ledger;
  assert.match(String(first), /^[0-9a-f]{32}$/);
  assert.equal((await all.dial({ session: 'b'.repeat(32) })).welcome.ledger, first);
  id = 'bob';
  assert.notEqual((await all.dial({ session: 'c'.repeat(32) })).welcome.ledger, first);
  const other = house({ once: 60, ledger: 'two', as: () => 'alice' });
  assert.notEqual((await other.dial()).welcome.ledger, first);
});

test('who comes back to nothing is known to come back', async () => {
  const all = house();
  await all.dial();
  await all.dial({ link: 'ab'.repeat(16), session: 'b'.repeat(32) });
  assert.deepEqual(
    all.served.map(({ accepted }) => accepted.returning),
    [false, true],
  );
});

test('a host that ends keeps nothing, also of clients that went away', async () => {
  const all = house();
  const first = await greet(all);
  first.send('!close {"code":"away","reason":""}');
  const second = await greet(all, 1, { session: 'b'.repeat(32) });
  await all.acceptor.close({ code: 'away', reason: 'the host ends' });
  assert.deepEqual(
    all.served.map(({ closed }) => closed?.code),
    ['done', 'away'],
  );
  second.raw.end.destroy();
  assert.equal(SESSION.length, 32);
});
