// HTTP on connections that somebody else accepted: streams of a share, handed to a node:http server that never listens.
// Node keeps its own deadlines and its list of connections only for servers that listen (v20: `setupConnectionsTracking`
// runs on 'listening'), so both are kept here.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { HEADER_BYTES, HEADERS_MS } from './wire.ts';

export interface HttpConnections {
  /** Takes a connection, with the bytes already read unshifted. */
  accept(connection: Duplex): void;
  /** Cuts every connection. End the sessions on them first. */
  close(): void;
}

export interface HttpConnectionsOptions {
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** From a request's first byte (or from accept) to its whole headers. */
  readonly headersMs?: number;
}

export function createHttpConnections({ handle, headersMs = HEADERS_MS }: HttpConnectionsOptions): HttpConnections {
  const open = new Map<Duplex, Waiting>();
  const server = createServer({ maxHeaderSize: HEADER_BYTES, requestTimeout: 0 });
  // A stream has no time of its own to end: an idle connection of a share costs its dialler a login to replace.
  server.keepAliveTimeout = 0;
  server.on('request', (request, response) => {
    const waiting = open.get(request.socket);
    waiting?.began(request);
    response.once('close', () => waiting?.ended());
    handle(request, response);
  });
  return {
    accept(connection) {
      const waiting = waitForHeaders(connection, headersMs);
      open.set(connection, waiting);
      connection.on('error', () => connection.destroy());
      connection.once('close', () => {
        waiting.stop();
        open.delete(connection);
      });
      // Before the parser's own listener: what it has read by then tells whether these bytes begin a request.
      connection.on('data', () => waiting.heard());
      server.emit('connection', connection);
    },
    close() {
      for (const connection of open.keys()) connection.destroy();
    },
  };
}

interface Waiting {
  /** Bytes came: if they belong to no request being read, they begin one. */
  heard(): void;
  began(request: IncomingMessage): void;
  ended(): void;
  stop(): void;
}

function waitForHeaders(connection: Duplex, headersMs: number): Waiting {
  let serving = 0;
  let latest: IncomingMessage | undefined;
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  const arm = (): void => {
    timer ??= setTimeout(() => connection.destroy(), headersMs);
  };
  arm();
  return {
    heard() {
      if (serving === 0 || latest?.complete === true) arm();
    },
    began(request) {
      stop();
      serving += 1;
      latest = request;
    },
    ended() {
      serving -= 1;
    },
    stop,
  };
}
