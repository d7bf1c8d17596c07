// A steady session over servers of the test's own making: each opening makes one, `server(n)` waits for the nth.

import assert from 'node:assert/strict';
import {
  type Message,
  notificationMessage,
  parseMessage,
  requestMessage,
  resultMessage,
  type SourceEvents,
  type SteadyOptions,
  SteadySession,
} from '../../src/index.ts';
import { type LinkedTransport, linkedTransports } from '../../src/testing/linked.ts';

export const INIT = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } };
export const WELCOME = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 's' } };

export interface FakeServer {
  /** The session's own end. */
  readonly near: LinkedTransport;
  readonly far: LinkedTransport;
  readonly events: SourceEvents;
  readonly got: Queue;
}

/** What arrived, waited for. */
export class Queue {
  readonly all: Message[] = [];
  private read = 0;
  private wake: () => void = () => {};

  push(message: Message): void {
    this.all.push(message);
    this.wake();
  }

  async next(): Promise<Message> {
    for (;;) {
      const message = this.all[this.read];
      if (message) {
        this.read += 1;
        return message;
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}

export function openSteady(options: Partial<SteadyOptions> = {}) {
  const servers: FakeServer[] = [];
  let opened: () => void = () => {};
  const client = new Queue();
  const session = new SteadySession({
    name: 'backend fs',
    open: async (events) => {
      const [near, far] = linkedTransports();
      const got = new Queue();
      far.start({ message: (message) => got.push(message), fault: () => {}, closed: () => {} });
      servers.push({ near, far, events, got });
      opened();
      return near;
    },
    backoff: { next: () => 0, note: () => {} },
    waitMs: 60_000,
    startMs: 60_000,
    unavailable: 'backend_unavailable',
    ...options,
  });
  session.start({
    message: (message) => client.push(message),
    fault: () => assert.fail('a fault reached the client'),
    closed: () => {},
  });
  return {
    session,
    client,
    servers,
    async server(nth: number): Promise<FakeServer> {
      for (;;) {
        const server = servers[nth];
        if (server) return server;
        await new Promise<void>((resolve) => {
          opened = resolve;
        });
      }
    },
    [Symbol.asyncDispose]: () => session.close(),
  };
}

/** Client and first server have shaken hands. */
export async function shakenHands(options: Partial<SteadyOptions> = {}, welcome: object = WELCOME) {
  const house = openSteady(options);
  const first = await house.server(0);
  house.session.send(requestMessage('0', 'initialize', INIT));
  await first.got.next();
  first.far.send(resultMessage('0', welcome));
  await house.client.next();
  house.session.send(notificationMessage('notifications/initialized'));
  await first.got.next();
  return { ...house, first };
}

export function errorOf(message: Message) {
  return (parseMessage(message) as { error?: { code: number; message: string; data?: { error?: string } } }).error;
}
