// A stretch of network that can be cut: bytes go through unread until `reset`, which both ends see as a TCP reset.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { OpenSocket } from '../../src/channel/underlay.ts';

export interface Relay extends AsyncDisposable {
  /** Leads through it. */
  readonly openSocket: OpenSocket;
  reset(): void;
}

export async function startRelay(): Promise<Relay> {
  const sockets = new Set<Socket>();
  let target = { host: '', port: 0 };
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const listener = createServer((near) => {
    const far = keep(connect(target));
    keep(near).pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  return {
    openSocket: async (wanted) => {
      target = wanted;
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    },
    reset: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}
