// A channel to a fake router, both ends in the test's hand.

import type { Channel } from '../../src/channel/channel.ts';
import { Headers } from '../../src/channel/headers.ts';
import type { Message } from '../../src/channel/message.ts';
import { type OpenChannelOptions, openChannel } from '../../src/channel/open-channel.ts';
import { type FakeRouter, type FakeRouterOptions, IDENTITY, type RouterEnd, startFakeRouter } from './fake-router.ts';

export interface Opened extends AsyncDisposable {
  readonly router: FakeRouter;
  readonly channel: Channel;
  readonly end: RouterEnd;
  /** What `onMessage` was given. */
  readonly messages: Message[];
  /** Resolves with the first message that this holds for, also one that came already. */
  arrived(which: (message: Message) => boolean): Promise<Message>;
}

export async function opened(
  router: FakeRouterOptions = {},
  options: Partial<OpenChannelOptions> = {},
): Promise<Opened> {
  const fake = await startFakeRouter(router);
  const channel = await openChannel({ url: fake.url, identity: IDENTITY, token: 't', timeoutMs: 5000, ...options });
  const messages: Message[] = [];
  const watchers = new Set<() => void>();
  channel.onMessage = (message) => {
    messages.push(message);
    for (const watch of watchers) watch();
  };
  return {
    router: fake,
    channel,
    end: await fake.end(),
    messages,
    arrived: (which) =>
      new Promise((resolve) => {
        const watch = (): void => {
          const found = messages.find(which);
          if (!found) return;
          watchers.delete(watch);
          resolve(found);
        };
        watchers.add(watch);
        watch();
      }),
    async [Symbol.asyncDispose]() {
      await channel.close();
      await fake[Symbol.asyncDispose]();
    },
  };
}

export const text = (message: Message): string => Buffer.from(message.body).toString();
export const replyTo = (message: Message): Headers => new Headers().setI32(1, message.sequence);
/** 'resolved', or the code it was rejected with. */
export const settled = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error) => error.code,
  );
