// One controller: an HTTPS server over the state that all controllers and routers of a network share.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import { listenAgain } from '../listen.ts';
import { certificateBundle } from '../pki/bundle.ts';
import { fingerprint, type JwtKey } from '../pki/jwt.ts';
import type { Pki } from '../pki/pki.ts';
import type { Router } from '../router/router.ts';
import { loginOf } from '../state/login.ts';
import type { NetworkState } from '../state/network-state.ts';
import type { Intercepted, InterceptedRequest, TestController } from '../types.ts';
import type { Version } from '../version.ts';
import { type Answer, ApiError } from './answer.ts';
import { OidcProvider } from './oidc-routes.ts';
import { type ApiRequest, readRequest } from './request.ts';
import { route } from './routes.ts';

export interface ControllerOptions {
  readonly index: number;
  readonly state: NetworkState;
  readonly pki: Pki;
  readonly hostNames: readonly string[];
  readonly trustDomain: string;
  readonly version: Version;
  readonly offersOidc: boolean;
  readonly routers: readonly Router[];
  /** All controllers of the network, itself among them. */
  readonly siblings: readonly Controller[];
  readonly usedRefreshTokens: Set<string>;
}

type Interceptor = (request: InterceptedRequest) => Intercepted | Promise<Intercepted>;

/** Without it the C SDK dies at its first dial. */
const INSTANCE_ID = 'cmtestnetwork000000000000';

export class Controller implements TestController {
  readonly index: number;
  readonly state: NetworkState;
  readonly pki: Pki;
  readonly trustDomain: string;
  readonly version: Version;
  readonly offersOidc: boolean;
  readonly routers: readonly Router[];
  readonly siblings: readonly Controller[];
  readonly key: JwtKey;
  readonly bundle: string;
  readonly oidc: OidcProvider;
  readonly requests: { method: string; path: string; status: number }[] = [];
  running = false;
  readonly #credentials: { key: string; cert: string; ca: string };
  readonly #interceptors = new Set<Interceptor>();
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  constructor(options: ControllerOptions) {
    const { index, pki, hostNames } = options;
    this.index = index;
    this.state = options.state;
    this.pki = pki;
    this.trustDomain = options.trustDomain;
    this.version = options.version;
    this.offersOidc = options.offersOidc;
    this.routers = options.routers;
    this.siblings = options.siblings;
    this.bundle = certificateBundle(pki.authorities);
    const issued = pki.issue({ commonName: `ctrl${index + 1}`, use: 'both', dns: hostNames, ip: ['127.0.0.1', '::1'] });
    const { key, keyPem, publicKey } = issued;
    if (!key || !keyPem) throw new Error('a certificate without key');
    this.#credentials = { key: keyPem, cert: issued.chainPem, ca: pki.rootPem };
    this.key = { id: fingerprint(issued.certificate), privateKey: key, publicKey };
    this.state.jwtKeys.push(this.key);
    this.oidc = new OidcProvider(this, options.usedRefreshTokens);
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    if (this.running) return;
    const tls = { ...this.#credentials, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' } as const;
    const server = createServer(tls, (message, response) => void this.#serve(message, response));
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#port = await listenAgain(server, this.#port);
    this.#server = server;
    this.running = true;
    this.state.changed();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    this.running = false;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    this.state.changed();
  }

  intercept(handler: Interceptor): Disposable {
    this.#interceptors.add(handler);
    return { [Symbol.dispose]: () => void this.#interceptors.delete(handler) };
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    let request: ApiRequest;
    try {
      request = await readRequest(message);
    } catch (error) {
      // The client left in the middle.
      if (error instanceof ApiError) this.#send(message, response, error.answer);
      else message.destroy();
      return;
    }
    const instead = await this.#intercepted(request);
    if (instead === 'cut') message.socket.destroy();
    if (instead === 'cut' || instead === 'hang') return;
    this.#send(message, response, instead ?? this.#answer(request));
  }

  #answer(request: ApiRequest): Answer {
    try {
      return route(this, request);
    } catch (error) {
      if (error instanceof ApiError) return error.answer;
      throw error;
    }
  }

  async #intercepted(request: ApiRequest): Promise<Intercepted> {
    const { method, path, query } = request;
    for (const handler of [...this.#interceptors]) {
      const facts = { method, path: `${path}${query.size > 0 ? `?${query}` : ''}`, identity: this.#whoAsks(request) };
      const instead = await handler(facts);
      if (instead !== undefined) return instead;
    }
    return undefined;
  }

  #whoAsks({ headers, fingerprints }: ApiRequest): string | undefined {
    const token = headers['zt-session'] ?? headers.authorization?.replace(/^Bearer /, '');
    const login = typeof token === 'string' ? loginOf(this.state, token) : undefined;
    if (login && 'session' in login) return login.session.identity.name;
    return this.state.identityWith(fingerprints[0])?.name;
  }

  #send(message: IncomingMessage, response: ServerResponse, answer: Answer): void {
    const { status, headers, body } = answer;
    const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    this.requests.push({ method: message.method ?? '', path: message.url ?? '', status });
    response.writeHead(status, {
      'content-type': 'application/json',
      server: `ziti-controller/${this.version.text}`,
      'ziti-instance-id': INSTANCE_ID,
      ...headers,
      'content-length': bytes.length,
    });
    response.end(bytes);
    this.state.changed();
  }
}
