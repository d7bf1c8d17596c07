// The `tls:` address of a router. It can be stopped and started again on the same port.

import type { Socket } from 'node:net';
import { createServer, type Server } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { listenAgain } from '../listen.ts';
import { acceptTls, type Credentials } from './tls-accept.ts';

export class TlsListener {
  readonly #credentials: Credentials;
  readonly #onSecure: (tls: TLSSocket, raw: Socket) => void;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  constructor(credentials: Credentials, onSecure: (tls: TLSSocket, raw: Socket) => void) {
    this.#credentials = credentials;
    this.#onSecure = onSecure;
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    const server = createServer({ noDelay: true }, (raw) => {
      this.#sockets.add(raw);
      raw.on('close', () => this.#sockets.delete(raw));
      acceptTls(raw, this.#credentials, (tls) => this.#onSecure(tls, raw));
    });
    this.#port = await listenAgain(server, this.#port);
    this.#server = server;
  }

  /** Nothing is said to anybody. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
