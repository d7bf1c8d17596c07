// From the address of a router to an open channel: underlay, Hello, and the time that all of it may take.

import { type Clock, SYSTEM_CLOCK } from '../clock.ts';
import { ZitiError } from '../errors.ts';
import { awaited } from './awaited.ts';
import type { Channel } from './channel.ts';
import { PROBE_MS } from './heartbeat.ts';
import { encodeHello, type HelloAnswer, readHelloAnswer } from './hello.ts';
import { LiveChannel } from './live-channel.ts';
import { FRAME_CAPS, HELLO_CAPS, MessageReader } from './message-reader.ts';
import { openUnderlay } from './open-underlay.ts';
import { discard, ignore, reasonOf } from './tcp.ts';
import { type ChannelIdentity, hostPort, type OpenSocket, parseRouterUrl, type Underlay } from './underlay.ts';

export interface OpenChannelOptions {
  /** `tls:host:port` or `wss:host:port`, with or without slashes. */
  readonly url: string;
  readonly identity: ChannelIdentity;
  /** Of the API session. Never logged, never part of an error. */
  readonly token: string;
  /** TCP, proxy, TLS and Hello together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** `proxyFromEnvironment()`, or another way to open sockets. Default: straight. */
  readonly proxy?: OpenSocket | undefined;
  readonly clock?: Clock;
  /** Between two latency probes. Default 30 s. */
  readonly probeMs?: number;
}

/** Rejects with `router_url_unsupported`, `router_unreachable`, `router_untrusted`, `router_timeout`, `router_refused`,
 * `router_busy`, `router_not_permitted`, `hello_invalid`, `frame_…`, `proxy_…`, `aborted`. A token that the router does not accept
 * is no refusal here: see CloseReason. */
export async function openChannel(options: OpenChannelOptions): Promise<Channel> {
  const { url, identity, token, timeoutMs, signal: outer, proxy, clock = SYSTEM_CLOCK, probeMs = PROBE_MS } = options;
  const address = parseRouterUrl(url);
  const peer = `edge router ${address.scheme}:${hostPort(address)}`;
  const hello = encodeHello(token);
  const limit = new AbortController();
  let stage = 'connecting';
  const onOuter = (): void => {
    limit.abort(new ZitiError('aborted', `connecting to ${peer} was given up by its caller`, { cause: outer?.reason }));
  };
  const cancel = clock.after(timeoutMs, () => {
    limit.abort(new ZitiError('router_timeout', `${peer} did not open a channel within ${timeoutMs} ms (${stage})`));
  });
  outer?.addEventListener('abort', onOuter, { once: true });
  try {
    if (outer?.aborted) onOuter();
    limit.signal.throwIfAborted();
    const socket = await openUnderlay({ address, identity, signal: limit.signal, openSocket: proxy, peer });
    stage = 'waiting for the answer to our Hello';
    const reader = new MessageReader(peer, HELLO_CAPS);
    const answer = await sayHello(socket, hello, reader, limit.signal, peer);
    return new LiveChannel({ url, peer, socket, reader, hello: answer, clock, probeMs });
  } finally {
    cancel();
    outer?.removeEventListener('abort', onOuter);
  }
}

/** Leaves what comes behind the answer in the reader, and the socket paused. Destroys the socket when it fails. */
function sayHello(
  socket: Underlay,
  hello: Buffer,
  reader: MessageReader,
  signal: AbortSignal,
  peer: string,
): Promise<HelloAnswer> {
  return awaited(signal, (done, fail) => {
    const onData = (chunk: Buffer): void => {
      try {
        reader.push(chunk);
        const message = reader.next();
        if (!message) return;
        reader.caps = FRAME_CAPS;
        done(readHelloAnswer(message, peer));
      } catch (error) {
        fail(error);
      }
    };
    const onError = (cause: Error): void => fail(failureOf(cause, peer));
    const onEnd = (): void => {
      fail(new ZitiError('router_refused', `${peer} closed the connection instead of answering our Hello`));
    };
    socket.on('data', onData).on('error', onError).on('end', onEnd).on('close', onEnd);
    if (socket.destroyed) process.nextTick(onEnd);
    socket.write(hello);
    return (failed) => {
      socket.on('error', ignore).off('data', onData).off('error', onError).off('end', onEnd).off('close', onEnd);
      socket.pause();
      if (failed) discard(socket);
    };
  });
}

function failureOf(cause: Error, peer: string): ZitiError {
  if (cause instanceof ZitiError) return cause;
  // In TLS 1.3 the other side looks at our certificate after the handshake is over for us.
  if (reasonOf(cause).startsWith('ERR_SSL')) {
    return new ZitiError('router_not_permitted', `${peer} does not accept our certificate: ${reasonOf(cause)}`, {
      hint: 'it has expired, or belongs to another network',
      cause,
    });
  }
  return new ZitiError('router_unreachable', `the connection to ${peer} broke: ${reasonOf(cause)}`, { cause });
}
