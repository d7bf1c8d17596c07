// What we send and understand, against what real routers and clients exchanged.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '../../src/channel/headers.ts';
import { EDGE_HEADERS as H } from '../../src/edge/ids.ts';
import {
  bindHeaders,
  connectHeaders,
  dialSuccess,
  parseConnected,
  parseDial,
  updateBindHeaders,
} from '../../src/edge/messages.ts';
import { LIMITS } from '../../src/limits.ts';
import { bytes, plainHeaders, recordedFrame } from './recorded-frames.ts';

test('a Connect has the headers that a real router took', () => {
  const recorded = recordedFrame('js-js-encrypted', 'Connect');
  const headers = connectHeaders(1, {
    publicKey: recorded.headers.bytes(H.publicKey),
    callerId: 'trace-dialer',
    instance: undefined,
    appData: Buffer.from('app-data-of-the-dialer'),
  });
  assert.equal(headers.bytes(H.connectionMarker)?.length, 8);
  headers.setBytes(H.connectionMarker, recorded.headers.bytes(H.connectionMarker) ?? bytes(''));
  assert.deepEqual(plainHeaders(headers), plainHeaders(recorded.headers));
  const plain = { publicKey: undefined, callerId: 'c', instance: 'one', appData: undefined };
  assert.equal(connectHeaders(1, plain).string(H.terminatorIdentity), 'one');
  assert.equal(connectHeaders(1, plain).has(H.publicKey), false);
});

test('a Bind has the headers that a real router took', () => {
  const recorded = recordedFrame('js-js-encrypted', 'Bind');
  const request = {
    listenerId: recorded.headers.string(H.listenerId) ?? '',
    publicKey: recorded.headers.bytes(H.publicKey),
    instance: undefined,
    cost: 0,
    precedence: 'default',
  } as const;
  assert.deepEqual(plainHeaders(bindHeaders(1, request)), plainHeaders(recorded.headers));
  const special = bindHeaders(2, { ...request, instance: 'inst-1', cost: 7, precedence: 'required' });
  assert.deepEqual(
    [special.string(H.terminatorIdentity), special.u16(H.cost), special.u8(H.precedence)],
    ['inst-1', 7, 1],
  );
});

test('an UpdateBind has the headers that a real router took', () => {
  const recorded = recordedFrame('bind-life', 'UpdateBind');
  const headers = updateBindHeaders(1, { cost: 100, precedence: 'failed' });
  assert.deepEqual(plainHeaders(headers), plainHeaders(recorded.headers));
});

test('a Dial of a real router is understood, and answered as one was', () => {
  const dial = parseDial(recordedFrame('js-js-encrypted', 'Dial'));
  assert.deepEqual([dial.claimed, dial.connId, dial.circuitId], ['trace-dialer', 2 ** 31, 'raCou0jCv']);
  assert.equal(String(dial.appData), 'app-data-of-the-dialer');
  assert.equal(dial.publicKey?.length, 32);
  const recorded = recordedFrame('js-js-encrypted', 'DialSuccess');
  const { headers, body } = dialSuccess(1, dial.sequence, dial.connId ?? 0);
  assert.deepEqual(plainHeaders(headers), plainHeaders(recorded.headers));
  assert.deepEqual(body, recorded.body);
});

test('a Dial by a C program and a router that gives no id are understood', () => {
  const byC = parseDial(recordedFrame('c-sdk-dial', 'Dial'));
  assert.deepEqual([byC.claimed, byC.methodKnown], ['trace-c', true]);
  const toC = parseDial(recordedFrame('c-sdk-host', 'Dial'));
  assert.equal(toC.connId, undefined);
});

test('a StateConnected of a real router is understood', () => {
  const connected = parseConnected(recordedFrame('js-js-encrypted', 'StateConnected', 'dialer'));
  assert.deepEqual(
    [connected.circuitId, connected.publicKey?.length, connected.methodKnown, connected.sdkFlowControl],
    ['raCou0jCv', 32, true, false],
  );
});

test('only the crypto that all SDKs share is known, under each of its names', () => {
  const known = (set: (headers: Headers) => Headers): boolean => {
    return parseConnected({ type: 0, sequence: 0, headers: set(new Headers()), body: bytes('') }).methodKnown;
  };
  assert.ok(known((headers) => headers));
  assert.ok(known((headers) => headers.setU8(H.cryptoMethod, 0)));
  assert.ok(known((headers) => headers.setString(H.cryptoMethod, 'libsodium')));
  assert.equal(
    known((headers) => headers.setU8(H.cryptoMethod, 1)),
    false,
  );
  assert.equal(
    known((headers) => headers.setString(H.cryptoMethod, 'aes-gcm')),
    false,
  );
  assert.equal(
    known((headers) => headers.setString(H.cryptoMethod, 'none')),
    false,
  );
});

test('conn id 0 is an id, and a caller cannot make its name longer than we keep', () => {
  const headers = new Headers()
    .setU32(H.routerProvidedConnId, 0)
    .setString(H.callerId, 'x'.repeat(LIMITS.peerTextChars + 1));
  const dial = parseDial({ type: 0, sequence: 1, headers, body: bytes('') });
  assert.equal(dial.connId, 0);
  assert.equal(dial.claimed?.length, LIMITS.peerTextChars);
});
