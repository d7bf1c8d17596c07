// One edge router of a test network: its addresses, its channels, and what each kind of frame sets going.

import { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Pki } from '../pki/pki.ts';
import type { Random } from '../random.ts';
import type { NetworkState } from '../state/network-state.ts';
import type { ApiSession, ServiceSession, Terminator } from '../state/records.ts';
import type { ObservedFrame, TestRouter } from '../types.ts';
import type { Version } from '../version.ts';
import { WsListener } from '../ws-listener.ts';
import { type Bind, closeBind, forgetBind } from './bind.ts';
import { RouterChannel } from './channel.ts';
import { FaultSwitches } from './faults.ts';
import type { Frame } from './frame.ts';
import { handleFrame } from './handlers.ts';
import { processHello } from './hello.ts';
import type { Refusal } from './refusal.ts';
import { TlsListener } from './tls-listener.ts';
import { u32 } from './values.ts';
import { H, T } from './wire.ts';

/** What the routers of a network have in common. */
export interface Fabric {
  routerWith(id: string): Router | undefined;
  /** Resolves as soon as a controller runs: a frame that needs one waits (12 s were seen). */
  controllerUp(): Promise<void>;
}

export interface RouterOptions {
  readonly id: string;
  readonly name: string;
  readonly state: NetworkState;
  readonly fabric: Fabric;
  readonly pki: Pki;
  readonly hostNames: readonly string[];
  readonly version: Version;
  readonly random: Random;
  readonly protocols: readonly ('tls' | 'wss')[];
}

export type DialRule = 'forward' | 'silent' | { readonly refuse: string };

export class Router implements TestRouter {
  readonly id: string;
  readonly name: string;
  readonly state: NetworkState;
  readonly fabric: Fabric;
  readonly version: Version;
  readonly random: Random;
  readonly faults = new FaultSwitches(() => this.#refresh());
  dialRule: DialRule = 'forward';
  listedOnline = true;
  running = false;
  readonly #channels = new Set<RouterChannel>();
  readonly #observers = new Set<(frame: ObservedFrame) => void>();
  readonly #pki: Pki;
  readonly #tls: TlsListener;
  readonly #wss: WsListener;
  readonly #protocols: RouterOptions['protocols'];
  #channelCount = 0;

  constructor(options: RouterOptions) {
    const { id, name, pki, hostNames } = options;
    this.id = id;
    this.name = name;
    this.state = options.state;
    this.fabric = options.fabric;
    this.version = options.version;
    this.random = options.random;
    this.#protocols = options.protocols;
    this.#pki = pki;
    const ip = ['127.0.0.1', '::1'];
    const { keyPem: key = '', chainPem: cert } = pki.issue({ commonName: id, use: 'both', dns: hostNames, ip });
    const credentials = { key, cert, ca: pki.rootPem };
    this.#tls = new TlsListener(credentials, (tls, raw) => this.#accept('tls', tls, raw));
    this.#wss = new WsListener(credentials, (tls, raw) => {
      // The inner handshake verifies (RequireAndVerifyClientCert), the plain one does not.
      if (this.#issued(tls)) this.#accept('wss', tls, raw);
      else raw.destroy();
    });
  }

  get urls(): Readonly<Record<string, string>> {
    const ports = { tls: this.#tls.port, wss: this.#wss.port };
    return Object.fromEntries(this.#protocols.map((name) => [name, `${name}://127.0.0.1:${ports[name]}`]));
  }

  get channels(): readonly RouterChannel[] {
    return [...this.#channels];
  }

  async start(): Promise<void> {
    if (this.running) return;
    if (this.#protocols.includes('tls')) await this.#tls.start();
    if (this.#protocols.includes('wss')) await this.#wss.start();
    this.running = true;
    this.state.changed();
  }

  async kill(): Promise<void> {
    if (!this.running) return;
    this.running = false;
    for (const channel of this.channels) channel.cut();
    await Promise.all([this.#tls.stop(), this.#wss.stop()]);
    this.state.changed();
  }

  setListedOnline(online: boolean): void {
    this.listedOnline = online;
    this.state.changed();
  }

  setDialRule(rule: DialRule): void {
    this.dialRule = rule;
  }

  onFrame(observer: (frame: ObservedFrame) => void): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  observe(frame: ObservedFrame): void {
    for (const observer of this.#observers) observer(frame);
  }

  allBinds(): Bind[] {
    return this.channels.flatMap(({ binds }) => [...binds.values()]);
  }

  bindOf(terminator: Terminator): Bind | undefined {
    return this.allBinds().find((bind) => bind.terminator === terminator);
  }

  refuse(channel: RouterChannel, request: Frame, refusal: Refusal): void {
    const headers = { [H.replyFor]: request.sequence, [H.connId]: u32(request, H.connId) ?? 0 };
    const code = this.version.major >= 2 ? { [H.errorCode]: refusal.code } : {};
    channel.send(T.stateClosed, { ...headers, ...code }, refusal.message);
  }

  /** Legacy: with the login goes the channel, without a word. */
  apiSessionEnded(session: ApiSession): void {
    if (session.kind !== 'legacy') return;
    for (const channel of this.channels) if (channel.apiSession === session) channel.cut();
  }

  serviceSessionEnded(session: ServiceSession): void {
    for (const channel of this.channels) {
      for (const bind of [...channel.binds.values()]) {
        if (bind.token === session.token) closeBind(this, bind, 'session ended');
      }
      for (const end of [...channel.ends.values()]) if (end.session === session) end.close('session closed');
    }
  }

  received(channel: RouterChannel, frame: Frame): void {
    if (channel.apiSession) handleFrame(this, channel, frame);
    // Before the token is judged nothing counts but the Hello; behind a bad one everything is lost.
    else if (!channel.greeted) channel.greeted = processHello(this, channel, frame);
    // Who floods with requests has to read the answers.
    channel.blockWhileFull(channel);
  }

  closed(channel: RouterChannel): void {
    this.#channels.delete(channel);
    for (const bind of [...channel.binds.values()]) forgetBind(this, bind);
    for (const end of [...channel.ends.values()]) end.drop();
    this.state.changed();
  }

  #accept(underlay: 'tls' | 'wss', tls: TLSSocket, raw: Duplex): void {
    if (!this.running) return void raw.destroy();
    this.#channelCount += 1;
    const channel = new RouterChannel(`${this.name}/${this.#channelCount}`, underlay, tls, raw, this);
    this.#channels.add(channel);
    const timer = setTimeout(() => {
      if (!channel.greeted) channel.cut();
    }, this.state.timing.helloMs);
    channel.onClose(() => clearTimeout(timer));
    this.state.changed();
  }

  #issued(tls: TLSSocket): boolean {
    const { raw } = tls.getPeerCertificate();
    const certificate = new X509Certificate(raw);
    const now = Date.now();
    const inTime = Date.parse(certificate.validFrom) <= now && now < Date.parse(certificate.validTo);
    return inTime && certificate.verify(new X509Certificate(this.#pki.intermediatePem).publicKey);
  }

  #refresh(): void {
    for (const channel of this.#channels) channel.refresh();
  }
}
