// A channel inside a WebSocket, for networks that let only HTTPS through (openziti/transport wss/listener.go, wss/dialer.go):
// an outer TLS connection without client certificate, GET /ws, and in the binary messages a second TLS connection, which is the
// channel's: it shows our certificate and verifies the router. The outer one only has to get us there, so it may also be one of
// a public CA; no token and no frame goes into it but through the inner one.

import { Duplex } from 'node:stream';
import { createSecureContext, rootCertificates, type SecureContext, type TLSSocket } from 'node:tls';
import { type RawData, WebSocket } from 'ws';
import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { awaited } from './awaited.ts';
import { discard, ignore } from './tcp.ts';
import { openTcp, showing, startTls, trustOf } from './tls-underlay.ts';
import { type ChannelIdentity, hostPort, type Underlay, type UnderlayOptions } from './underlay.ts';

const PATH = '/ws';
/** Of one message of ours. Routers read a message whole, and gateways on the way have limits of their own. */
const PIECE_BYTES = 64 * 1024;

export async function openWsUnderlay(options: UnderlayOptions): Promise<Underlay> {
  const { address, identity } = options;
  // Go's dialer offers no ALPN inside, and its listener expects none.
  const secureContext = showing(identity);
  const outside = { secureContext: trusting(identity), ALPNProtocols: ['http/1.1'] };
  const outer = await startTls(await openTcp(options), address, outside, options);
  const socket = await upgrade(outer, options);
  const stream = new MessageStream(socket);
  const inner = await startTls(stream, address, { secureContext }, options);
  // Neither would be told through the stream.
  socket.on('error', (cause) => inner.destroy(faultOf(cause, options.peer)));
  outer.on('error', (cause) => inner.destroy(cause));
  inner.once('close', () => {
    stream.destroy();
    outer.destroy();
  });
  return inner;
}

/** A store of all public roots takes 10 ms and a megabyte: once for each identity, not for each channel. */
const outerContexts = new WeakMap<ChannelIdentity, SecureContext>();

function trusting(identity: ChannelIdentity): SecureContext {
  const trust = trustOf(identity);
  const context =
    outerContexts.get(identity) ??
    createSecureContext(trust.ca === undefined ? trust : { ...trust, ca: [identity.caPem, ...rootCertificates] });
  outerContexts.set(identity, context);
  return context;
}

/** Owns `outer`. */
function upgrade(outer: TLSSocket, { address, peer, signal }: UnderlayOptions): Promise<WebSocket> {
  const socket = new WebSocket(`wss://${hostPort(address)}${PATH}`, {
    createConnection: () => outer,
    // What goes through is encrypted and does not compress.
    perMessageDeflate: false,
    maxPayload: LIMITS.wsMessageBytes,
    followRedirects: false,
  });
  return awaited(signal, (done, fail) => {
    const onOpen = (): void => done(socket);
    const onError = (cause: Error): void => {
      fail(new ZitiError('router_unreachable', `${peer} does not complete the WebSocket handshake`, { cause }));
    };
    const onResponse = (_request: unknown, response: { statusCode?: number }): void => {
      fail(
        new ZitiError('router_refused', `${peer} answered the WebSocket request with HTTP ${response.statusCode}`, {
          hint: 'what listens there is a web server or a proxy, and no edge router',
        }),
      );
    };
    socket.on('open', onOpen).on('error', onError).on('unexpected-response', onResponse);
    return (failed) => {
      socket.off('open', onOpen).off('error', onError).off('unexpected-response', onResponse);
      if (!failed) return;
      socket.on('error', ignore);
      socket.terminate();
      discard(outer);
    };
  });
}

function faultOf(cause: NodeJS.ErrnoException, peer: string): Error {
  if (cause.code !== 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return cause;
  return new ZitiError('ws_message_too_large', `${peer} sent a WebSocket message over ${LIMITS.wsMessageBytes} bytes`, {
    cause,
  });
}

/** The bytes of the messages, both ways. */
class MessageStream extends Duplex {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    super();
    this.#socket = socket;
    socket.on('message', (data: RawData) => {
      if (!this.push(data as Buffer)) socket.pause();
    });
    socket.on('close', () => this.push(null));
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    let at = 0;
    for (; at + PIECE_BYTES < chunk.length; at += PIECE_BYTES) this.#socket.send(chunk.subarray(at, at + PIECE_BYTES));
    this.#socket.send(chunk.subarray(at), done);
  }

  override _final(done: () => void): void {
    this.#socket.close();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.terminate();
    done(error);
  }
}
