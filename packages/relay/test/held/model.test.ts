// Any order of calls, questions, answers, cuts on both sides, and kills of the middle: every request has exactly one answer and
// it is the right one, no call runs twice, every question is answered once, and the server greets one client.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { World } from './world.ts';

const how = fc.constantFrom('end' as const, 'reset' as const);
const nth = fc.nat(5);

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ do: 'call' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'list' as const }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('finish' as const), nth }) },
  { weight: 2, arbitrary: fc.constant({ do: 'ask' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('answer' as const), nth }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), how, side: fc.constantFrom('agent', 'host') }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('kill' as const), how, back: fc.constantFrom('no', 'at once', 'whole') }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'revive' as const }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), turns: fc.nat(8) }) },
  { weight: 4, arbitrary: fc.constant({ do: 'settle' as const }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function play(world: World, step: Step): Promise<void> {
  switch (step.do) {
    case 'call':
      return world.request('tools/call');
    case 'list':
      return world.request('tools/list');
    case 'finish':
      return world.server.finish(step.nth);
    case 'ask':
      return world.server.ask();
    case 'answer':
      return world.answer(step.nth);
    case 'cut':
      return world.cut(step.how, step.side as 'agent' | 'host');
    case 'kill':
      await world.kill(step.how);
      if (step.back !== 'no') world.revive();
      if (step.back === 'whole') await world.whole();
      return;
    case 'revive':
      return world.revive();
    case 'settle':
      return world.whole();
    case 'wait':
      for (let turn = 0; turn < step.turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

test('whatever breaks between agent and server, in any order', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await using world = new World();
      for (const one of steps) await play(world, one);
      await world.finish();
      for (const id of world.asked) {
        const answers = (world.answers.get(id) ?? []).map(({ bytes }) => bytes.toString());
        assert.equal(answers.length, 1, `${id}: ${answers.join(' | ') || 'no answer'}`);
        const outcome = world.expected.get(id);
        assert.ok(answers[0]?.includes(outcome === undefined ? '"result"' : `"text":"${outcome}"`), answers[0]);
      }
      const outcomes = [...world.server.calls].map(([number, { runs, outcome }]) => [outcome, runs, number]);
      for (const [outcome, runs, number] of outcomes) assert.deepEqual([outcome, runs], [`outcome ${number}`, 1]);
      for (const [id, text] of world.server.questions) assert.equal(text, id);
      assert.deepEqual([world.server.greeted, world.server.initialized, world.server.sessions.length], [1, 1, 1]);
    }),
    {
      includeErrorInReport: true,
      numRuns: process.env.TEST_LONG === undefined ? 80 : 3000,
      ...(process.env.FC_SEED && { seed: Number(process.env.FC_SEED) }),
    },
  );
});
