// A whole OpenZiti network inside this process. FOR TESTS ONLY. Real sockets on 127.0.0.1, real TLS, real certificates, frames
// by an encoder of its own; clients that were not written with it work through it (test/testing/c-sdk.test.ts).

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller } from './controller/controller.ts';
import { newEnrollment, newIdentity } from './identities.ts';
import { createTestPki } from './pki/pki.ts';
import { Random } from './random.ts';
import { type Fabric, Router } from './router/router.ts';
import { rightsOf } from './state/access.ts';
import { NetworkState, newId } from './state/network-state.ts';
import type { Service, ServiceSession } from './state/records.ts';
import type { TestIdentity, TestNetwork, TestNetworkOptions, TestTiming } from './types.ts';
import { type Version, versionOf } from './version.ts';

const TIMING: TestTiming = {
  helloMs: 5_000,
  badTokenMs: 5_000,
  dialMs: 5_000,
  apiSessionMs: 1_800_000,
  accessTokenMs: 1_800_000,
  refreshTokenMs: 86_400_000,
};

export async function startTestNetwork(options: TestNetworkOptions = {}): Promise<TestNetwork> {
  const state = new NetworkState({ ...TIMING, ...options.timing });
  const pki = createTestPki();
  const version = versionOf(options.version ?? 'v1.6.0');
  const random = new Random(options.seed ?? 1);
  const hostNames = ['localhost', ...(options.hostNames ?? [])];
  const routers: Router[] = [];
  const controllers: Controller[] = [];
  const trustDomain = `test-${newId(8)}`;
  const fabric: Fabric = {
    routerWith: (id) => routers.find((router) => router.id === id),
    controllerUp: () => state.until(() => controllers.some(({ running }) => running)),
  };
  const wss = options.wss === true || options.wssOnly === true;
  const protocols = [...(options.wssOnly ? [] : (['tls'] as const)), ...(wss ? (['wss'] as const) : [])];
  for (let index = 0; index < (options.routers ?? 1); index += 1) {
    const name = `router-${index + 1}`;
    routers.push(new Router({ id: newId(10), name, state, fabric, pki, hostNames, version, random, protocols }));
  }
  const usedRefreshTokens = new Set<string>();
  const offersOidc = options.login === 'oidc';
  for (let index = 0; index < (options.controllers ?? 1); index += 1) {
    const shared = { state, pki, hostNames, trustDomain, version, offersOidc, routers, usedRefreshTokens };
    controllers.push(new Controller({ index, siblings: controllers, ...shared }));
  }
  state.onApiSessionEnded.push((session) => {
    for (const router of routers) router.apiSessionEnded(session);
  });
  state.onServiceSessionEnded.push((session) => {
    for (const router of routers) router.serviceSessionEnded(session);
  });
  await Promise.all([...routers, ...controllers].map((server) => server.start()));
  return new Network(state, pki, controllers, routers, { trustDomain, version });
}

class Network implements TestNetwork {
  readonly controllers: readonly Controller[];
  readonly routers: readonly Router[];
  readonly pki: ReturnType<typeof createTestPki>;
  readonly #state: NetworkState;
  readonly #issuing: { readonly trustDomain: string; readonly version: Version };
  #folder: Promise<string> | undefined;

  constructor(
    state: NetworkState,
    pki: ReturnType<typeof createTestPki>,
    controllers: readonly Controller[],
    routers: readonly Router[],
    issuing: { readonly trustDomain: string; readonly version: Version },
  ) {
    this.#state = state;
    this.pki = pki;
    this.controllers = controllers;
    this.routers = routers;
    this.#issuing = issuing;
  }

  get controllerUrl(): string {
    return this.controllers[0]?.url ?? '';
  }

  get caPem(): string {
    return this.pki.intermediatePem + this.pki.rootPem;
  }

  get terminators() {
    return [...this.#state.terminators.values()].map(
      ({ id, service, identity, router, instance, cost, precedence }) => ({
        id,
        service: service.name,
        identity: identity.name,
        router: this.routers.find((known) => known.id === router)?.name ?? router,
        instance: instance === '' ? undefined : instance,
        cost,
        precedence,
      }),
    );
  }

  get circuits() {
    return [...this.#state.circuits.values()];
  }

  get apiSessions() {
    const live = [...this.#state.apiSessions.values()].filter(({ ended }) => !ended);
    return live.map(({ identity, kind }) => ({ identity: identity.name, kind }));
  }

  get serviceSessions() {
    const live = this.#liveServiceSessions();
    return live.map(({ apiSession, service, type }) => ({
      identity: apiSession.identity.name,
      service: service.name,
      type,
    }));
  }

  addIdentity(name: string, options: Parameters<TestNetwork['addIdentity']>[1] = {}): TestIdentity {
    return newIdentity({ name, options, state: this.#state, pki: this.pki, ...this.#whereFrom() });
  }

  addEnrollment(name: string, { expiresInMs = 3_600_000 }: { readonly expiresInMs?: number } = {}) {
    const [controller] = this.controllers;
    if (!controller) throw new Error('a network without controllers');
    return newEnrollment(name, expiresInMs, this.#state, controller.url, controller.key);
  }

  async identityFile(identity: TestIdentity): Promise<string> {
    this.#folder ??= mkdtemp(join(tmpdir(), 'ziti-test-'));
    const path = join(await this.#folder, `${identity.id}.json`);
    await writeFile(path, identity.json, { mode: 0o600 });
    return path;
  }

  removeIdentity(name: string): void {
    const identity = this.#state.identityNamed(name);
    this.#state.identities.delete(identity.id);
    for (const session of this.#state.apiSessions.values()) {
      if (session.identity === identity && session.kind === 'legacy') this.#state.endApiSession(session);
    }
    this.#state.changed();
  }

  addService(name: string, options: Parameters<TestNetwork['addService']>[1] = {}): Service {
    if ([...this.#state.services.values()].some((known) => known.name === name))
      throw new Error(`service ${name} exists`);
    const { encryption = true, config = {}, ...permissions } = options;
    const service: Service = { id: newId(22), name, createdAt: new Date(), encryption, config, permissions };
    this.#state.services.set(service.id, service);
    this.#servicesChanged();
    return service;
  }

  removeService(name: string): void {
    const service = this.#state.serviceNamed(name);
    this.#state.services.delete(service.id);
    for (const session of this.#legacySessionsOf(service)) this.#state.endServiceSession(session);
    for (const terminator of [...this.#state.terminators.values()]) {
      if (terminator.service === service) this.#state.terminators.delete(terminator.id);
    }
    this.#servicesChanged();
  }

  setPermissions(name: string, permissions: Parameters<TestNetwork['setPermissions']>[1]): void {
    const service = this.#state.serviceNamed(name);
    service.permissions = permissions;
    for (const session of this.#legacySessionsOf(service)) {
      const rights = rightsOf(session.apiSession.identity, service);
      if (!rights.includes(session.type)) this.#state.endServiceSession(session);
    }
    this.#servicesChanged();
  }

  expireApiSessions(name: string): void {
    const identity = this.#state.identityNamed(name);
    for (const session of this.#state.apiSessions.values()) {
      if (session.identity === identity) this.#state.endApiSession(session);
    }
  }

  deleteServiceSessions(which: Parameters<TestNetwork['deleteServiceSessions']>[0]): void {
    for (const session of this.#liveServiceSessions()) {
      const { apiSession, service, type } = session;
      const fits =
        (which.identity ?? apiSession.identity.name) === apiSession.identity.name &&
        (which.service ?? service.name) === service.name &&
        (which.type ?? type) === type;
      if (fits) this.#state.endServiceSession(session);
    }
  }

  until(predicate: () => boolean, signal?: AbortSignal): Promise<void> {
    return this.#state.until(predicate, signal);
  }

  async close(): Promise<void> {
    await Promise.all(this.routers.map((router) => router.kill()));
    await Promise.all(this.controllers.map((controller) => controller.stop()));
    if (this.#folder) await rm(await this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #whereFrom() {
    const urls = this.controllers.map(({ url }) => `${url}/edge/client/v1`);
    return { urls, caPem: this.caPem, ...this.#issuing };
  }

  #liveServiceSessions(): ServiceSession[] {
    return [...this.#state.serviceSessions.values()].filter(({ ended }) => !ended);
  }

  #legacySessionsOf(service: Service): ServiceSession[] {
    return this.#liveServiceSessions().filter((made) => made.service === service && made.apiSession.kind === 'legacy');
  }

  #servicesChanged(): void {
    this.#state.servicesChangedAt = new Date();
    this.#state.changed();
  }
}
