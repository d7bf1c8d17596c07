// What a channel does besides carrying connections: answers, strays, caps, its end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { CHANNEL_HEADERS } from '../../src/channel/content-types.ts';
import { Headers } from '../../src/channel/headers.ts';
import { EdgeChannel, type Receiver } from '../../src/edge/edge-channel.ts';
import { CONN_TYPES, EDGE_HEADERS as H, EDGE_TYPES as T } from '../../src/edge/ids.ts';
import { onConnection } from '../../src/edge/messages.ts';
import { TIMING } from '../../src/edge/timing.ts';
import type { ZitiError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { ScriptedChannel } from '../../src/testing/scripted-channel.ts';
import { SCRIPTED_SESSION } from '../../src/testing/scripted-pair.ts';
import { coded } from '../streams.ts';
import { plainHeaders, recordedFrame } from './recorded-frames.ts';

function setUp(options: { version?: ScriptedChannel['routerVersion']; use?: 'dial' | 'bind' } = {}) {
  const channel = new ScriptedChannel(options);
  const edge = new EdgeChannel({
    channel,
    use: options.use ?? 'dial',
    router: 'router-1',
    session: SCRIPTED_SESSION,
    timing: TIMING,
  });
  return { channel, edge };
}

class Sink implements Receiver {
  readonly connType: number;
  readonly got: number[] = [];
  lost: ZitiError | undefined;
  retired = 0;

  constructor(connType: number = CONN_TYPES.dial) {
    this.connType = connType;
  }

  onMessage({ type }: { type: number }): void {
    this.got.push(type);
  }

  onLost(error: ZitiError): void {
    assert.equal(this.lost, undefined, 'told twice');
    this.lost = error;
  }

  onRetired(): void {
    this.retired += 1;
  }
}

test('messages go to whom they are for, also to id 0', () => {
  const { channel, edge } = setUp();
  const [one, zero] = [new Sink(), new Sink()];
  const id = edge.add(one);
  assert.ok(edge.addAt(0, zero));
  channel.arrive(T.data, onConnection(id));
  channel.arrive(T.stateClosed, onConnection(0));
  channel.arrive(4711, onConnection(0));
  channel.arrive(T.data, new Headers());
  assert.deepEqual([one.got, zero.got], [[T.data], [T.stateClosed, 4711]]);
});

test('an id of the router that is in use is refused, and ids of ours go round it', () => {
  const { edge } = setUp();
  assert.ok(edge.addAt(1, new Sink()));
  assert.equal(edge.addAt(1, new Sink()), false);
  assert.equal(edge.add(new Sink()), 2);
});

test('the answer to a bind inspection has the type that this router takes', () => {
  for (const [version, type] of [
    [{ major: 1, minor: 6, patch: 0 }, T.inspectResponse],
    [{ major: 1, minor: 6, patch: 15 }, T.inspectResponse],
    [{ major: 1, minor: 6, patch: 16 }, T.connInspectResponse],
    [{ major: 2, minor: 0, patch: 3 }, T.connInspectResponse],
    [null, T.connInspectResponse],
  ] as const) {
    const { channel, edge } = setUp({ version });
    edge.add(new Sink(CONN_TYPES.bind));
    edge.add(new Sink(CONN_TYPES.dial));
    for (const id of [1, 2, 3]) channel.arrive(T.connInspectRequest, onConnection(id));
    assert.deepEqual(
      channel.sent.map((sent) => [sent.type, sent.headers.u8(H.connType), sent.headers.i32(CHANNEL_HEADERS.replyFor)]),
      [
        [type, CONN_TYPES.bind, 1],
        [type, CONN_TYPES.dial, 2],
        [type, CONN_TYPES.invalid, 3],
      ],
    );
  }
});

test('recorded questions get the recorded answers', () => {
  const { channel, edge } = setUp();
  edge.addAt(2 ** 31, new Sink());
  const trace = recordedFrame('traceroute-and-inspect', 'TraceRoute');
  channel.arrive(trace.type, trace.headers);
  const answer = recordedFrame('traceroute-and-inspect', 'TraceRouteResponse');
  const [sent] = channel.sent;
  assert.equal(sent?.type, answer.type);
  sent?.headers.setString(H.traceHopType, 'sdk/js');
  assert.deepEqual(sent && plainHeaders(sent.headers), plainHeaders(answer.headers));
  const inspect = recordedFrame('traceroute-and-inspect', 'InspectRequest');
  channel.arrive(inspect.type, inspect.headers);
  assert.equal(channel.sent.at(-1)?.type, T.inspectResponse);
  assert.equal(String(channel.sent.at(-1)?.body), '{"success":true,"values":{}}');
});

test('a trace keeps its UUID and never counts below zero; one for nobody is not answered', () => {
  const { channel, edge } = setUp();
  edge.addAt(5, new Sink());
  channel.arrive(T.traceRoute, onConnection(5).setBytes(H.uuid, Buffer.from('0123456789abcdef')));
  const [sent] = channel.sent;
  assert.equal(sent?.headers.u32(H.traceHopCount), 0);
  assert.equal(sent?.headers.string(H.uuid), '0123456789abcdef');
  channel.arrive(T.traceRoute, onConnection(6));
  assert.equal(channel.sent.length, 1);
});

test('strays: a late connection is closed, a dial for nobody is refused, the rest is ignored', () => {
  const { channel } = setUp();
  channel.arrive(T.stateConnected, onConnection(9));
  channel.arrive(T.dial, onConnection(8));
  channel.arrive(T.data, onConnection(7), 'late');
  channel.arrive(T.stateClosed, onConnection(7));
  channel.arrive(T.bindSuccess, onConnection(7));
  assert.deepEqual(
    channel.sent.map(({ type, headers }) => [type, headers.u32(H.connId), headers.i32(CHANNEL_HEADERS.replyFor)]),
    [
      [T.stateClosed, 9, undefined],
      [T.dialFailed, 8, 2],
    ],
  );
});

test('a channel carries only so many', () => {
  const { edge } = setUp();
  for (let n = 0; n < LIMITS.connectionsPerChannel; n += 1) edge.addAt(n, new Sink());
  assert.equal(edge.usable, false);
  assert.throws(() => edge.add(new Sink()), coded('too_many_connections'));
  edge.remove(0);
  assert.equal(edge.usable, true);
});

test('the end reaches everybody once, and nothing can begin after', async () => {
  const { channel, edge } = setUp();
  const [one, gone] = [new Sink(), new Sink()];
  edge.add(one);
  edge.remove(edge.add(gone));
  await channel.end('router');
  await turn();
  assert.ok(coded('connection_lost')(one.lost));
  assert.equal(gone.lost, undefined);
  assert.throws(() => edge.add(new Sink()), coded('connection_lost'));
  edge.sendClosed(1);
});

test('a retired channel tells who is on it, takes nothing new, and ends with the last', () => {
  const { channel, edge } = setUp();
  const one = new Sink();
  const id = edge.add(one);
  edge.retire();
  edge.retire();
  assert.deepEqual([one.retired, edge.usable, channel.isOver], [1, false, false]);
  edge.remove(id);
  assert.equal(channel.isOver, true);
  assert.equal(one.lost, undefined);
});

test('a channel that nobody uses is closed after a while, one in use is not', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { channel, edge } = setUp();
  const id = edge.add(new Sink());
  t.mock.timers.tick(TIMING.idleMs * 2);
  assert.equal(channel.isOver, false);
  edge.remove(id);
  t.mock.timers.tick(TIMING.idleMs - 1);
  assert.equal(channel.isOver, false);
  t.mock.timers.tick(1);
  assert.equal(channel.isOver, true);
});
