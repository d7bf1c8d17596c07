import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { Overlay } from '@mcp-overlay/overlay';
import { tempOverlay } from '@mcp-overlay/overlay/testing';
import { Acceptor, type Message, resultMessage, type Transport } from '@mcp-overlay/relay';
import { attach } from '../src/attach.ts';

const log = { debug: () => {}, info: () => {}, warn: () => {} };
const INIT = '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}\n';

/** An agent at a share whose host the test plays. */
async function attached(dial?: Overlay['dial'], end = new AbortController()) {
  const temp = await tempOverlay();
  const requests: { message: Message; host: Transport }[] = [];
  let wake: () => void = () => {};
  const acceptor = new Acceptor({
    by: 'test',
    log,
    judge: () => ({ principal: { id: 'owner' } }),
    onSession: ({ transport }) =>
      transport.start({
        message: (message) => {
          requests.push({ message, host: transport });
          wake();
        },
        fault: () => {},
        closed: () => {},
      }),
  });
  const listener = await temp.overlay.listenEphemeral({ onConnection: acceptor.accept, onLost: () => {} });
  const input = new PassThrough();
  const output = new PassThrough();
  let written = '';
  output.setEncoding('utf8').on('data', (text: string) => {
    written += text;
  });
  const overlay: Overlay = dial ? Object.assign(Object.create(temp.other) as Overlay, { dial }) : temp.other;
  const over = attach({ overlay, token: listener.share, by: 'test', log, input, output, signal: end.signal });
  return {
    input,
    end,
    over,
    written: () => written,
    async request() {
      for (;;) {
        const next = requests.shift();
        if (next) return next;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await listener.close();
      await acceptor.close();
      await temp[Symbol.asyncDispose]();
    },
  };
}

test('an answer that is on its way when we are told to end is still written', { timeout: 10_000 }, async () => {
  await using house = await attached();
  house.input.write(INIT);
  const { host } = await house.request();
  house.end.abort();
  host.send(resultMessage('0', { late: true }));
  await house.over;
  assert.match(house.written(), /"late":true/);
});

test('an answer that is on its way when the agent ends its input is still written', { timeout: 10_000 }, async () => {
  await using house = await attached();
  house.input.end(INIT);
  const { host } = await house.request();
  host.send(resultMessage('0', { late: true }));
  await house.over;
  assert.match(house.written(), /"late":true/);
});

test('an end that came before there was a session is not missed', { timeout: 6000 }, async () => {
  const end = new AbortController();
  end.abort();
  await using house = await attached(undefined, end);
  await house.over;
});

for (const how of ['told to end', 'the agent ends']) {
  test(`a host that says nothing holds nobody when ${how}`, { timeout: 6000 }, async () => {
    let dialled: () => void = () => {};
    const dialling = new Promise<void>((resolve) => {
      dialled = resolve;
    });
    await using house = await attached(() => {
      dialled();
      return new Promise(() => {});
    });
    house.input.write(INIT);
    await dialling;
    if (how === 'told to end') house.end.abort();
    else house.input.end();
    await house.over;
  });
}
