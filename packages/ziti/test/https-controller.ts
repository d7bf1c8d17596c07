// A controller that says what the test tells it to: HTTPS on 127.0.0.1 with a certificate of its own authority. It knows
// nothing of Ziti, so nothing of our own reading of the protocol hides in it; answers come from recordings.

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { parseIdentity, type ZitiIdentity } from '../src/identity.ts';
import { createTestPki, type Pki } from '../src/testing/pki/pki.ts';
import type { RecordedExchange } from './recorded.ts';

export interface Asked {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** CN of the certificate that the client showed. */
  readonly client: string | undefined;
}

/** 'hang': no answer at all; 'cut': the connection ends. */
export type Reply =
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  | RecordedExchange
  | 'hang'
  | 'cut';

export interface HttpsController extends AsyncDisposable {
  /** `https://127.0.0.1:port/edge/client/v1` */
  readonly url: string;
  readonly origin: string;
  readonly pki: Pki;
  /** Oldest first. */
  readonly asked: readonly Asked[];
  /** TCP connections so far. */
  readonly connections: number;
  reply: (asked: Asked) => Reply | Promise<Reply>;
  /** `METHOD path` of what was asked, without the base and without queries. */
  seen(): string[];
  identity(options?: { controllers?: readonly string[]; notAfter?: Date; caPem?: string }): ZitiIdentity;
  /** Ends all connections that carry no request now. */
  dropIdle(): void;
  stop(): Promise<void>;
}

export interface HttpsControllerOptions {
  readonly pki?: Pki;
  readonly names?: { dns?: readonly string[]; ip?: readonly string[] };
  /** Key and chain of the server; default: a new P-256 one. */
  readonly server?: { readonly key: string; readonly cert: string };
}

export async function startHttpsController(
  reply: HttpsController['reply'],
  options: HttpsControllerOptions = {},
): Promise<HttpsController> {
  const { pki = createTestPki(), names = { ip: ['127.0.0.1'], dns: ['localhost'] } } = options;
  const issued = pki.issue({ commonName: 'controller', use: 'server', ...names });
  const tls = options.server ?? { key: issued.keyPem ?? '', cert: issued.chainPem };
  const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: false });
  const asked: Asked[] = [];
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  server.on('request', (request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = `${origin}/edge/client/v1`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const { CN } = (request.socket as TLSSocket).getPeerCertificate().subject ?? {};
    const { method = '', url: path = '', headers } = request;
    const one = { method, path, headers, body, client: CN as string | undefined };
    asked.push(one);
    const said = await controller.reply(one);
    if (said === 'hang') return;
    if (said === 'cut') {
      request.socket.destroy();
      return;
    }
    const isText = typeof said.body === 'string' || said.body instanceof Uint8Array;
    response.writeHead(said.status ?? 200, {
      ...(isText || said.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...said.headers,
    });
    response.end(isText ? said.body : said.body === undefined ? '' : JSON.stringify(said.body));
  }

  const controller: HttpsController = {
    url,
    origin,
    pki,
    asked,
    reply,
    get connections() {
      return connections;
    },
    seen: () => asked.map(({ method, path }) => `${method} ${path.replace('/edge/client/v1', '').replace(/\?.*/, '')}`),
    identity({ controllers = [url], notAfter, caPem = pki.rootPem + pki.intermediatePem } = {}) {
      const client = pki.issue({ commonName: 'id-1', use: 'client', ...(notAfter ? { notAfter } : {}) });
      const id = { key: `pem:${client.keyPem}`, cert: `pem:${client.chainPem}`, ca: `pem:${caPem}` };
      return parseIdentity(JSON.stringify({ ztAPI: controllers[0], ztAPIs: controllers, id }));
    },
    dropIdle: () => server.closeIdleConnections(),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      await controller.stop();
    },
  };
  return controller;
}
