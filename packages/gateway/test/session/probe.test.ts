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

test('what is new in a configuration is tried, what goes is given up, what stays is not tried again', async () => {
  const tried: string[] = [];
  let wake: () => void = () => {};
  const open = (id: string, there: boolean) => async (): Promise<Transport> => {
    tried.push(id);
    wake();
    if (!there) throw new Error(`${id} is away`);
    const [near, far] = linkedTransports();
    far.start({
      message: ({ id }) => id !== undefined && far.send(resultMessage(id, { capabilities: {} })),
      fault: () => {},
      closed: () => {},
    });
    return near;
  };
  const until = async (fits: () => boolean): Promise<void> => {
    while (!fits()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const count = (id: string): number => tried.filter((one) => one === id).length;
  const openings = { stays: open('stays', true), goes: open('goes', false), fresh: open('fresh', true) };
  const ids = ['stays', 'goes', 'fresh'] as const;
  await using house = openSession(
    ids.map((id) => playedBackend(id)),
    {},
    openings,
  );
  const of = (...wanted: readonly string[]) => ({
    ...house.settings,
    backends: house.settings.backends.filter(({ backend }) => wanted.includes(backend.id)),
  });
  const probes = openProbes(of('stays', 'goes'));
  await until(() => count('stays') === 1 && count('goes') > 2);
  await probes.use(of('stays', 'fresh'));
  await until(() => count('fresh') === 1);
  const given = count('goes');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(count('goes'), given, 'a server that is not configured any more is not started');
  assert.equal(count('stays'), 1);
  await probes.close();
});
