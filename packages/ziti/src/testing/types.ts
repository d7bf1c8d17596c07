// The contract of the test network: what a test can build, see and break. FOR TESTS ONLY: its certificates, tokens and rules
// of access are made up, and nothing in it is hardened. Sockets, TLS, certificates and frames are real.

import type { KeyObject } from 'node:crypto';

export interface TestNetworkOptions {
  /** What `/version` advertises; the legacy login works either way. Default 'legacy'. */
  readonly login?: 'legacy' | 'oidc';
  /** Controllers that share all state (OIDC is what several controllers are made for). Default 1. */
  readonly controllers?: number;
  /** Edge routers, joined by links. Default 1. */
  readonly routers?: number;
  /**
   * Each router also listens for WebSockets and names that address, `wss://host:port`. As in openziti/transport wss/listener.go:
   * outer TLS that asks for no client certificate, HTTP upgrade of `GET /ws`, then binary messages whose joined bytes are an
   * inner TLS connection; that one demands the client certificate and carries the frames. Default false.
   */
  readonly wss?: boolean;
  /** Routers name only their wss address. Default false. */
  readonly wssOnly?: boolean;
  /** What routers and controllers say they are. Default 'v1.6.0'; decides which inspect answer counts,
   *  and whether enrolment names identities in their certificates (from v2.0.0 on). */
  readonly version?: string;
  /** Time limits that a real network counts in seconds. */
  readonly timing?: Partial<TestTiming>;
  /** Names beside 127.0.0.1, ::1 and localhost in the server certificates. */
  readonly hostNames?: readonly string[];
  /** For the order of headers and of overtaking frames. Default 1. */
  readonly seed?: number;
}

export interface TestTiming {
  /** No Hello within this time: the router closes. 5000. */
  readonly helloMs: number;
  /** An unknown token: answered, then closed after this time. 5000. */
  readonly badTokenMs: number;
  /** A host has this long to answer a Dial; it is asked twice. 5000. */
  readonly dialMs: number;
  /** Life of a legacy login without activity. 1 800 000. */
  readonly apiSessionMs: number;
  /** Life of an OIDC access token. 1 800 000. */
  readonly accessTokenMs: number;
  /** Life of an OIDC refresh token. 86 400 000. */
  readonly refreshTokenMs: number;
}

export interface TestNetwork extends AsyncDisposable {
  /** `https://127.0.0.1:port` of the first controller. */
  readonly controllerUrl: string;
  readonly controllers: readonly TestController[];
  readonly routers: readonly TestRouter[];
  /** Root and intermediate, as an identity file holds them. */
  readonly caPem: string;
  readonly pki: TestPki;

  /** An enrolled identity. Names are unique. */
  addIdentity(name: string, options?: AddIdentityOptions): TestIdentity;
  /** An identity that is still to be enrolled. */
  addEnrollment(name: string, options?: { readonly expiresInMs?: number }): TestEnrollment;
  /** The identity file of an enrolled identity, in a folder that goes with the network. */
  identityFile(identity: TestIdentity): Promise<string>;
  /** Deletes the identity; its legacy sessions end at once, with channels, binds and connections. */
  removeIdentity(name: string): void;

  addService(name: string, options?: AddServiceOptions): TestService;
  removeService(name: string): void;
  /** Replaces who may dial and bind. Legacy service sessions that lost their right end at once. */
  setPermissions(service: string, permissions: ServicePermissions): void;

  /** Ends the API sessions of an identity (401 from now on); legacy: its channels close. */
  expireApiSessions(identity: string): void;
  /** Ends service sessions, their circuits and binds. */
  deleteServiceSessions(which: { identity?: string; service?: string; type?: 'Dial' | 'Bind' }): void;

  readonly terminators: readonly TestTerminator[];
  readonly circuits: readonly TestCircuit[];
  readonly apiSessions: readonly { readonly identity: string; readonly kind: 'legacy' | 'oidc' }[];
  readonly serviceSessions: readonly { readonly identity: string; readonly service: string; readonly type: string }[];
  /** Resolves when the predicate holds: it is asked now and after every change of the network. */
  until(predicate: () => boolean, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface AddIdentityOptions {
  /** Key of the certificate. Default 'P-256'. */
  readonly key?: 'P-256' | 'P-384' | 'RSA-2048' | 'Ed25519';
  /** The file lists all controllers (`ztAPIs`). Default: when there is more than one. */
  readonly allControllers?: boolean;
  readonly notAfter?: Date;
}

export interface TestIdentity {
  readonly id: string;
  readonly name: string;
  /** Content of the identity file. */
  readonly json: string;
  readonly certPem: string;
  readonly keyPem: string;
}

export interface TestEnrollment {
  readonly id: string;
  readonly name: string;
  /** The enrolment token (a JWT). */
  readonly token: string;
}

export interface ServicePermissions {
  /** Identity names; 'all' for everybody. Default 'all'. */
  readonly dial?: 'all' | readonly string[];
  readonly bind?: 'all' | readonly string[];
  /** Names of the routers that may serve it. Default: all. */
  readonly routers?: readonly string[];
}

export interface AddServiceOptions extends ServicePermissions {
  /** Default true. */
  readonly encryption?: boolean;
  /** Config type → config. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface TestService {
  readonly id: string;
  readonly name: string;
}

export interface TestTerminator {
  readonly id: string;
  readonly service: string;
  readonly identity: string;
  readonly router: string;
  readonly instance: string | undefined;
  readonly cost: number;
  readonly precedence: number;
}

export interface TestCircuit {
  readonly id: string;
  readonly service: string;
  readonly dialer: string;
  readonly host: string;
  readonly dialerRouter: string;
  readonly hostRouter: string;
}

export interface TestController {
  /** `https://127.0.0.1:port`, the same after a restart. */
  readonly url: string;
  readonly running: boolean;
  /** Every request so far, oldest first. */
  readonly requests: readonly { readonly method: string; readonly path: string; readonly status: number }[];
  /** Connections are cut and refused until `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Sees a request before it is handled: an answer instead, a delay (a promise), or nothing. */
  intercept(handler: (request: InterceptedRequest) => Intercepted | Promise<Intercepted>): Disposable;
}

export interface InterceptedRequest {
  readonly method: string;
  readonly path: string;
  readonly identity: string | undefined;
}

/** 'cut' destroys the socket, 'hang' never answers. */
export type Intercepted = undefined | 'cut' | 'hang' | { readonly status: number; readonly body: unknown };

export interface TestRouter {
  readonly id: string;
  readonly name: string;
  /** Protocol → address, as the controller names them. */
  readonly urls: Readonly<Record<string, string>>;
  readonly running: boolean;
  readonly channels: readonly TestChannel[];
  /** All sockets end without a word and are refused until `start`, which takes the same ports again. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** The controller lists it as off line (and without addresses) although it runs. */
  setListedOnline(online: boolean): void;
  /** What happens to dials that arrive here; 'forward' is the normal case. */
  setDialRule(rule: 'forward' | 'silent' | { readonly refuse: string }): void;
  /** Faults of all channels of this router, also of those to come. */
  readonly faults: Faults;
  /** Sees every frame; returns a function that stops it. */
  onFrame(observer: (frame: ObservedFrame) => void): () => void;
}

export interface TestChannel {
  readonly id: string;
  readonly identity: string | undefined;
  readonly underlay: 'tls' | 'wss';
  readonly faults: Faults;
  /** Bytes that wait to be written to this client. */
  readonly queuedBytes: number;
  /** Ends the socket without a message. */
  cut(): void;
  /** TCP reset. */
  reset(): void;
  /** Sends any frame to the client. */
  send(
    type: number,
    headers: Readonly<Record<number, Uint8Array | string | number | boolean>>,
    body?: Uint8Array | string,
  ): void;
  /** Sends bytes that need not be a frame. */
  sendRaw(bytes: Uint8Array): void;
}

export interface ObservedFrame {
  readonly channel: TestChannel;
  readonly direction: 'from-client' | 'to-client';
  readonly type: number;
  readonly sequence: number;
  readonly headers: ReadonlyMap<number, Buffer>;
  readonly body: Buffer;
}

/** Each stays until changed; `clear` ends all. Those of a channel apply in addition to those of its router. */
export interface Faults {
  /** Frames to clients leave this much later, order kept. */
  delay(ms: number): void;
  /** Frames for which this says true vanish. */
  drop(which: ((frame: ObservedFrame) => boolean) | undefined): void;
  /** Frames of different connections overtake each other; those of one connection stay in order. */
  reorder(on: boolean): void;
  /** Bytes per write to the socket: 1 splits everywhere; a large number joins what came within `joinMs`. */
  writes(shape: { readonly splitBytes?: number; readonly joinMs?: number } | undefined): void;
  /** Nothing is read and nothing forwarded, but the sockets stay open. */
  halfOpen(on: boolean): void;
  /** At most so many bytes a second to each client. What waits is bounded by back-pressure to the senders, as always. */
  slow(bytesPerSecond: number | undefined): void;
  clear(): void;
}

export interface TestPki {
  readonly rootPem: string;
  readonly intermediatePem: string;
  /** Any certificate, by default signed by the intermediate of this network. */
  issue(request: CertificateRequest): IssuedCertificate;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly use: 'server' | 'client' | 'both';
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  readonly uri?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Default: a new P-256 key. */
  readonly publicKey?: KeyObject;
}

export interface IssuedCertificate {
  /** Leaf, then the intermediate. */
  readonly chainPem: string;
  readonly certPem: string;
  /** Undefined when only a public key was given. */
  readonly key: KeyObject | undefined;
  readonly keyPem: string | undefined;
}
