// Any order of requests, answers, pauses, deaths and failed starts: each request ends once, and no server is left.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { notificationMessage, requestMessage, resultMessage } from '../../src/json-rpc.ts';
import type { Message } from '../../src/message.ts';
import { restingServer } from '../../src/resting/resting.ts';
import { linkedTransports } from '../../src/testing/linked.ts';
import type { CloseReason, Transport } from '../../src/transport.ts';

const IDLE_MS = 2;
const alive = setInterval(() => {}, 1000);
after(() => clearInterval(alive));

type Event =
  | { readonly do: 'ask' | 'ask and wait' | 'answer' | 'idle' | 'cancel' | 'die' | 'question' | 'reply' }
  | { readonly do: 'starts'; readonly fail: boolean };

const events: fc.Arbitrary<Event[]> = fc.array(
  fc.oneof(
    fc.constantFrom<Event>(
      ...(
        ['ask', 'ask', 'ask and wait', 'answer', 'answer', 'idle', 'idle', 'cancel', 'question', 'reply'] as const
      ).map((what) => ({ do: what })),
    ),
    { weight: 1, arbitrary: fc.constant<Event>({ do: 'die' }) },
    { weight: 1, arbitrary: fc.boolean().map((fail): Event => ({ do: 'starts', fail })) },
  ),
  { maxLength: 30 },
);

interface Life {
  readonly far: Transport;
  /** Requests that it has not answered. */
  readonly open: Set<string>;
  /** Its own question is not answered. */
  asks: boolean;
  over: boolean;
}

test('each request is answered once, or told as not run, or was at work when its server died; none runs twice', async () => {
  await fc.assert(
    fc.asyncProperty(events, async (all) => {
      const lives: Life[] = [];
      const cancelled = new Set<string>();
      const state = { fails: false, asleep: false, closed: undefined as CloseReason | undefined };
      /** By id: servers that it reached, answers that came back. */
      const reached = new Map<string, number>();
      const answered = new Map<string, number>();
      const count = (of: Map<string, number>, id: string) => of.set(id, (of.get(id) ?? 0) + 1);
      const open = async (): Promise<Transport> => {
        if (state.fails) throw new Error('no start');
        assert.ok(
          lives.every(({ over }) => over),
          'two servers at a time',
        );
        const [near, far] = linkedTransports();
        const life: Life = { far, open: new Set(), asks: false, over: false };
        lives.push(life);
        far.start({
          message: ({ kind, id = '' }) => {
            if (kind === 'response') life.asks = false;
            if (kind !== 'request') return;
            count(reached, id);
            // Taken back while it was on its way.
            if (!cancelled.has(id)) life.open.add(id);
          },
          fault: () => {},
          closed: () => {
            life.over = true;
          },
        });
        return asking(near, () => {
          life.asks = true;
        });
      };
      const server = await restingServer({
        ...{ name: 'server', open, idleMs: IDLE_MS, mayForget: true },
        onAsleep: (asleep) => {
          state.asleep = asleep;
          const { open: working, asks } = lives.at(-1) ?? { open: new Set(), asks: false };
          assert.ok(!asleep || (working.size === 0 && !asks), 'it sleeps over work');
        },
      });
      const questions: string[] = [];
      server.start({
        message: (message: Message) => {
          if (message.kind === 'response') count(answered, message.id ?? '');
          else if (message.kind === 'request') questions.push(message.id ?? '');
        },
        fault: () => {},
        closed: (reason) => {
          assert.equal(state.closed, undefined, 'closed twice');
          state.closed = reason;
        },
      });
      const asked: string[] = [];
      /** Sent on at once: a server that dies then may not have read it, and nobody can know. */
      const awake = new Set<string>();
      const now = (): Life | undefined => lives.find(({ over }) => !over);
      for (const event of all) {
        const life = now();
        if (event.do === 'ask' || event.do === 'ask and wait') {
          if (state.closed) break;
          const id = `"r${asked.length}"`;
          asked.push(id);
          if (life && !state.asleep) awake.add(id);
          server.send(requestMessage(id, 'tools/call'));
          if (event.do === 'ask and wait') await delay(1);
        } else if (event.do === 'answer' && life) {
          for (const id of life.open) life.far.send(resultMessage(id, {}));
          life.open.clear();
        } else if (event.do === 'idle') await delay(3 * IDLE_MS);
        else if (event.do === 'cancel' && asked.length > 0) {
          const id = asked.at(-1) ?? '';
          cancelled.add(id);
          life?.open.delete(id);
          server.send(notificationMessage('notifications/cancelled', { requestId: JSON.parse(id) }));
        } else if (event.do === 'question' && life && !state.asleep) {
          life.far.send(requestMessage(`"q${questions.length}"`, 'roots/list'));
        } else if (event.do === 'reply') for (const id of questions.splice(0)) server.send(resultMessage(id, {}));
        else if (event.do === 'die') await life?.far.close({ code: 'child_exited', reason: 'it died' });
        else if (event.do === 'starts') state.fails = event.fail;
        await delay(0);
      }
      const isNotRun = (id: string): boolean => state.closed?.notRun?.includes(id) ?? false;
      const isLost = (id: string): boolean =>
        (state.closed !== undefined && awake.has(id)) || lives.some(({ open: had, over }) => over && had.has(id));
      const isTold = (id: string): boolean =>
        cancelled.has(id) || answered.has(id) || isNotRun(id) || isLost(id) || (now()?.open.has(id) ?? false);
      // A server that wakes takes some turns, and more of them on a busy machine.
      for (let turn = 0; turn < 2000 && !asked.every(isTold); turn += 1) await delay(1);
      for (const id of asked) {
        const [servers, answers] = [reached.get(id) ?? 0, answered.get(id) ?? 0];
        assert.ok(servers <= 1, `${id} reached ${servers} servers`);
        assert.ok(answers <= 1, `${id} was answered ${answers} times`);
        if (isNotRun(id) && !cancelled.has(id)) assert.equal(servers, 0, `${id} ran and is told as not run`);
        assert.ok(isTold(id), `${id} is forgotten: ${JSON.stringify({ servers, answers, closed: state.closed })}`);
      }
      await server.close();
      // The other end learns of it a turn later.
      for (let turn = 0; turn < 100 && !lives.every(({ over }) => over); turn += 1) await delay(1);
      assert.ok(
        lives.every(({ over }) => over),
        'a server is left',
      );
      assert.ok(state.closed);
    }),
    { numRuns: 150 },
  );
});

/** Its question counts when it has come to the other end. */
function asking(near: Transport, asked: () => void): Transport {
  const start = near.start.bind(near);
  near.start = (handlers) =>
    start({
      ...handlers,
      message: (message) => {
        if (message.kind === 'request') asked();
        handlers.message(message);
      },
    });
  return near;
}
