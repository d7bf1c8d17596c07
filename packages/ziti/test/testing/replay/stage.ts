// A router of the test network with the sessions of a recording put into its memory, so that recorded tokens open doors.

import { fingerprint, type JwtKey, signJwt } from '../../../src/testing/pki/jwt.ts';
import { createTestPki, newKey } from '../../../src/testing/pki/pki.ts';
import { Random } from '../../../src/testing/random.ts';
import { Router } from '../../../src/testing/router/router.ts';
import { NetworkState } from '../../../src/testing/state/network-state.ts';
import type { ApiSession, Identity, Service } from '../../../src/testing/state/records.ts';
import { versionOf } from '../../../src/testing/version.ts';
import type { Recording } from './recording.ts';

/** The recorded router. */
const ROUTER_ID = 'H4qttpp7Mw';
const NO_SESSION = '00000000-0000-0000-0000-000000000000';
const BIND = 60790;
const CONNECT = 60783;

export interface Credentials {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

export interface Waits {
  readonly silentMs: number;
  readonly badTokenMs: number;
}

export interface Stage {
  readonly state: NetworkState;
  readonly router: Router;
  readonly service: Service;
  /** What a client of this channel shows in TLS. */
  credentials(channel: string): Credentials;
  /** The token that stands for a recorded one: itself, or a JWT with its claims that our router can verify. */
  token(recorded: string): string;
}

/** `silentMs`: how long the router waits for a host. */
export async function setStage(recording: Recording, { silentMs, badTokenMs }: Waits): Promise<Stage> {
  const pki = createTestPki();
  const timing = {
    helloMs: 5000,
    badTokenMs,
    dialMs: silentMs,
    apiSessionMs: 1e9,
    accessTokenMs: 1e9,
    refreshTokenMs: 1e9,
  };
  const state = new NetworkState(timing);
  const key = jwtKey();
  state.jwtKeys.push(key);
  const router: Router = new Router({
    id: ROUTER_ID,
    name: 'router',
    state,
    fabric: { routerWith: (id) => (id === ROUTER_ID ? router : undefined), controllerUp: async () => {} },
    pki,
    hostNames: [],
    version: versionOf('v1.6.0'),
    random: new Random(recording.steps.length),
    protocols: ['tls'],
  });
  state.onApiSessionEnded.push((session) => router.apiSessionEnded(session));
  state.onServiceSessionEnded.push((session) => router.serviceSessionEnded(session));
  const permissions = {};
  const service: Service = {
    id: recording.service,
    name: 'recorded',
    createdAt: new Date(),
    encryption: recording.encrypted,
    config: {},
    permissions,
  };
  state.services.set(service.id, service);
  const minted = new Map<string, string>();
  const token = (recorded: string): string => {
    if (!recorded.startsWith('ey')) return recorded;
    const known = minted.get(recorded) ?? signJwt({ ...claimsOf(recorded), exp: Date.now() / 1000 + 1e6 }, key);
    minted.set(recorded, known);
    return known;
  };
  const shown = new Map<string, Credentials>();
  const identityOf = (channel: string): Identity => {
    const base = channel.replace(/-?\d$/, '');
    const known = [...state.identities.values()].find(({ name }) => name === base);
    if (known) return known;
    const identity: Identity = {
      id: base,
      name: base,
      createdAt: new Date(),
      fingerprints: new Set(),
      enrollment: undefined,
    };
    const issued = pki.issue({ commonName: base, use: 'client' });
    identity.fingerprints.add(fingerprint(issued.certificate));
    shown.set(base, { key: issued.keyPem ?? '', cert: issued.chainPem, ca: pki.rootPem });
    state.identities.set(base, identity);
    return identity;
  };
  const logins = new Map<string, ApiSession>();
  for (const step of recording.steps) {
    if (step.kind !== 'frame' || step.direction !== 'from-client') continue;
    const login = step.headers.get(1002)?.toString();
    if (step.type === 0 && login !== undefined) {
      const identity = identityOf(step.channel);
      if (login === NO_SESSION) continue;
      // In one recording the token belongs to somebody else than the certificate.
      const owner = step.channel === 'token-of-other-identity' ? identityOf('somebody') : identity;
      logins.set(step.channel, apiSession(state, owner, login, token(login)));
    }
    const text = step.body.toString();
    const type = recording.named.get(text) ?? { [BIND]: 'Bind' as const, [CONNECT]: 'Dial' as const }[step.type];
    const asked = step.type === BIND || step.type === CONNECT;
    const owner = ownerOf(logins, text, step.channel, type);
    if (!asked || !owner || text === NO_SESSION || text === '' || !type || state.serviceSessions.has(token(text)))
      continue;
    const session = {
      id: text,
      token: token(text),
      type,
      apiSession: owner,
      service,
      createdAt: new Date(),
      ended: false,
    };
    state.serviceSessions.set(session.token, session);
  }
  await router.start();
  return {
    state,
    router,
    service,
    token,
    credentials: (channel) => shown.get(identityOf(channel).name) as Credentials,
  };
}

/** A Dial session is the dialer's, whoever shows its token; so is a Bind session the host's. */
function ownerOf(
  logins: ReadonlyMap<string, ApiSession>,
  text: string,
  channel: string,
  type: 'Dial' | 'Bind' | undefined,
): ApiSession | undefined {
  if (text.startsWith('ey')) {
    const { z_asid } = claimsOf(text);
    return [...logins.values()].find(({ id }) => id === z_asid);
  }
  return logins.get(type === 'Dial' ? 'dialer' : 'host') ?? logins.get(channel);
}

function apiSession(state: NetworkState, identity: Identity, recorded: string, token: string): ApiSession {
  const oidc = recorded.startsWith('ey');
  const id = oidc ? String(claimsOf(recorded).z_asid) : recorded;
  const session: ApiSession = state.apiSessions.get(id) ?? {
    kind: oidc ? 'oidc' : 'legacy',
    id,
    identity,
    controller: 0,
    createdAt: new Date(),
    configTypes: [],
    fingerprints: [],
    token,
    expiresAt: Date.now() + 1e9,
    ended: false,
  };
  state.apiSessions.set(id, session);
  return session;
}

function jwtKey(): JwtKey {
  return { id: 'recorded', ...newKey() };
}

function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString());
}
