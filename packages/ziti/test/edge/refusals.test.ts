// What routers say when they say no, and what we make of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Headers } from '../../src/channel/headers.ts';
import type { Message } from '../../src/channel/message.ts';
import { EDGE_HEADERS as H } from '../../src/edge/ids.ts';
import { closeText, isPlainClose, refusalOf } from '../../src/edge/refusals.ts';
import { ZITI_ERROR_CODES } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { RECORDED_FRAMES } from './recorded-frames.ts';

function closed(text: string, headers = new Headers()): Message {
  return { type: 60785, sequence: 1, headers, body: Buffer.from(text) };
}

const verdict = (message: Message, refused: 'dial' | 'bind' = 'dial'): string => {
  const { error, remedy } = refusalOf(message, refused, 'echo', 'router-1');
  return `${error.code} ${remedy}`;
};

test('the texts of routers 1.6.0 are known', () => {
  const texts = new Map(
    RECORDED_FRAMES.filter(({ name }) => name === 'StateClosed').map((frame) => [
      closeText(frame),
      verdict(frame, frame.in.startsWith('bind') ? 'bind' : 'dial'),
    ]),
  );
  const starting = (start: string): (string | undefined)[] =>
    [...texts].filter(([text]) => text.startsWith(start)).map(([, what]) => what);
  assert.deepEqual(new Set(starting('service ')), new Set(['service_not_hosted never']));
  assert.deepEqual(starting('invalid session'), ['session_refused session']);
  assert.deepEqual(starting('incorrect session type'), ['session_refused session']);
  assert.deepEqual(starting('session ended'), ['session_refused session']);
  assert.deepEqual(starting('session closed'), ['session_refused session']);
  assert.deepEqual(starting('invalid api session id'), ['session_refused login']);
  assert.deepEqual(new Set(starting('encryption required')), new Set(['encryption_mismatch session']));
  assert.deepEqual(new Set(starting('exceeded maximum')), new Set(['host_refused never', 'host_silent never']));
  assert.deepEqual(starting('invalid edge router'), ['session_refused session']);
  assert.deepEqual(starting('found a newer terminator'), ['bind_refused session']);
});

test('case and unknown texts do not matter', () => {
  assert.equal(verdict(closed('Invalid Session')), 'session_refused session');
  assert.equal(verdict(closed('token has invalid claims: token is expired')), 'session_refused login');
  assert.equal(verdict(closed('the moon is full')), 'dial_refused session');
  assert.equal(verdict(closed('the moon is full'), 'bind'), 'bind_refused session');
  assert.equal(verdict(closed('')), 'dial_refused session');
  const sibling = 'sibling terminator x with shared identity y belongs to different identity';
  assert.equal(verdict(closed(sibling), 'bind'), 'instance_taken never');
});

test('codes of routers from 2.0 on win over their texts', () => {
  const coded = (code: number, detail: object): Message => {
    const headers = new Headers().setU32(H.errorCode, code).setString(H.structuredError, JSON.stringify(detail));
    return closed('text of the body', headers);
  };
  assert.equal(verdict(coded(2, {})), 'session_refused login');
  assert.equal(verdict(coded(3, {})), 'session_refused session');
  assert.equal(verdict(coded(6, {})), 'service_not_found session');
  assert.equal(verdict(coded(11, {})), 'encryption_mismatch session');
  assert.equal(verdict(coded(13, {})), 'instance_taken never');
  assert.equal(verdict(coded(14, {})), 'service_not_permitted session');
  assert.equal(verdict(coded(14, { retryHint: 3 })), 'service_not_permitted never');
  assert.equal(verdict(coded(1, { message: 'service x has no terminators' })), 'service_not_hosted never');
  const posture = refusalOf(coded(15, { message: 'no', failingPostureCheckIds: ['os-1'] }), 'dial', 'echo', 'r');
  assert.match(posture.error.message, /os-1/);
  assert.equal(posture.error.code, 'posture_failed');
});

test('an error names service, router and the reason', () => {
  const { error } = refusalOf(closed('service x has no terminators'), 'dial', 'echo', 'router-1');
  assert.match(error.message, /router-1.*echo.*no terminators/);
  assert.ok(error.hint);
});

test('whatever a router says, the answer is an error of ours that fits on a screen', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 3000 }),
      fc.string(),
      fc.nat(),
      fc.boolean(),
      (body, json, code, structured) => {
        const headers = new Headers();
        if (structured) headers.setU32(H.errorCode, code).setString(H.structuredError, json);
        const { error } = refusalOf({ ...closed(''), body, headers }, 'dial', 'echo', 'r');
        assert.ok(ZITI_ERROR_CODES.includes(error.code));
        assert.ok(error.message.length < LIMITS.peerTextChars + 100);
        assert.doesNotMatch(error.message, /[\p{Cc}\p{Cf}]/u);
      },
    ),
  );
});

test('a close that gives no reason is told from one that does', () => {
  assert.deepEqual(['', 'close called', 'session closed', 'xgress unrouted'].map(isPlainClose), [
    true,
    true,
    false,
    false,
  ]);
});
