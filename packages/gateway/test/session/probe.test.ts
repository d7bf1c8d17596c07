import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resultMessage, type Transport } from '@mcp-overlay/relay';
import { linkedTransports } from '@mcp-overlay/relay/testing';
import { openProbes } from '../../src/session/probe.ts';
import { openSession, playedBackend } from './one-session.ts';

test('the end of the probes waits for a server that was probed and is just being ended', {
  timeout: 60_000,
}, async () => {
  let closing: () => void = () => {};
  const beginsToEnd = new Promise<void>((resolve) => {
    closing = resolve;
  });
  let release: () => void = () => {};
  const slowToEnd = async (): Promise<Transport> => {
    const [near, far] = linkedTransports();
    far.start({
      message: ({ id }) => id !== undefined && far.send(resultMessage(id, { capabilities: {} })),
      fault: () => {},
      closed: () => {},
    });
    const close: Transport['close'] = async (reason) => {
      closing();
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      await near.close(reason);
    };
    return Object.assign(Object.create(near) as Transport, {
      start: near.start.bind(near),
      send: near.send.bind(near),
      close,
    });
  };
  await using house = openSession([playedBackend('a')], {}, { a: slowToEnd });
  const probes = openProbes(house.settings);
  await beginsToEnd;
  let over = false;
  const ended = probes.close().then(() => {
    over = true;
  });
  await new Promise(setImmediate);
  assert.equal(over, false);
  release();
  await ended;
  const sessionEnded = house.session.close();
  await new Promise(setImmediate);
  release();
  await sessionEnded;
});
