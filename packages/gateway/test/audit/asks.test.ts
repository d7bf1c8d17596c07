// Questions of servers, subscriptions and notifications on record: how they end, and what becomes of them when the log fails
// between two of their records.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorMessage, resultMessage } from '@mcp-overlay/relay';
import { recordListen, recordNotification, recordRefusal } from '../../src/audit/aside.ts';
import { type Ask, recordAsk, recordQuestion } from '../../src/audit/asks.ts';
import { factsOf } from '../../src/audit/calls.ts';
import { outcomeOf } from '../../src/audit/outcome.ts';
import { type Call, newTrail } from '../../src/call/call.ts';
import { deny } from '../../src/call/denial.ts';
import { memoryAuditLog } from '../../src/testing/index.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was recorded
type Json = any;

function auditing() {
  const log = memoryAuditLog();
  const audit = { log, actor: { session: 3, ident: 'ziti:ann' }, receipts: false, warn: () => {} };
  return { log, audit, last: (): Json => log.events.at(-1) };
}

const ASK: Ask = { backend: 'fs', method: 'sampling/createMessage', params: { maxTokens: 1 } };

test('a question ends with a result, with an error, or taken back', async () => {
  const { audit, last } = auditing();
  const ends = [
    [resultMessage('1', { model: 'm' }), 'ok', undefined, '{"model":"m"}'.length],
    [errorMessage('1', 'refused', 'the user said no'), 'error', -31055, 0],
    [undefined, 'cancelled', undefined, 0],
  ] as const;
  for (const [answer, status, code, bytes] of ends) {
    const asked = await recordAsk(audit, ASK);
    assert.equal(last().from, 'backend');
    assert.equal(await asked?.answered(answer), true);
    assert.deepEqual([last().status, last().code, last().bytes], [status, code, bytes]);
  }
});

test('a ping of a server is no question, and one that is denied or answered elsewhere is one record', async () => {
  const { audit, log, last } = auditing();
  const ping = await recordAsk(audit, { ...ASK, method: 'ping' });
  assert.equal(await ping?.answered(undefined), true);
  assert.equal(log.events.length, 0);
  assert.equal(await recordQuestion(audit, { ...ASK, denied: true }), true);
  assert.deepEqual([last().status, last().code, last().decision], ['refused', 'refused', 'deny']);
  assert.equal(await recordQuestion(audit, ASK), true);
  assert.deepEqual([last().status, last().code, last().decision], ['ok', 'input_required', 'allow']);
});

test('a log that fails between question and answer, or before either, lets neither pass', async () => {
  const { audit, log } = auditing();
  const asked = await recordAsk(audit, ASK);
  log.fails = () => true;
  assert.equal(await asked?.answered(resultMessage('1', {})), false);
  assert.equal(await recordAsk(audit, ASK), undefined);
  assert.equal(await recordQuestion(audit, ASK), false);
});

test('a subscription and a notification whose end cannot be recorded: it is told, or was sent all the same', async () => {
  const { audit, log } = auditing();
  const over = await recordListen(audit, 'subscriptions/listen', {});
  log.fails = ({ type }) => type === 'call.outcome';
  assert.equal(await over?.('ok'), false);
  let sent = 0;
  await recordNotification(audit, 'fs', 'notifications/act', {}, () => {
    sent += 1;
  });
  assert.equal(sent, 1, 'its intent is on record');
  await recordRefusal(audit, 'subscriptions/listen', {}, 'identities.ann.rate');
  log.fails = () => true;
  await recordNotification(audit, 'fs', 'notifications/act', {}, () => assert.fail('unrecorded'));
  assert.equal(await recordListen(audit, 'subscriptions/listen', {}), undefined);
});

test('what nobody routed is on record as the caller named it', () => {
  const named = (method: string, params: Json): Json => {
    const { kind, target } = factsOf({ method, params, trail: newTrail() });
    return [kind, target];
  };
  assert.deepEqual(named('tools/call', { name: 't' }), ['tool', 't']);
  assert.deepEqual(named('prompts/get', { name: 'p' }), ['prompt', 'p']);
  assert.deepEqual(named('prompts/get', { name: 7 }), ['prompt', undefined]);
  assert.deepEqual(named('resources/read', { uri: 'x:y' }), ['resource', 'x:y']);
  assert.deepEqual(named('tasks/get', { taskId: 'id' }), ['task', 'id']);
  assert.deepEqual(named('completion/complete', { ref: { type: 'ref/prompt', name: 'p' } }), ['prompt', 'p']);
  assert.deepEqual(named('completion/complete', { ref: { type: 'ref/resource', uri: 'x:y' } }), ['resource', 'x:y']);
  assert.deepEqual(named('x/y', {}), ['method', 'x/y']);
  const trail = newTrail();
  for (const [decision, said] of [
    [{ allow: true, rule: 'r' }, 'allow'],
    [{ allow: true, rule: 'r', shadow: true }, 'shadow'],
    [{ allow: false, rule: 'r' }, 'deny'],
  ] as const) {
    trail.decision = decision;
    assert.equal(factsOf({ method: 'x', params: {}, trail }).decision, said);
  }
});

test('what is only known of an error of ours decides how a call ended', () => {
  const call = (intent: boolean, cancelled = false): Call => {
    const trail = newTrail();
    if (intent) trail.intent = { log: 'l', seq: 1, hash: 'h' };
    return { method: 'tools/call', params: {}, trail, cancel: { cancelled } } as unknown as Call;
  };
  const status = (name: Parameters<typeof deny>[0], of: Call): Json => {
    const { status, code } = outcomeOf(of, deny(name, 'x'), {});
    return [status, code];
  };
  assert.deepEqual(status('call_timeout', call(true)), ['timeout', 'call_timeout']);
  assert.deepEqual(status('outcome_unknown', call(true)), ['unknown', 'outcome_unknown']);
  assert.deepEqual(status('internal_error', call(true)), ['unknown', 'internal_error']);
  assert.deepEqual(status('internal_error', call(false)), ['refused', 'internal_error']);
  assert.deepEqual(status('internal_error', call(true, true)), ['cancelled', 'internal_error']);
  assert.deepEqual(status('withheld', call(true)), ['ok', 'withheld']);
  assert.deepEqual(status('withheld', call(false)), ['refused', 'withheld']);
  // An answer that is neither result nor readable error is still an answer, and theirs.
  const { bytes, ...rest } = errorMessage('1', 'refused', 'x');
  const empty = { ...rest, bytes: Buffer.from('{"jsonrpc":"2.0","id":1}') };
  assert.ok(bytes.length > 0);
  assert.equal(outcomeOf(call(true), { answer: empty }, {}).status, 'error');
});
