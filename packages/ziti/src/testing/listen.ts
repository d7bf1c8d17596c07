// Listening on 127.0.0.1, on a port of the system's choice at first and on the same one afterwards.

import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

/** A port that was given back can be the source port of some other connection for a moment. */
const ATTEMPTS = 50;
const PAUSE_MS = 40;

/** `port` 0: any. Resolves with the port. */
export async function listenAgain(server: Server, port: number): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
