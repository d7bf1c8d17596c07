// The way through an HTTP proxy (CONNECT, RFC 9110 9.3.6) and when to take it: HTTPS_PROXY and NO_PROXY, read as Go's programs
// read them (golang.org/x/net/http/httpproxy), for controllers and routers alike. TLS to the target runs inside; the proxy sees
// a host name. Its password goes to it and nowhere else: not into messages, not into logs.

import { BlockList, isIP, type Socket } from 'node:net';
import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { awaited } from './awaited.ts';
import { printable } from './printable.ts';
import { connectTcp, discard } from './tcp.ts';
import { startTls } from './tls-underlay.ts';
import { hostPort, type OpenSocket, type SocketTarget } from './underlay.ts';

/** For a proxy that does not answer, when the caller set no limit. */
const ANSWER_MS = 15_000;
const END_OF_HEAD = '\r\n\r\n';

export interface Proxy extends SocketTarget {
  /** TLS to the proxy itself. */
  readonly secure: boolean;
  /** `user:password`, if any. Never shown. */
  readonly credentials: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Undefined: no proxy is set. Throws `proxy_invalid`. */
export function proxyFromEnvironment(env: Environment = process.env): OpenSocket | undefined {
  const url = (env.HTTPS_PROXY || env.https_proxy)?.trim();
  if (!url) return undefined;
  const proxy = parseProxy(url);
  const direct = exceptions((env.NO_PROXY || env.no_proxy) ?? '');
  return async (target, signal) => (direct(target) ? undefined : connectThrough(proxy, target, signal));
}

/** `http://user:password@host:port`; without a scheme http. Throws `proxy_invalid`. */
export function parseProxy(text: string): Proxy {
  let url: URL | undefined;
  try {
    url = new URL(text.includes('://') ? text : `http://${text}`);
  } catch {
    // Its message would repeat the text, password and all.
  }
  const secure = url?.protocol === 'https:';
  if (!url || (url.protocol !== 'http:' && !secure) || url.hostname === '') {
    throw new ZitiError('proxy_invalid', 'HTTPS_PROXY is no address of an HTTP proxy', {
      hint: 'set it to http://host:port, or unset it',
    });
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (secure ? 443 : 80)),
    secure,
    credentials: url.username ? `${unescaped(url.username)}:${unescaped(url.password)}` : undefined,
  };
}

/** NO_PROXY: names with all below them, `.name` for those below only, addresses, networks, each perhaps with a port, or `*`.
 * This machine is never behind a proxy. */
export function exceptions(list: string): (target: SocketTarget) => boolean {
  const entries = list.split(',').map((entry) => entry.trim().toLowerCase());
  const networks = new BlockList();
  networks.addSubnet('127.0.0.0', 8);
  networks.addAddress('::1', 'ipv6');
  const names: { readonly suffix: string; readonly whole: string | undefined; readonly port: number | undefined }[] =
    [];
  for (const entry of entries) {
    const [, ipv6, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([^:]+))(?::([0-9]{1,5}))?$/.exec(entry) ?? [];
    const host = ipv6 ?? plain ?? entry;
    const port = digits === undefined ? undefined : Number(digits);
    if (host === '' || addNetwork(networks, host, port)) continue;
    const name = host.replace(/^\*?\./, '');
    names.push({ suffix: `.${name}`, whole: name === host ? name : undefined, port });
  }
  const all = entries.includes('*');
  return ({ host, port }) => {
    const name = host.toLowerCase().replace(/\.$/, '');
    if (all || name === 'localhost') return true;
    const family = isIP(name);
    if (family !== 0 && networks.check(name, family === 6 ? 'ipv6' : 'ipv4')) return true;
    return names.some(
      (entry) =>
        (entry.port === undefined || entry.port === port) && (name === entry.whole || name.endsWith(entry.suffix)),
    );
  };
}

/** The connection behind the proxy's `200`. Without a signal the proxy has 15 s. Rejects with `proxy_unreachable`,
 * `proxy_auth_required`, `proxy_refused`, or the signal's reason. */
export async function connectThrough(proxy: Proxy, target: SocketTarget, signal?: AbortSignal): Promise<Socket> {
  const peer = `the proxy ${hostPort(proxy)}`;
  const limit = new AbortController();
  const late = new ZitiError('proxy_unreachable', `${peer} did not answer within ${ANSWER_MS} ms`);
  const timer = signal ? undefined : setTimeout(() => limit.abort(late), ANSWER_MS);
  try {
    return await converse(proxy, target, signal ?? limit.signal, peer);
  } finally {
    clearTimeout(timer);
  }
}

async function converse(proxy: Proxy, target: SocketTarget, signal: AbortSignal, peer: string): Promise<Socket> {
  const raw = await connectTcp(proxy, { signal, code: 'proxy_unreachable', peer });
  const socket = proxy.secure ? await secured(raw, proxy, signal, peer) : raw;
  const where = hostPort(target);
  const lines = [`CONNECT ${where} HTTP/1.1`, `Host: ${where}`];
  if (proxy.credentials) lines.push(`Proxy-Authorization: Basic ${Buffer.from(proxy.credentials).toString('base64')}`);
  socket.write(`${lines.join('\r\n')}${END_OF_HEAD}`);
  try {
    judge(await readHead(socket, signal, peer), peer, where);
  } catch (error) {
    discard(socket);
    throw error;
  }
  return socket;
}

async function secured(raw: Socket, proxy: Proxy, signal: AbortSignal, peer: string): Promise<Socket> {
  try {
    return await startTls(raw, proxy, { ALPNProtocols: ['http/1.1'] }, { signal, peer });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new ZitiError('proxy_unreachable', (error as Error).message, { cause: error });
  }
}

function judge(head: string, peer: string, where: string): void {
  const [, status, reason = ''] = /^HTTP\/1\.[01] ([0-9]{3})(?: ([^\r\n]*))?/.exec(head) ?? [];
  if (status === undefined) throw new ZitiError('proxy_refused', `${peer} answered with something that is not HTTP`);
  if (status.startsWith('2')) return;
  if (status === '407') {
    throw new ZitiError('proxy_auth_required', `${peer} asks for another user name and password`, {
      hint: 'HTTPS_PROXY may hold them, http://user:password@host:port; only Basic is supported',
    });
  }
  const said = printable(reason.slice(0, LIMITS.quotedChars));
  throw new ZitiError('proxy_refused', `${peer} does not connect to ${where}: ${status} ${said}`);
}

/** Takes the head off the socket and leaves the rest in it, as if nobody had looked. */
function readHead(socket: Socket, signal: AbortSignal, peer: string): Promise<string> {
  let seen: Buffer = Buffer.alloc(0);
  const head = awaited<string>(signal, (done, fail) => {
    const onReadable = (): void => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      // Looks again only at what may hold the beginning of the end: a head that trickles in costs no more.
      const from = Math.max(0, seen.length - END_OF_HEAD.length + 1);
      seen = Buffer.concat([seen, chunk]);
      const end = seen.indexOf(END_OF_HEAD, from);
      if (end === -1 ? seen.length > LIMITS.proxyHeadBytes : end > LIMITS.proxyHeadBytes) {
        fail(new ZitiError('proxy_refused', `${peer} answered with more than ${LIMITS.proxyHeadBytes} bytes`));
      } else if (end !== -1) {
        const rest = seen.subarray(end + END_OF_HEAD.length);
        if (rest.length > 0) socket.unshift(rest);
        done(seen.toString('latin1', 0, end));
      }
    };
    const onEnd = (): void => fail(new ZitiError('proxy_refused', `${peer} closed the connection without an answer`));
    const onError = (cause: Error): void => {
      fail(new ZitiError('proxy_unreachable', `the connection to ${peer} broke`, { cause }));
    };
    socket.on('readable', onReadable).on('end', onEnd).on('error', onError).on('close', onEnd);
    return () => socket.off('readable', onReadable).off('end', onEnd).off('error', onError).off('close', onEnd);
  });
  // Streams notice in the next tick that nobody waits for 'readable' any more; only then may an owner attach.
  return head.finally(() => new Promise((resolve) => process.nextTick(resolve)));
}

function addNetwork(networks: BlockList, host: string, port: number | undefined): boolean {
  if (port !== undefined) return false;
  const [address = '', bits] = host.split('/');
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(address) === 0) return false;
  const prefix = Number(bits);
  if (bits === undefined) networks.addAddress(address, family);
  else if (/^[0-9]{1,3}$/.test(bits) && prefix <= (family === 'ipv6' ? 128 : 32))
    networks.addSubnet(address, prefix, family);
  return true;
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
