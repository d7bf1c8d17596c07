// A steady session against a model: any order of calls, lists, answers, servers that die and hosts that forget, with and
// without outcomes kept. Every request is answered once; nothing reaches servers twice that may not; every server is greeted
// before anything else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Message, parseMessage, requestMessage, resultMessage } from '../../src/index.ts';
import { errorOf, type FakeServer, shakenHands, WELCOME } from './one-server.ts';

const RUNS = process.env.TEST_LONG === undefined ? 300 : 20_000;

type Step =
  | { readonly do: 'call'; readonly key: boolean }
  | { readonly do: 'list' }
  /** The oldest, the next … of those the server has and has not answered. */
  | { readonly do: 'answer'; readonly nth: number }
  | { readonly do: 'die' }
  /** The transport stays, its other end knows nothing any more. */
  | { readonly do: 'forget'; readonly once: boolean }
  | { readonly do: 'turns'; readonly turns: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('call' as const), key: fc.boolean() }) },
    { weight: 2, arbitrary: fc.constant({ do: 'list' as const }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const), nth: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.constant({ do: 'die' as const }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), once: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('turns' as const), turns: fc.nat(6) }) },
  ),
  { minLength: 5, maxLength: 60 },
);

class Play {
  readonly #house: Awaited<ReturnType<typeof shakenHands>>;
  readonly #sent = new Map<string, { readonly method: string; readonly keyed: boolean }>();
  /** Of each server, how much of what it got was looked at. */
  readonly #seen = new Map<FakeServer, number>();
  #open: { readonly server: FakeServer; readonly message: Message }[] = [];
  /** By server: it has heard `initialize` since it was made or forgot. */
  readonly #greeted = new Map<FakeServer, boolean>();
  readonly reached = new Map<string, number>();
  #next = 100;

  constructor(house: Awaited<ReturnType<typeof shakenHands>>) {
    this.#house = house;
    this.#greeted.set(house.first, true);
    this.#seen.set(house.first, house.first.got.all.length);
    house.first.events.agreed?.({ once: 60 });
  }

  get sent(): ReadonlyMap<string, { readonly method: string; readonly keyed: boolean }> {
    return this.#sent;
  }

  play(step: Step): Promise<void> | undefined {
    const { session, servers } = this.#house;
    const last = servers.at(-1);
    assert.ok(last);
    if (step.do === 'call') this.#ask('tools/call', step.key);
    else if (step.do === 'list') this.#ask('tools/list', false);
    else if (step.do === 'answer') this.#answer(step.nth);
    else if (step.do === 'die') last.far.break();
    else if (step.do === 'turns') return turns(step.turns);
    else if (session.state.phase === 'up') return this.#forget(last, step.once);
    return undefined;
  }

  async #forget(server: FakeServer, once: boolean): Promise<void> {
    // A link that begins anew brings nothing of the one before.
    await turns(3);
    this.look();
    this.#greeted.set(server, false);
    this.#open = this.#open.filter((open) => open.server !== server);
    server.events.agreed?.(once ? { once: 60 } : {});
    server.events.renewed();
  }

  /** Takes what arrived at servers; greets back. */
  look(): void {
    for (const server of this.#house.servers) {
      const from = this.#seen.get(server) ?? 0;
      this.#seen.set(server, server.got.all.length);
      if (from === 0 && !this.#greeted.has(server)) server.events.agreed?.({ once: 60 });
      for (const message of server.got.all.slice(from)) this.#arrived(server, message);
    }
  }

  answerAll(): void {
    while (this.#open.length > 0) this.#answer(0);
  }

  #ask(method: string, keyed: boolean): void {
    const id = String(this.#next++);
    this.#sent.set(id, { method, keyed });
    this.#house.session.send(requestMessage(id, method, { name: 'x' }, keyed ? Number(id) : undefined));
  }

  #arrived(server: FakeServer, message: Message): void {
    const { id = '', method, kind } = message;
    if (method === 'initialize') {
      this.#greeted.set(server, true);
      server.far.send(resultMessage(id, WELCOME));
      return;
    }
    if (kind !== 'request') return;
    assert.ok(this.#greeted.get(server), `${method} before initialize`);
    const known = this.#sent.get(id);
    // Lists that the session asks for itself.
    if (!known) {
      server.far.send(resultMessage(id, { tools: [] }));
      return;
    }
    assert.equal(message.call, known.keyed ? Number(id) : undefined, 'it comes with its own key');
    this.reached.set(id, (this.reached.get(id) ?? 0) + 1);
    this.#open.push({ server, message });
  }

  #answer(nth: number): void {
    const [one] = this.#open.splice(Math.min(nth, this.#open.length - 1), 1);
    one?.server.far.send(resultMessage(one.message.id ?? '', { of: one.message.id, tools: [] }));
  }
}

test('whatever happens to its servers, in any order', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      await using house = await shakenHands();
      const play = new Play(house);
      for (const step of script) {
        await play.play(step);
        play.look();
      }
      const answers = (): Message[] => house.client.all.filter(({ id, kind }) => kind === 'response' && id !== '0');
      for (let round = 0; answers().length < play.sent.size && round < 200; round += 1) {
        // A server is opened again by a timer.
        await new Promise((resolve) => setTimeout(resolve, 1));
        play.look();
        play.answerAll();
      }
      await turns(4);
      assert.deepEqual(
        answers()
          .map(({ id }) => id)
          .sort(),
        [...play.sent.keys()].sort(),
        'each is answered once',
      );
      for (const answer of answers()) {
        const { method, keyed } = play.sent.get(answer.id ?? '') ?? {};
        const error = errorOf(answer)?.data?.error;
        const times = play.reached.get(answer.id ?? '') ?? 0;
        if (error === undefined) {
          assert.equal((parseMessage(answer) as { result: { of: string } }).result.of, answer.id);
          assert.ok(times >= 1);
        } else assert.equal(error, method === 'tools/call' ? 'outcome_unknown' : 'backend_unavailable');
        if (method === 'tools/call' && !keyed) assert.ok(times <= 1, `${answer.id} reached servers ${times} times`);
      }
    }),
    { numRuns: RUNS, includeErrorInReport: true },
  );
});

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
