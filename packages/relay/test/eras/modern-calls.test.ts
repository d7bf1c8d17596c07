import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { META } from '../../src/eras/envelope.ts';
import { ModernCalls } from '../../src/eras/modern-calls.ts';
import { notificationMessage, parseMessage, resultMessage } from '../../src/json-rpc.ts';
import type { Message } from '../../src/message.ts';
import { line } from '../transports/http/harness.ts';
import { type Json, modernMeta } from './played.ts';

function house() {
  const sent: Json[] = [];
  const calls = new ModernCalls((message) => sent.push(parseMessage(message)));
  const caller = (client?: object) => {
    const got: Json[] = [];
    const take = (message: Message): void => void got.push(parseMessage(message));
    return { got, caller: { answer: take, notification: take, ...(client ? { client } : {}) } };
  };
  return { sent, calls, caller };
}

const request = (id: string | number, more: Json = {}, method = 'tools/call'): Message =>
  line({ jsonrpc: '2.0', id, method, params: { _meta: modernMeta({}, more) } });

test('whatever the order of answers and progress, each caller gets its own under its own id and token', () => {
  const id = fc.oneof(fc.integer({ min: -2, max: 2 }), fc.constantFrom('', '0', 'a'));
  fc.assert(
    fc.property(
      fc.array(fc.record({ id, token: id }), { minLength: 1, maxLength: 8 }),
      fc.infiniteStream(fc.nat()),
      (asked, picks) => {
        const { sent, calls, caller } = house();
        const callers = asked.map(() => caller());
        asked.forEach(({ id, token }, n) => {
          calls.forward(request(id, { progressToken: token, n }), callers[n]?.caller as Json);
        });
        const open = [...sent];
        while (open.length > 0) {
          const pick = (picks.next().value as number) % open.length;
          const [one] = open.splice(pick, 1);
          const { progressToken, n } = one.params._meta;
          calls.fromServer(notificationMessage('notifications/progress', { progressToken, progress: n }));
          calls.fromServer(resultMessage(String(one.id), { n }));
        }
        asked.forEach(({ id, token }, n) => {
          const [progress, answer] = callers[n]?.got ?? [];
          assert.deepEqual([progress.params.progressToken, progress.params.progress], [token, n]);
          assert.deepEqual([answer.id, answer.result.n, callers[n]?.got.length], [id, n, 2]);
        });
      },
    ),
  );
});

test('a log line goes to whom it surely belongs, and to nobody else', () => {
  const { calls, caller } = house();
  const [a, b, plain, listener] = [caller(), caller(), caller(), caller()];
  calls.forward(request(1, { [META.logLevel]: 'info' }, 'subscriptions/listen'), listener.caller);
  const said = notificationMessage('notifications/message', { level: 'info', data: 1 });
  calls.forward(request(1), plain.caller);
  calls.fromServer(said);
  calls.forward(request(1, { [META.logLevel]: 'info' }), a.caller);
  calls.fromServer(said);
  calls.forward(request(1, { [META.logLevel]: 'info' }), b.caller);
  calls.fromServer(said);
  calls.fromServer({ ...said, relatedTo: '4' });
  assert.deepEqual(
    [listener, plain, a, b].map(({ got }) => got.length),
    [0, 0, 1, 1],
  );
});

test('events of a subscription, its end and its teardown carry the id of its own request', () => {
  const { sent, calls, caller } = house();
  const [a, b] = [caller(), caller()];
  calls.forward(request('L', {}, 'subscriptions/listen'), a.caller);
  calls.forward(request('L', {}, 'subscriptions/listen'), b.caller);
  const _meta = { [META.subscription]: sent[1].id };
  calls.fromServer(notificationMessage('notifications/tools/list_changed', { _meta }));
  calls.fromServer(notificationMessage('notifications/cancelled', { requestId: sent[1].id }));
  calls.fromServer(resultMessage(String(sent[1].id), { resultType: 'complete', _meta }));
  assert.equal(a.got.length, 0);
  assert.equal(b.got[0].params._meta[META.subscription], 'L');
  assert.equal(b.got[1].params.requestId, 'L');
  assert.deepEqual([b.got[2].id, b.got[2].result._meta[META.subscription]], ['L', 'L']);
});

test('what nobody asked for, and requests of a server, end here', () => {
  const { sent, calls } = house();
  calls.fromServer(resultMessage('99', {}));
  calls.fromServer(line({ jsonrpc: '2.0', id: 1, method: 'roots/list' }));
  calls.fromServer(notificationMessage('notifications/progress', { progressToken: 1, progress: 1 }));
  assert.deepEqual(sent, []);
});
