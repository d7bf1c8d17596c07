// The `wss:` address of a router (openziti/transport wss/listener.go): outer TLS without client certificates, `GET /ws`, and
// an inner TLS connection in the binary messages, which verifies the client's certificate and carries the frames.

import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { listenAgain } from './listen.ts';
import { acceptTls, type Credentials } from './router/tls-accept.ts';

export class WsListener {
  readonly #credentials: Credentials;
  readonly #onSecure: (tls: TLSSocket, raw: Duplex) => void;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  constructor(credentials: Credentials, onSecure: (tls: TLSSocket, raw: Duplex) => void) {
    this.#credentials = credentials;
    this.#onSecure = onSecure;
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    const server = createServer({ ...this.#credentials, minVersion: 'TLSv1.2' }, (_request, response) => {
      response.writeHead(404).end('404 page not found\n');
    });
    const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    server.on('connection', (raw: Socket) => {
      this.#sockets.add(raw.setNoDelay());
      raw.on('close', () => this.#sockets.delete(raw));
    });
    server.on('upgrade', (request, socket: Duplex, head: Buffer) => {
      socket.on('error', () => {});
      if (request.url !== '/ws') return void socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
      sockets.handleUpgrade(request, socket, head, (client) => {
        const messages = createWebSocketStream(client);
        acceptTls(messages, this.#credentials, (tls) => this.#onSecure(tls, messages));
      });
    });
    this.#port = await listenAgain(server, this.#port);
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
