// What a router says of connections, mutated: every reader of it gives a value or an error of ours.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '../../src/channel/headers.ts';
import { encodeMessage, type Message } from '../../src/channel/message.ts';
import { MessageReader } from '../../src/channel/message-reader.ts';
import { EDGE_HEADERS as H } from '../../src/edge/ids.ts';
import { connIdOf, flagsOf, parseConnected, parseDial } from '../../src/edge/messages.ts';
import { splitMultipart } from '../../src/edge/multipart.ts';
import { closeText, refusalOf } from '../../src/edge/refusals.ts';
import { ZITI_ERROR_CODES, ZitiError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { mutate } from '../../src/testing/mutate.ts';
import { recordedFrame } from './recorded-frames.ts';

const isOurs = (error: unknown): boolean =>
  error instanceof ZitiError && (ZITI_ERROR_CODES as readonly string[]).includes(error.code);

const encoded = ({ type, sequence, headers, body }: Message): Buffer => encodeMessage(type, sequence, headers, body);

/** Lengths made right again, or most inputs would end at the frame. */
function framed(input: Buffer): Message | undefined {
  if (input.length < 24) return undefined;
  const headers = Math.min(input.readUInt32LE(12), input.length - 20);
  input.writeUInt32LE(headers, 12);
  input.writeUInt32LE(input.length - 20 - headers, 16);
  const reader = new MessageReader('router');
  reader.push(input);
  return reader.next();
}

test('a damaged message of a router is understood, or refused with an error of ours', (t) => {
  const refusal = new Headers()
    .setU32(H.connId, 7)
    .setU32(H.errorCode, 20)
    .setString(H.structuredError, '{"code":3,"message":"no","retryHint":1,"failingPostureCheckIds":["a","b"]}');
  const seeds = [
    ...['Connect', 'Dial', 'Bind', 'StateConnected'].map((name) => encoded(recordedFrame('js-js-encrypted', name))),
    encodeMessage(60785, 4, refusal, Buffer.from('service x has no terminators')),
    encodeMessage(60786, 5, new Headers().setU32(H.connId, 7).setU32(H.flags, 3), Buffer.from('\x05\x00hello\x00\x00')),
  ];
  const tally = mutate(
    seeds,
    (input) => {
      // Magic and type are the frame reader's, which has a test of its own.
      seeds[0]?.copy(input, 0, 0, Math.min(4, input.length));
      const message = framed(input);
      if (!message) throw new ZitiError('connection_violation', 'no message');
      const { claimed, circuitId, identityName, identityId } = parseDial(message);
      for (const text of [
        claimed,
        circuitId,
        identityName,
        identityId,
        parseConnected(message).circuitId,
        closeText(message),
      ]) {
        assert.ok((text ?? '').length <= LIMITS.peerTextChars);
      }
      connIdOf(message);
      flagsOf(message);
      for (const refused of ['dial', 'bind'] as const) {
        const { error } = refusalOf(message, refused, 'service', 'router');
        assert.ok(isOurs(error) && error.message.length < 20 * LIMITS.peerTextChars);
      }
      const whole = splitMultipart(Buffer.from(message.body));
      assert.ok(whole.every((part) => part.length > 0));
    },
    isOurs,
  );
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.accepted > 0 && tally.refused > 20);
});
