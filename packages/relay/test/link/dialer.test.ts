// The dialer against hosts of every temper: refusals, forgotten links, other protocols, silence.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayError } from '../../src/errors.ts';
import { type DialState, dialLink, type LinkDialer } from '../../src/link/dialer.ts';
import {
  call,
  duplexPair,
  HandClock,
  type MemoryEnd,
  note,
  Raw,
  Recorder,
  SESSION,
  settle,
  stage,
  textOf,
  tracked,
  WELCOME,
} from './support.ts';

interface ByHand {
  readonly dialer: LinkDialer;
  readonly near: Recorder;
  readonly states: DialState[];
  readonly lost: string[][];
  readonly clock: HandClock;
  /** The host's side of the next connection. */
  accept(): Promise<Raw>;
  /** Its preamble, read. */
  hello(raw: Raw): Promise<Record<string, unknown>>;
  readonly dialed: MemoryEnd[];
}

/** A dialer whose host is spoken by hand. */
function byHand(more: Partial<Parameters<typeof dialLink>[0]> = {}): ByHand {
  const clock = new HandClock();
  const dialed: MemoryEnd[] = [];
  const arrived: Raw[] = [];
  const waiting: ((raw: Raw) => void)[] = [];
  const states: DialState[] = [];
  const lost: string[][] = [];
  const dialer = tracked(
    dialLink({
      connect: async () => {
        const [near, far] = duplexPair();
        dialed.push(near);
        const raw = new Raw(far);
        const taker = waiting.shift();
        if (taker) taker(raw);
        else arrived.push(raw);
        return near;
      },
      session: SESSION,
      by: 'dialer/1',
      clock,
      random: () => 0.5,
      onState: (state) => states.push(state),
      onRenewed: (messages) => lost.push(messages.map(textOf)),
      ...more,
    }),
  );
  return {
    dialer,
    near: new Recorder(dialer),
    states,
    lost,
    clock,
    dialed,
    accept: () => {
      const raw = arrived.shift();
      return raw ? Promise.resolve(raw) : new Promise((resolve) => waiting.push(resolve));
    },
    hello: (raw) => raw.json('MCP-LINK/1 '),
  };
}

const A = 'a'.repeat(32);
const B = 'b'.repeat(32);
const welcome = (link: string, got = 0, fresh = true): string =>
  `${WELCOME}${JSON.stringify({ link, got, fresh, window: 600, by: 'raw/1' })}`;

test('the dialer says nothing but its preamble before the host has answered', async () => {
  const { dialer, accept, hello } = byHand();
  dialer.send(note('early'));
  const raw = await accept();
  assert.deepEqual(await hello(raw), { link: null, got: 0, session: SESSION, by: 'dialer/1' });
  await settle();
  raw.write(welcome(A));
  await dialer.ready;
  assert.match((await raw.line()) ?? '', /early/);
  assert.equal(dialer.by, 'raw/1');
});

test('the proof is offered as it is, and the other one is looked at before anything is said', async () => {
  const seen: unknown[] = [];
  let judge: () => void = () => {};
  const judged = new Promise<void>((resolve) => {
    judge = resolve;
  });
  const { dialer, accept, hello } = byHand({
    via: ['one', 'two'],
    check: {
      prove: async () => ({ chain: ['x'] }),
      verify: (_connection, proof) => {
        seen.push(proof);
        return judged;
      },
    },
  });
  dialer.send(note('early'));
  const raw = await accept();
  const { proof, via } = await hello(raw);
  assert.deepEqual([proof, via], [{ chain: ['x'] }, ['one', 'two']]);
  raw.write(`${WELCOME}${JSON.stringify({ link: A, got: 0, fresh: true, window: 1, by: 'x', proof: { sig: 'y' } })}`);
  await settle();
  assert.deepEqual(seen, [{ sig: 'y' }]);
  const next = raw.line();
  assert.equal(
    await Promise.race([next, settle().then(() => 'nothing')]),
    'nothing',
    'said before the host was checked',
  );
  judge();
  await dialer.ready;
  assert.match((await next) ?? '', /early/);
  assert.deepEqual(dialer.peer, { sig: 'y' });
});

test('a host that asks is told, once and after it was looked at; one that asks for nothing announced is left', async () => {
  const seen: unknown[] = [];
  const { dialer, accept, hello } = byHand({
    check: {
      prove: () => ({ access: 'bearer' }),
      tell: (_connection, proof) => {
        seen.push(proof);
        return { access: { bearer: 'a.b.c' } };
      },
      verify: (_connection, proof, as) => {
        seen.push(proof, as);
      },
    },
  });
  dialer.send(note('early'));
  const raw = await accept();
  await hello(raw);
  raw.write(`${WELCOME}${JSON.stringify({ asks: true, proof: { sig: 'y' } })}`);
  assert.equal(await raw.line(), '!proof {"access":{"bearer":"a.b.c"}}');
  const facts = { link: A, got: 0, fresh: true, window: 1, by: 'x', proof: { sig: 'y' }, as: 'jwt:x#\u202ebob' };
  raw.write(`${WELCOME}${JSON.stringify(facts)}`);
  await dialer.ready;
  assert.deepEqual(seen, [{ sig: 'y' }, { sig: 'y' }, 'jwt:x#?bob']);
  assert.match((await raw.line()) ?? '', /early/);
  const silent = byHand({});
  const other = await silent.accept();
  await silent.hello(other);
  other.write(`${WELCOME}${JSON.stringify({ asks: true })}`);
  await assert.rejects(silent.dialer.ready, { code: 'link_protocol' });
  const twice = byHand({ check: { prove: () => null, verify: () => {}, tell: () => ({}) } });
  const again = await twice.accept();
  await twice.hello(again);
  again.write(`${WELCOME}${JSON.stringify({ asks: true })}`);
  assert.equal(await again.line(), '!proof {}');
  again.write(`${WELCOME}${JSON.stringify({ asks: true })}`);
  await assert.rejects(twice.dialer.ready, { code: 'link_protocol' });
});

test('a dialer with a token that meets a host which does not tell for whom it takes it leaves', async () => {
  const { dialer, accept, hello } = byHand({
    check: {
      prove: () => ({ access: {} }),
      verify: (_connection, _proof, as) => {
        if (as === undefined) throw new RelayError('peer_speaks_http', 'old');
      },
    },
  });
  const raw = await accept();
  await hello(raw);
  raw.write(welcome(A));
  await assert.rejects(dialer.ready, { message: 'old' });
});

test('a host that is not the one meant gets nothing, is told nothing, and is asked again: another may answer', async () => {
  let good = false;
  const { dialer, accept, hello, clock, states } = byHand({
    check: {
      prove: () => null,
      verify: async () => {
        if (!good) throw Object.assign(new Error('another host'), { code: 'host_changed' });
      },
    },
  });
  dialer.send(note('for the right one'));
  const raw = await accept();
  await hello(raw);
  raw.write(welcome(A));
  assert.equal(await raw.line(), null, 'it was hung up on');
  assert.deepEqual([states.at(-1)?.phase, states.at(-1)?.reason], ['connecting', 'another host']);
  good = true;
  await clock.pass(10_000);
  const other = await accept();
  await hello(other);
  other.write(welcome(B));
  await dialer.ready;
  assert.match((await other.line()) ?? '', /for the right one/);
});

test('a connection that ends while its host is checked is a lost one', async () => {
  let judge: () => void = () => {};
  const judged = new Promise<void>((resolve) => {
    judge = resolve;
  });
  const { accept, hello, states, dialed } = byHand({ check: { prove: () => null, verify: () => judged } });
  const raw = await accept();
  await hello(raw);
  raw.write(welcome(A));
  await settle();
  dialed[0]?.destroy();
  await settle();
  judge();
  await settle();
  assert.match(states.at(-1)?.reason ?? '', /ended while the host was checked/);
});

test('a refusal without a time is final and names the reason of the host', async () => {
  const { dialer, accept, hello, near } = byHand();
  const raw = await accept();
  await hello(raw);
  raw.write(`${WELCOME}{"error":{"code":"cycle","reason":"this gateway is a backend of itself"}}`);
  await assert.rejects(dialer.ready, (error) => {
    assert.equal(error instanceof RelayError && error.code, 'link_unavailable');
    assert.match(String(error), /refused: this gateway is a backend of itself/);
    assert.deepEqual(error instanceof RelayError && error.facts, { code: 'cycle' });
    return true;
  });
  assert.deepEqual(await near.closed, { code: 'cycle', reason: 'this gateway is a backend of itself' });
});

test('a refusal with a time is waited for and asked again', async () => {
  const { dialer, accept, hello, clock, states, dialed } = byHand();
  const raw = await accept();
  await hello(raw);
  raw.write(`${WELCOME}{"error":{"code":"busy","reason":"full","retryMs":5000}}`);
  await clock.pass(5000);
  assert.equal(dialed.length, 1);
  assert.deepEqual([states.at(-1)?.phase, states.at(-1)?.reason], ['connecting', 'the host refused: full']);
  await clock.pass(125);
  const again = await accept();
  await hello(again);
  again.write(welcome(A));
  await dialer.ready;
});

test('a host that speaks HTTP is told apart, so that the caller can', async () => {
  const { dialer, accept, near } = byHand();
  const raw = await accept();
  await raw.line();
  raw.end.write('HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n400 Bad Request');
  await assert.rejects(dialer.ready, (error) => error instanceof RelayError && error.code === 'peer_speaks_http');
  assert.equal((await near.closed).code, 'peer_speaks_http');
});

test('a higher version, garbage, and an answer for another link are final', async () => {
  const answers: [string, string][] = [
    ['MCP-LINK/2 {"link":"x"}', 'link_version'],
    ['{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"unknown protocol"}}', 'link_protocol'],
    ['', 'link_protocol'],
    [welcome(A, 5), 'link_protocol'],
    [welcome(A, 0, false), 'link_protocol'],
    [`${WELCOME}${'x'.repeat(70_000)}`, 'link_protocol'],
  ];
  for (const [answer, code] of answers) {
    const { dialer, accept, hello } = byHand();
    const raw = await accept();
    await hello(raw);
    raw.write(answer);
    await assert.rejects(
      dialer.ready,
      (error) => error instanceof RelayError && error.code === code,
      answer.slice(0, 60),
    );
  }
});

test('a host that never answers is left after ten seconds and dialed again', async () => {
  const { accept, hello, clock, states } = byHand();
  const raw = await accept();
  await hello(raw);
  await clock.pass(10_000);
  assert.match(states.at(-1)?.reason ?? '', /no first line within 10000 ms/);
  await clock.pass(10_000);
  await hello(await accept());
});

test('a dial that hangs is given up, a late connection belongs to nobody', async () => {
  const clock = new HandClock();
  const late: ((end: MemoryEnd) => void)[] = [];
  let aborted = 0;
  const dialer = tracked(
    dialLink({
      connect: (signal) => {
        signal.addEventListener('abort', () => {
          aborted += 1;
        });
        return new Promise((resolve) => late.push(resolve));
      },
      session: SESSION,
      by: 'x',
      clock,
      connectMs: 20_000,
      random: () => 0.5,
    }),
  );
  await clock.pass(20_000);
  assert.equal(aborted, 1);
  await clock.pass(1000);
  assert.equal(late.length, 2);
  const [end] = duplexPair();
  late[0]?.(end);
  await settle();
  assert.equal(end.destroyed, true);
  await dialer.close();
  assert.equal(aborted, 2);
});

test('errors of the dial are tried again with growing full jitter, fatal ones are not', async () => {
  const clock = new HandClock();
  const at: number[] = [];
  let failure: Error = new Error('not hosted');
  const dialer = tracked(
    dialLink({
      connect: async () => {
        at.push(clock.now());
        throw failure;
      },
      session: SESSION,
      by: 'x',
      clock,
      random: () => 0.5,
      isFatal: (error) => error instanceof TypeError,
    }),
  );
  const near = new Recorder(dialer);
  await clock.pass(40_000);
  const gaps = at.slice(1).map((time, index) => time - (at[index] ?? 0));
  assert.deepEqual(gaps.slice(0, 8), [125, 250, 500, 1000, 2000, 2000, 2000, 2000]);
  failure = new TypeError('no such share');
  await clock.pass(10_000);
  await assert.rejects(dialer.ready, TypeError);
  assert.equal((await near.closed).reason, 'no such share');
  const tried = at.length;
  await clock.pass(60_000);
  assert.equal(at.length, tried);
});

test('a host that has been away for half an hour is asked after less often, one that gives a sign at once', async () => {
  const clock = new HandClock();
  const at: number[] = [];
  let sign: (() => void) | undefined;
  tracked(
    dialLink({
      connect: async () => {
        at.push(clock.now());
        throw new Error('nobody there');
      },
      session: SESSION,
      by: 'x',
      clock,
      random: () => 0.5,
      onSign: (come) => {
        sign = come;
        return () => {
          sign = undefined;
        };
      },
    }),
  );
  await clock.pass(1_790_000);
  const last = (): number => (at.at(-1) ?? 0) - (at.at(-2) ?? 0);
  assert.equal(last(), 2000);
  await clock.pass(60_000);
  assert.equal(last(), 5000);
  const before = at.length;
  const saw = clock.now();
  sign?.();
  await clock.pass(25);
  assert.deepEqual([at.length, at.at(-1)], [before + 1, saw + 25]);
  // The host may not be quite there: the patience is that of the beginning.
  await clock.pass(125);
  assert.equal(at.length, before + 2);
});

test('a connection over which something was said starts the patience anew, one that is only accepted does not', async () => {
  const { accept, hello, clock, dialed, near } = byHand();
  const gap = async (speak: boolean, link: string, got: number): Promise<number> => {
    const raw = await accept();
    const { link: asked } = await hello(raw);
    raw.write(asked === null ? welcome(link) : welcome(link, got, false));
    if (speak) {
      raw.write('{"jsonrpc":"2.0","method":"note","params":{"text":"x"}}');
      await near.upTo(near.texts.length + 1);
    }
    await settle();
    const [before, count] = [clock.now(), dialed.length];
    raw.end.destroy();
    while (dialed.length === count) await clock.pass(1);
    return clock.now() - before;
  };
  assert.deepEqual([await gap(false, A, 0), await gap(false, A, 0), await gap(false, A, 0)], [125, 250, 500]);
  assert.deepEqual([await gap(true, A, 0), await gap(false, A, 0)], [125, 250]);
});

test('a host that has forgotten the link: what was not acknowledged is handed back and never sent by itself', async () => {
  const { dialer, accept, hello, clock, near, lost, states } = byHand();
  const raw = await accept();
  await hello(raw);
  raw.write(welcome(A));
  await dialer.ready;
  for (const text of ['one', 'two']) dialer.send(note(text));
  dialer.send(call(3, 'three'));
  for (let n = 0; n < 3; n += 1) await raw.line();
  raw.write('!ack 1', '{"jsonrpc":"2.0","method":"note","params":{"text":"hi"}}');
  await near.upTo(1);
  raw.write('!close {"code":"away","reason":"restarting"}');
  await settle();
  assert.deepEqual([states.at(-1)?.phase, states.at(-1)?.reason], ['down', 'restarting']);
  dialer.send(note('four'));
  await clock.pass(125);
  const next = await accept();
  assert.deepEqual(await hello(next), { link: A, got: 1, session: SESSION, by: 'dialer/1' });
  const order: string[] = [];
  next.write(welcome(B));
  await settle();
  order.push(...states.map(({ phase }) => phase));
  assert.deepEqual(lost, [['two', '@3 three', 'four']]);
  assert.deepEqual(order, ['up', 'down', 'up']);
  dialer.send(note('new one'));
  assert.match((await next.line()) ?? '', /new one/);
  next.write('!ack 1', '{"jsonrpc":"2.0","method":"note","params":{"text":"hi again"}}');
  await near.upTo(2);
  assert.deepEqual(near.texts, ['hi', 'hi again']);
  const { sent, acked, received, breaks, state } = dialer.stats();
  assert.deepEqual(
    { sent, acked, received, breaks, state },
    { sent: 4, acked: 2, received: 2, breaks: 1, state: 'up' },
  );
});

test('a host that says goodbye acknowledged what it took: the rest has not run; one that only goes may have run it all', async () => {
  for (const goodbye of [true, false]) {
    const { dialer, accept, hello, clock } = byHand();
    const raw = await accept();
    await hello(raw);
    raw.write(welcome(A));
    await dialer.ready;
    for (const id of [1, 2, 3]) dialer.send(call(id, `call ${id}`));
    dialer.send(note('no request'));
    for (let n = 0; n < 4; n += 1) await raw.line();
    raw.write('!ack 1');
    if (goodbye) raw.write('!close {"code":"away","reason":"restarting"}');
    await settle();
    raw.end.destroy();
    await settle();
    await clock.pass(125);
    const next = await accept();
    await hello(next);
    next.write(welcome(B));
    await settle();
    assert.deepEqual(dialer.notRun, goodbye ? ['2', '3'] : []);
    // The next loss is another matter.
    dialer.send(call(4, 'call 4'));
    await next.line();
    next.end.destroy();
    await settle();
    await clock.pass(250);
    const third = await accept();
    await hello(third);
    third.write(welcome(A));
    await settle();
    assert.deepEqual(dialer.notRun, []);
  }
});

test('onRenewed comes before the state is up, and what it sends goes first', async () => {
  const scene = stage();
  const events: string[] = [];
  const dialer: LinkDialer = scene.dial({
    onState: ({ phase }) => events.push(phase),
    onRenewed: () => {
      events.push('renewed');
      dialer.send(note('initialize'));
    },
  });
  const near = new Recorder(dialer);
  await dialer.ready;
  scene.connections[0]?.die();
  scene.hosted[0]?.link.close({ code: 'link_expired', reason: 'test' });
  await scene.opened(2);
  await scene.hosted[1]?.recorder.upTo(1);
  assert.deepEqual(events, ['up', 'down', 'renewed', 'up']);
  assert.deepEqual(scene.hosted[1]?.recorder.texts, ['initialize']);
  assert.equal(near.closedWith, undefined);
});

test('closing: queued messages and the close line go out, what comes after is not delivered', async () => {
  const { dialer, accept, hello, near } = byHand();
  const raw = await accept();
  await hello(raw);
  raw.write(welcome(A));
  await dialer.ready;
  dialer.send(note('last'));
  const closed = dialer.close();
  assert.equal(dialer.send(note('too late')), true);
  assert.match((await raw.line()) ?? '', /last/);
  assert.equal(await raw.line(), '!close {"code":"done","reason":"session ended"}');
  raw.write('{"jsonrpc":"2.0","method":"note","params":{"text":"x"}}', '!close {"code":"done"}');
  raw.end.end();
  await Promise.all([closed, dialer.close()]);
  assert.deepEqual(near.texts, []);
  assert.equal(near.closedWith?.code, 'done');
});

test('closing a link whose host takes nothing ends after a second', async () => {
  const { dialer, accept, hello, clock, near } = byHand();
  const raw = await accept();
  await hello(raw);
  raw.write(welcome(A));
  await dialer.ready;
  raw.end.pause();
  for (let n = 0; n < 100; n += 1) dialer.send(note('x'.repeat(10_000)));
  const closed = dialer.close();
  await clock.pass(999);
  assert.equal(near.closedWith, undefined);
  await clock.pass(1);
  await closed;
  assert.equal((await near.closed).code, 'done');
});

test('closing while connecting, while down and before start resolves, and start then tells the end', async () => {
  const { dialer, accept, hello, near, clock } = byHand();
  const raw = await accept();
  await hello(raw);
  raw.write(welcome(A));
  await dialer.ready;
  raw.end.destroy();
  await settle();
  await dialer.close();
  assert.equal((await near.closed).code, 'done');
  await clock.pass(60_000);
  const never = dialLink({ connect: () => new Promise(() => {}), session: SESSION, by: 'x' });
  await never.close();
  await assert.rejects(never.ready, /closed before the host answered/);
  assert.equal((await new Recorder(never).closed).code, 'done');
});

test('the host ends the session: done is final, an unknown code too', async () => {
  for (const code of ['done', 'queue_full', 'something_new']) {
    const { dialer, accept, hello, near, clock, dialed } = byHand();
    const raw = await accept();
    await hello(raw);
    raw.write(welcome(A));
    await dialer.ready;
    raw.write(
      '{"jsonrpc":"2.0","method":"note","params":{"text":"last"}}',
      `!close {"code":"${code}","reason":"so be it"}`,
    );
    assert.deepEqual(await near.closed, { code, reason: 'so be it' });
    assert.deepEqual(near.texts, ['last']);
    assert.equal(await raw.line(), `!close {"code":"${code}","reason":"so be it"}`);
    await clock.pass(60_000);
    assert.equal(dialed.length, 1);
  }
});
