// TLS in front of a plain HTTP server, as a reverse proxy has it: bytes through, on loopback.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import type { Certificate } from './certificates.ts';

export interface TlsFront extends AsyncDisposable {
  readonly port: number;
}

export async function tlsFront({ cert, key }: Certificate, target: string): Promise<TlsFront> {
  const sockets = new Set<Socket>();
  const keep = <S extends Socket>(socket: S): S => {
    sockets.add(socket);
    return socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
  };
  const server = createServer({ cert, key }, (outer) => {
    const inner = keep(connect(Number(new URL(target).port), '127.0.0.1'));
    keep(outer).pipe(inner).pipe(outer);
  });
  // A client that does not like the certificate goes away in the middle of the handshake.
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
