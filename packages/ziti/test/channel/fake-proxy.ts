// An HTTP proxy on the loopback that leads every CONNECT to one port, or answers what a test wants.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

export interface FakeProxyOptions {
  /** Where connections really go. */
  readonly leadsTo?: number;
  /** `user:password` */
  readonly credentials?: string;
  /** Instead of judging the request. Undefined: nothing is ever answered. */
  readonly answer?: ((socket: Socket) => void) | undefined;
  readonly tls?: TlsOptions;
}

export interface FakeProxy extends AsyncDisposable {
  readonly port: number;
  /** The heads of the requests. */
  readonly requests: string[];
}

export async function startFakeProxy(options: FakeProxyOptions): Promise<FakeProxy> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    let head = '';
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      socket.off('data', onData);
      requests.push(head.slice(0, end));
      if ('answer' in options) options.answer?.(socket);
      else judge(socket, head.slice(0, end), options);
    };
    socket.on('data', onData);
  };
  const listener: Server = options.tls ? createTlsServer(options.tls, serve) : createServer(serve);
  listener.on('tlsClientError', () => {});
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

function judge(socket: Socket, head: string, { leadsTo = 0, credentials }: FakeProxyOptions): void {
  const wanted = credentials && `Proxy-Authorization: Basic ${Buffer.from(credentials).toString('base64')}`;
  if (wanted && !head.includes(wanted)) {
    socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n');
    return;
  }
  const far = connect(leadsTo, '127.0.0.1');
  far.on('error', () => socket.destroy()).on('close', () => socket.destroy());
  socket.on('close', () => far.destroy());
  far.on('connect', () => {
    socket.write('HTTP/1.1 200 Connection established\r\nVia: 1.1 fake\r\n\r\n');
    socket.pipe(far).pipe(socket);
  });
}
