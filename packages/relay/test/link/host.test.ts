// The host: who may take up which link, how long it is kept, and how much of it there can be.

import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { resultMessage } from '../../src/json-rpc.ts';
import { LIMITS } from '../../src/limits.ts';
import { LinkHost } from '../../src/link/host.ts';
import type { HostLink } from '../../src/link/hosted-link.ts';
import {
  duplexPair,
  HandClock,
  hello,
  note,
  type Raw,
  Recorder,
  rawDial,
  SESSION,
  settle,
  stage,
  tracked,
  WELCOME,
} from './support.ts';

/** Opens a link by hand and returns its id. */
async function opened(host: LinkHost, more: Record<string, unknown> = {}): Promise<{ raw: Raw; id: string }> {
  const raw = rawDial(host);
  raw.write(hello(more));
  const { link, fresh } = await raw.json(WELCOME);
  assert.equal(fresh, true);
  return { raw, id: String(link) };
}

async function answer(host: LinkHost, line: string): Promise<Record<string, unknown>> {
  const raw = rawDial(host);
  raw.write(line);
  const json = await raw.json(WELCOME);
  if ('error' in json) assert.equal(await raw.line(), null);
  return json;
}

test('a link is resumed with its id, and the id is a fresh random one each time', async () => {
  const { host, hosted } = stage();
  const { raw, id } = await opened(host, { via: ['one'], by: 'x/1' });
  const other = await opened(host);
  assert.notEqual(id, other.id);
  assert.match(id, /^[0-9a-f]{32}$/);
  raw.end.destroy();
  await settle();
  hosted[0]?.link.send(note('while away'));
  const again = rawDial(host);
  again.write(hello({ link: id }));
  const { by, window, ...welcome } = await again.json(WELCOME);
  assert.deepEqual(welcome, { link: id, got: 0, fresh: false });
  assert.deepEqual([by, window], ['host/1', 600]);
  assert.match((await again.line()) ?? '', /while away/);
  assert.equal(host.count(), 2);
});

test('T08: a stranger cannot resume: wrong id, other principal and other session all look like an unknown link', async () => {
  let who = 'alice';
  const { host, hosted } = stage({ host: { judge: () => ({ principal: { id: who } }) } });
  const { raw, id } = await opened(host);
  hosted[0]?.link.send(note('secret'));
  assert.match((await raw.line()) ?? '', /secret/);
  raw.end.destroy();
  await settle();
  const shape = async (line: string): Promise<unknown> => {
    const { link, ...rest } = await answer(host, line);
    assert.notEqual(link, id);
    return rest;
  };
  const unknown = await shape(hello({ link: 'f'.repeat(32) }));
  assert.deepEqual(unknown, { got: 0, fresh: true, window: 600, by: 'host/1' });
  assert.deepEqual(await shape(hello({ link: id, session: 'e'.repeat(32) })), unknown);
  who = 'mallory';
  assert.deepEqual(await shape(hello({ link: id })), unknown);
  assert.deepEqual(await shape(hello({ link: id, got: 1 })), unknown);
  who = 'alice';
  const { fresh, got } = await answer(host, hello({ link: id }));
  assert.deepEqual([fresh, got], [false, 0]);
});

test('who was let in once and is shut out now cannot take its link up again', async () => {
  let denied = false;
  const refused = { code: 'peer_denied', reason: 'denied' };
  const { host } = stage({ host: { judge: () => (denied ? { refused } : { principal: { id: 'alice' } }) } });
  const { raw, id } = await opened(host);
  raw.end.destroy();
  await settle();
  denied = true;
  assert.deepEqual(await answer(host, hello({ link: id })), { error: refused });
  denied = false;
  assert.equal((await answer(host, hello({ link: id }))).fresh, false);
});

test('T08: a guess by the right principal that is one digit off opens nothing', async () => {
  const { host } = stage({ limits: { sessions: 3 } });
  const { raw, id } = await opened(host);
  raw.end.destroy();
  await settle();
  const flip = (at: number): string =>
    id.slice(0, at) + ((Number.parseInt(id[at] ?? '0', 16) + 1) % 16).toString(16) + id.slice(at + 1);
  for (let at = 0; at < 32; at += 1) {
    const guess = rawDial(host);
    guess.write(hello({ link: flip(at) }));
    assert.equal((await guess.json(WELCOME)).fresh, true);
    guess.write('!close {"code":"done"}');
    assert.equal(await guess.line(), '!close {"code":"done","reason":""}');
    await settle();
  }
  assert.equal((await answer(host, hello({ link: id }))).fresh, false);
});

test('a new connection takes over from a half-open one', async () => {
  const { host, hosted } = stage();
  const { raw, id } = await opened(host);
  raw.write('{"jsonrpc":"2.0","method":"note","params":{"text":"one"}}');
  const recorder = hosted[0]?.recorder;
  await recorder?.upTo(1);
  const newer = rawDial(host);
  newer.write(hello({ link: id }));
  assert.equal((await newer.json(WELCOME)).got, 1);
  for (let line = await raw.line(); line !== null; line = await raw.line()) assert.match(line, /^!ack/);
  raw.write('{"jsonrpc":"2.0","method":"note","params":{"text":"ghost"}}');
  newer.write('{"jsonrpc":"2.0","method":"note","params":{"text":"two"}}');
  await recorder?.upTo(2);
  assert.deepEqual(recorder?.texts, ['one', 'two']);
  assert.equal(host.count(), 1);
});

test('a broken link is kept for its window: ten minutes if it fell silent, one if it was closed', async () => {
  for (const [how, windowMs] of [
    ['silent', 600_000],
    ['closed', 60_000],
  ] as const) {
    const clock = new HandClock();
    const { host, hosted } = stage({ clock });
    const { raw } = await opened(host);
    if (how === 'silent') {
      (raw.end as unknown as { silent: boolean }).silent = true;
      await clock.pass(45_000);
    } else raw.end.destroy();
    await settle();
    assert.equal(hosted[0]?.link.stats().state, 'down', how);
    await clock.pass(windowMs - 1);
    assert.equal(host.count(), 1, how);
    await clock.pass(1);
    assert.equal(host.count(), 0, how);
    assert.equal((await hosted[0]?.recorder.closed)?.code, 'link_expired');
  }
});

test('while a call is open a broken link does not expire; its window begins when the last one ends', async () => {
  const clock = new HandClock();
  const { host, hosted } = stage({ clock });
  const { raw, id } = await opened(host);
  const link = hosted[0]?.link as HostLink;
  const [first, second] = [link.hold(), link.hold()];
  raw.end.destroy();
  await clock.pass(3_600_000);
  assert.equal(host.count(), 1);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await clock.pass(3_600_000);
  assert.equal(host.count(), 1);
  second[Symbol.dispose]();
  await clock.pass(59_999);
  const again = rawDial(host);
  again.write(hello({ link: id }));
  assert.equal((await again.json(WELCOME)).fresh, false);
  await clock.pass(30_000);
  again.end.destroy();
  await clock.pass(59_999);
  assert.equal(host.count(), 1);
  await clock.pass(1);
  assert.equal(host.count(), 0);
});

test('an unanswered request of the dialer is an open call, until it is answered or taken back', async () => {
  const request = (id: string): string => `{"jsonrpc":"2.0","id":${id},"method":"tools/call"}`;
  const cancel = (id: string): string =>
    `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${id}}}`;
  // One that a double cannot carry, too.
  const large = '9007199254740993';
  const ends: Readonly<Record<string, [id: string, (link: HostLink, raw: Raw) => void]>> = {
    answered: ['7', (link) => link.send(resultMessage('7', {}))],
    cancelled: ['7', (_link, raw) => raw.write(cancel('7'))],
    'cancelled, a large one': [large, (_link, raw) => raw.write(cancel(large))],
  };
  for (const [how, [call, end]] of Object.entries(ends)) {
    const clock = new HandClock();
    const { host, hosted } = stage({ clock });
    const { raw, id } = await opened(host);
    raw.write(request(call));
    await settle();
    raw.end.destroy();
    await clock.pass(3_600_000);
    assert.equal(host.count(), 1, how);
    const again = rawDial(host);
    again.write(hello({ link: id }));
    assert.equal((await again.json(WELCOME)).fresh, false);
    end(hosted[0]?.link as HostLink, again);
    await settle();
    again.end.destroy();
    await clock.pass(59_999);
    assert.equal(host.count(), 1, how);
    await clock.pass(1);
    assert.equal(host.count(), 0, how);
  }
});

test('when room is short the longest broken goes first, live ones stay, then newcomers wait', async () => {
  const clock = new HandClock();
  const { host, hosted } = stage({ clock, limits: { sessions: 3 } });
  const links = [await opened(host), await opened(host), await opened(host)];
  const full = await answer(host, hello());
  assert.deepEqual(full, { error: { code: 'busy', reason: 'too many sessions are open here', retryMs: 1000 } });
  for (const index of [1, 0]) {
    links[index]?.raw.end.destroy();
    await clock.pass(10);
  }
  const newcomer = await opened(host);
  assert.deepEqual(
    hosted.map(({ link }) => link.stats().state),
    ['down', 'closed', 'up', 'up'],
  );
  assert.equal((await hosted[1]?.recorder.closed)?.code, 'link_expired');
  assert.equal((await answer(host, hello({ link: links[0]?.id }))).fresh, false);
  newcomer.raw.end.destroy();
});

test('one principal can be given fewer links than there are in all', async () => {
  let who = 'alice';
  const { host } = stage({ host: { judge: () => ({ principal: { id: who } }), linksPerPrincipal: 2 } });
  await opened(host);
  await opened(host);
  assert.equal(((await answer(host, hello())).error as { code: string }).code, 'busy');
  who = 'bob';
  await opened(host);
  assert.equal(host.count(), 3);
});

test('refusals: by the owner of the host, by who may come, by a door that throws', async () => {
  const { host } = stage({
    host: { refuse: ({ via }) => (via.includes('me') ? { code: 'cycle', reason: 'a backend of itself' } : undefined) },
  });
  assert.deepEqual(await answer(host, hello({ via: ['x', 'me'] })), {
    error: { code: 'cycle', reason: 'a backend of itself' },
  });
  await opened(host, { via: ['x'] });
  const strict = stage({
    host: {
      judge: async () => ({
        refused: { code: 'peer_refused', reason: "this share is its owner's", retryMs: 5 },
      }),
    },
  });
  assert.deepEqual(await answer(strict.host, hello()), {
    error: { code: 'peer_refused', reason: "this share is its owner's", retryMs: 5 },
  });
  assert.equal(strict.host.count(), 0);
  const failing = stage({
    host: {
      judge: () => {
        throw new Error('secret internals');
      },
    },
  });
  assert.deepEqual(await answer(failing.host, hello()), {
    error: { code: 'link_refused', reason: 'this host cannot take the link' },
  });
  const broken = stage({
    host: {
      onLink: () => {
        throw new Error('secret internals');
      },
    },
  });
  assert.deepEqual(await answer(broken.host, hello()), {
    error: { code: 'link_refused', reason: 'this host cannot take the link' },
  });
  assert.equal(broken.host.count(), 0);
});

test('who is calling is asked with the connection and the proof, and told with the link', async () => {
  const asked: unknown[] = [];
  let told: unknown;
  const host = tracked(
    new LinkHost({
      by: 'host/1',
      judge: async (connection: Duplex, proof) => {
        asked.push(connection instanceof Object, proof);
        return { principal: { id: 'ziti:abc' } };
      },
      proof: async () => ({ sig: 'h' }),
      onLink: (link, info) => {
        told = { ...info, principal2: link.principal, session2: link.session, by2: link.by, peer: link.peer };
        new Recorder(link);
      },
    }),
  );
  const raw = rawDial(host);
  raw.write(hello({ proof: { chain: [] }, via: ['v'] }));
  assert.deepEqual((await raw.json(WELCOME)).proof, { sig: 'h' });
  assert.deepEqual(asked, [true, { chain: [] }]);
  assert.deepEqual(told, {
    principal: { id: 'ziti:abc' },
    session: SESSION,
    by: 'raw/1',
    via: ['v'],
    proof: { chain: [] },
    returning: false,
    principal2: 'ziti:abc',
    session2: SESSION,
    by2: 'raw/1',
    peer: { chain: [] },
  });
});

test('who comes back is judged anew, and its host is told by whom the link was taken up', async () => {
  const returned: unknown[] = [];
  let rank = 0;
  const host = tracked(
    new LinkHost<{ id: string; rank: number }>({
      by: 'host/1',
      judge: () => {
        rank += 1;
        return { principal: { id: 'bob', rank }, as: 'bob' };
      },
      onLink: (link) => void new Recorder(link),
      onReturn: (link, principal) => returned.push([link.principal, principal]),
    }),
  );
  const first = rawDial(host);
  first.write(hello());
  const { link, as } = await first.json(WELCOME);
  assert.equal(as, 'bob');
  first.end.destroy();
  const second = rawDial(host);
  second.write(hello({ link }));
  assert.equal((await second.json(WELCOME)).fresh, false);
  assert.deepEqual(returned, [['bob', { id: 'bob', rank: 2 }]]);
});

test('bad first lines: too long, garbage, impatient, slow: refused or closed, the host lives', async () => {
  const clock = new HandClock();
  const { host } = stage({ clock });
  const refused = async (bytes: string, pattern: RegExp): Promise<void> => {
    const raw = rawDial(host);
    raw.end.write(bytes);
    const { error } = await raw.json(WELCOME);
    assert.match((error as { reason: string }).reason, pattern);
    assert.equal((error as { code: string }).code.startsWith('link_'), true);
    assert.equal(await raw.line(), null);
  };
  await refused(`MCP-LINK/1 {"x":"${'y'.repeat(LIMITS.preambleBytes)}`, /longer than 65536 bytes/);
  await refused('MCP-LINK/1 nonsense\n', /no link preamble/);
  await refused('MCP-LINK/x {}\n', /no link preamble/);
  await refused(`MCP-LINK/0 {"session":"${SESSION}"}\n`, /version 0/);
  await refused(`${hello()}\n{"jsonrpc":"2.0"`, /did not wait/);
  const slow = rawDial(host);
  slow.end.write('MCP-LINK/1 {"li');
  await clock.pass(10_000);
  assert.match((await slow.line()) ?? '', /link_timeout/);
  const higher = rawDial(host);
  higher.end.write(`MCP-LINK/2 {"session":"${SESSION}","colour":"red"}\n`);
  assert.equal((await higher.json('MCP-LINK/1 ')).fresh, true);
  assert.equal(host.count(), 1);
});

test('unfinished handshakes are bounded', async () => {
  const { host } = stage();
  const open = Array.from({ length: 256 }, () => rawDial(host));
  const one = rawDial(host);
  assert.deepEqual(((await one.json(WELCOME)).error as { code: string }).code, 'busy');
  for (const raw of open) raw.end.destroy();
  await settle();
  await opened(host);
});

test('a first line of exactly the cap passes', async () => {
  const { host } = stage();
  const bare = hello({ pad: '' });
  await opened(host, { pad: 'x'.repeat(LIMITS.preambleBytes - bare.length) });
});

test('claims in `got` that cannot be are refused and end the link', async () => {
  const cases: [number, number, number][] = [
    // sent by the host, acknowledged, claimed
    [2, 0, 3],
    [2, 2, 1],
  ];
  for (const [sent, acked, got] of cases) {
    const { host, hosted } = stage();
    const { raw, id } = await opened(host);
    for (let n = 0; n < sent; n += 1) hosted[0]?.link.send(note(`m${n}`));
    for (let n = 0; n < sent; n += 1) await raw.line();
    if (acked) raw.write(`!ack ${acked}`);
    await settle();
    raw.end.destroy();
    await settle();
    assert.equal(((await answer(host, hello({ link: id, got }))).error as { code: string }).code, 'link_protocol');
    assert.equal((await hosted[0]?.recorder.closed)?.code, 'link_protocol');
    assert.equal(host.count(), 0);
  }
});

test('a host that goes away says so to all, takes nobody after, and its peers come back to its successor', async () => {
  const first = stage();
  const second = stage();
  let current = first.host;
  const states: string[] = [];
  const dialer = first.dial({
    connect: async () => {
      const [near, far] = duplexPair();
      current.accept(far);
      return near;
    },
    onState: ({ phase }) => states.push(phase),
  });
  const near = new Recorder(dialer);
  await dialer.ready;
  first.hosted[0]?.link.send(note('last words'));
  const closing = first.host.close({ code: 'away', reason: 'the gateway is shutting down' });
  const late = rawDial(first.host);
  assert.deepEqual(await late.json(WELCOME), {
    error: { code: 'away', reason: 'this host is shutting down', retryMs: 1000 },
  });
  current = second.host;
  await closing;
  assert.equal((await first.hosted[0]?.recorder.closed)?.code, 'away');
  await second.opened(1);
  await settle();
  assert.deepEqual(near.texts, ['last words']);
  assert.deepEqual(states, ['up', 'down', 'up']);
  assert.equal(dialer.stats().lastBreak?.reason, 'the gateway is shutting down');
});

test('links and their numbers can be shown, without their ids', async () => {
  const { host, hosted } = stage({ host: { judge: () => ({ principal: { id: 'alice' } }) } });
  const { raw, id } = await opened(host);
  hosted[0]?.link.send(note('x'));
  await raw.line();
  const [shown] = host.links();
  assert.deepEqual(
    [shown?.principal, shown?.session, shown?.by, shown?.state, shown?.sent],
    ['alice', SESSION, 'raw/1', 'up', 1],
  );
  assert.equal(JSON.stringify(host.links()).includes(id), false);
});

test('no id of a link is ever logged', async () => {
  const events: string[] = [];
  const keep = (fields: object, event: string): void => void events.push(JSON.stringify([fields, event]));
  const log = { debug: keep, info: keep, warn: keep };
  const { host, dial, connections } = stage({ host: { log } });
  const dialer = dial({ log });
  new Recorder(dialer);
  const { raw, id } = await opened(host);
  await dialer.ready;
  connections[0]?.die('reset');
  raw.write('!ack 99');
  await settle();
  await dialer.close();
  assert.equal(events.length > 4, true);
  assert.equal(events.join('\n').includes(id), false);
  assert.equal(events.join('\n').match(/[0-9a-f]{32}/)?.[0], undefined);
});
