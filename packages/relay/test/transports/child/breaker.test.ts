import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createBackoff } from '../../../src/transports/child/backoff.ts';
import { type Attempt, type Breaker, createBreaker, underBreaker } from '../../../src/transports/child/breaker.ts';

const WINDOW_MS = 120_000;

function setup() {
  const time = { now: 1_000_000 };
  return { time, breaker: createBreaker({ clock: () => time.now }) };
}

function fail(breaker: Breaker, times: number): void {
  for (let n = 0; n < times; n += 1) breaker.enter()?.failed(`failure ${n}`);
}

test('five failures in two minutes open it, four do not, and neither do five in a longer time', () => {
  const { time, breaker } = setup();
  fail(breaker, 4);
  assert.equal(breaker.state().circuit, 'closed');
  time.now += WINDOW_MS;
  fail(breaker, 4);
  assert.equal(breaker.state().circuit, 'closed');
  fail(breaker, 1);
  assert.deepEqual(breaker.state(), { circuit: 'open', failures: 5, leftMs: WINDOW_MS, reason: 'failure 0' });
  assert.equal(breaker.enter(), undefined);
});

test('half-open lets one try: its word closes it, its failure opens it again, its end by will lets another try', () => {
  const { time, breaker } = setup();
  fail(breaker, 5);
  time.now += WINDOW_MS - 1;
  assert.equal(breaker.enter(), undefined);
  time.now += 1;
  assert.equal(breaker.state().circuit, 'half-open');
  const first = breaker.enter();
  assert.ok(first);
  assert.equal(breaker.enter(), undefined, 'one at a time');
  first.over();
  const second = breaker.enter();
  assert.ok(second);
  second.failed('again');
  assert.equal(breaker.state().circuit, 'open');
  time.now += WINDOW_MS;
  const third = breaker.enter();
  third?.ok();
  assert.deepEqual(breaker.state(), { circuit: 'closed', failures: 0, leftMs: 0, reason: 'again' });
  assert.ok(breaker.enter());
});

test('what began before the pause decides nothing in it', () => {
  const { time, breaker } = setup();
  const [old, other, third] = [breaker.enter(), breaker.enter(), breaker.enter()];
  fail(breaker, 5);
  old?.ok();
  time.now += WINDOW_MS / 2;
  third?.failed('of old');
  assert.equal(breaker.state().leftMs, WINDOW_MS / 2);
  time.now += WINDOW_MS / 2;
  const trial = breaker.enter();
  other?.failed('of old');
  assert.equal(breaker.state().circuit, 'half-open');
  trial?.ok();
  assert.equal(breaker.state().circuit, 'closed');
});

test('a session waits for the circuit of all, is not blamed for it, and goes on as before when it is closed', () => {
  const { time, breaker } = setup();
  const own = createBackoff({ clock: () => time.now, random: () => 0 });
  const session = underBreaker(own, breaker, () => 0.5);
  session.note('crash');
  assert.deepEqual(session.state(), { circuit: 'closed', attempts: 1 });
  fail(breaker, 5);
  for (let n = 0; n < 10; n += 1) session.note('crash');
  assert.deepEqual(session.state(), { circuit: 'open', attempts: 1 });
  assert.equal(session.next(), WINDOW_MS + 1000);
  time.now += WINDOW_MS;
  assert.deepEqual(session.state(), { circuit: 'closed', attempts: 1 });
  breaker.enter();
  assert.equal(session.next(), 1500, 'another tries: look again soon');
});

/** The naive teller: everything that happened, asked anew each time. */
class Model {
  now = 0;
  /** Failures that count. */
  failures: number[] = [];
  openUntil: number | undefined;
  trial: Started | undefined;
  readonly live: Started[] = [];
}

interface Started {
  real: Attempt;
  ended: boolean;
}

interface Real {
  readonly time: { now: number };
  readonly breaker: Breaker;
}

type Step = fc.Command<Model, Real>;

function agree(model: Model, { breaker }: Real): void {
  const open = model.openUntil !== undefined && model.now < model.openUntil;
  const expected = model.openUntil === undefined ? 'closed' : open ? 'open' : 'half-open';
  assert.equal(breaker.state().circuit, expected);
  assert.equal(breaker.state().leftMs, open ? (model.openUntil ?? 0) - model.now : 0);
}

const step = (name: string, run: (model: Model, real: Real) => void): Step => ({
  check: () => true,
  run: (model, real) => {
    run(model, real);
    agree(model, real);
  },
  toString: () => name,
});

const one = (name: string, at: number, run: (model: Model, chosen: Started) => void): Step =>
  step(`${name}(${at})`, (model) => {
    const chosen = model.live[at % model.live.length];
    if (chosen) run(model, chosen);
  });

const steps = [
  fc.nat(200_000).map((ms) =>
    step(`pass(${ms})`, (model, real) => {
      model.now += ms;
      real.time.now += ms;
    }),
  ),
  fc.constant(
    step('enter', (model, { breaker }) => {
      const real = breaker.enter();
      const open = model.openUntil !== undefined && model.now < model.openUntil;
      assert.equal(real !== undefined, !open && model.trial === undefined, 'whether it may start');
      if (!real) return;
      const started = { real, ended: false };
      if (model.openUntil !== undefined) model.trial = started;
      model.live.push(started);
    }),
  ),
  fc.constant(
    step('crash', (model, { breaker }) => {
      const real = breaker.enter();
      real?.failed('it died');
      if (!real) return;
      model.failures.push(model.now);
      const recent = model.failures.filter((when) => model.now - when < WINDOW_MS).length;
      if (model.openUntil !== undefined || recent >= 5) model.openUntil = model.now + WINDOW_MS;
    }),
  ),
  fc.nat(50).map((at) =>
    one('ok', at, (model, chosen) => {
      chosen.real.ok();
      if (model.trial !== chosen || chosen.ended) return;
      Object.assign(model, { trial: undefined, openUntil: undefined, failures: [] });
    }),
  ),
  fc.nat(50).map((at) =>
    one('failed', at, (model, chosen) => {
      chosen.real.failed('it died');
      if (chosen.ended) return;
      chosen.ended = true;
      model.failures.push(model.now);
      const recent = model.failures.filter((when) => model.now - when < WINDOW_MS).length;
      const tried = model.trial === chosen;
      if (tried || (model.openUntil === undefined && recent >= 5)) model.openUntil = model.now + WINDOW_MS;
      if (tried) model.trial = undefined;
    }),
  ),
  fc.nat(50).map((at) =>
    one('over', at, (model, chosen) => {
      chosen.real.over();
      chosen.ended = true;
      if (model.trial === chosen) model.trial = undefined;
    }),
  ),
];

test('whatever happens in whatever order, it starts what it should, one at a time when half-open, and never gets stuck', () => {
  fc.assert(
    fc.property(fc.commands(steps, { maxCommands: 80 }), (commands) => {
      const model = new Model();
      const time = { now: 0 };
      const real = { time, breaker: createBreaker({ clock: () => time.now }) };
      fc.modelRun(() => ({ model, real }), commands);
      // However it stands: after the pause, and when nobody tries, there is a way out.
      for (const started of model.live) started.real.over();
      time.now += WINDOW_MS;
      const attempt = real.breaker.enter();
      assert.ok(attempt);
      attempt.ok();
      assert.equal(real.breaker.state().circuit, 'closed');
    }),
    { numRuns: 2000 },
  );
});
