// A channel's TLS connection to a router: our certificate, its name checked against our CAs, ALPN `ziti-edge`, which a port that
// is shared by protocols needs. A router that knows no ALPN of ours refuses the handshake (1.6.0 with an internal error): then
// once more without, as the Go SDK does from the start.

import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocket,
} from 'node:tls';
import { ZitiError } from '../errors.ts';
import { awaited } from './awaited.ts';
import { connectTcp, discard, ignore, reasonOf } from './tcp.ts';
import { type ChannelIdentity, hostPort, type SocketTarget, type Underlay, type UnderlayOptions } from './underlay.ts';

const ALPN = 'ziti-edge';
/** No protocol in common, as OpenSSL's servers and Go's say it. */
const NO_COMMON_ALPN: ReadonlySet<string> = new Set([
  'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR',
]);
/** Node's names for certificates that do not verify, those of the other side's alerts left out. */
const UNTRUSTED =
  /^(?!ERR_SSL).*(CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECRYPT)|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH)/;

export async function openTlsUnderlay(options: UnderlayOptions): Promise<Underlay> {
  const { address, identity } = options;
  const secureContext = showing(identity);
  try {
    return await startTls(await openTcp(options), address, { secureContext, ALPNProtocols: [ALPN] }, options);
  } catch (error) {
    if (!(error instanceof ZitiError) || !NO_COMMON_ALPN.has(codeOf(error.cause))) throw error;
  }
  return startTls(await openTcp(options), address, { secureContext }, options);
}

/** Straight or through a proxy. */
export async function openTcp({ address, openSocket, peer, signal }: UnderlayOptions): Promise<Duplex> {
  const connected = openSocket && (await taken(openSocket(address, signal), signal, peer));
  return connected ?? connectTcp(address, { signal, code: 'router_unreachable', peer });
}

/** Our certificate, and trust in nothing but our CAs. Throws `identity_invalid`. */
export function showing(identity: ChannelIdentity): SecureContext {
  const { keyPem: key, certPem: cert } = identity;
  try {
    return createSecureContext({ ...trustOf(identity), key, cert });
  } catch (cause) {
    throw new ZitiError('identity_invalid', 'key and certificates of this identity cannot be used for TLS', { cause });
  }
}

export function trustOf({ caPem }: ChannelIdentity): SecureContextOptions {
  // Go takes every certificate of the bundle as an anchor; OpenSSL only with this option.
  return { allowPartialTrustChain: true, ...(caPem === '' ? {} : { ca: caPem }) };
}

/** TLS over `raw`, which it owns from here on. Resolves when the other side is verified.
 * Rejects with `router_untrusted`, `router_unreachable`, or the signal's reason. */
export function startTls(
  raw: Duplex,
  target: SocketTarget,
  tls: ConnectionOptions,
  { signal, peer }: { readonly signal: AbortSignal; readonly peer: string },
): Promise<TLSSocket> {
  // An address is checked against the certificate's addresses, and never sent as a server name.
  const name = isIP(target.host) ? {} : { servername: target.host };
  const socket = connect({ ...tls, ...name, host: target.host, socket: raw, rejectUnauthorized: true });
  // An error of the stream below is this connection's, and never nobody's.
  raw.on('error', (error) => socket.destroy(error));
  return awaited(signal, (done, fail) => {
    const onSecure = (): void => done(socket);
    const onError = (cause: Error): void => fail(failureOf(cause, target, peer));
    const onClose = (): void => onError(new Error('closed during the handshake'));
    socket.on('secureConnect', onSecure).on('error', onError).on('close', onClose);
    if (raw.destroyed) process.nextTick(onClose);
    return (failed) => {
      socket.on('error', ignore).off('secureConnect', onSecure).off('error', onError).off('close', onClose);
      if (!failed) return;
      discard(socket);
      discard(raw);
    };
  });
}

/** A socket that somebody else opens: not waited for longer than we do, and not kept when it comes too late. */
function taken(opening: Promise<Socket | undefined>, signal: AbortSignal, peer: string): Promise<Socket | undefined> {
  return awaited(signal, (done, fail) => {
    let late = false;
    const onSocket = (socket: Socket | undefined): void => {
      if (late && socket) discard(socket);
      else done(socket);
    };
    const onError = (cause: Error): void => {
      const failed = `${peer} cannot be reached: ${reasonOf(cause)}`;
      fail(cause instanceof ZitiError ? cause : new ZitiError('router_unreachable', failed, { cause }));
    };
    opening.then(onSocket, onError);
    return (failed) => {
      late = failed;
    };
  });
}

function failureOf(cause: Error, target: SocketTarget, peer: string): ZitiError {
  const where = `${peer} at ${hostPort(target)}`;
  if (UNTRUSTED.test(codeOf(cause))) {
    return new ZitiError(
      'router_untrusted',
      `${where} shows a certificate that this identity does not trust: ${codeOf(cause)}`,
      {
        hint: 'somebody else answers at this address, or the CA bundle of the identity is out of date: enroll again',
        cause,
      },
    );
  }
  return new ZitiError('router_unreachable', `${where} does not complete the TLS handshake: ${reasonOf(cause)}`, {
    cause,
  });
}

export function codeOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' ? code : '';
}
