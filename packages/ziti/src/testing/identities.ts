// Identities of a test network: enrolled ones with their file, and those that still have a token to enrol with.

import { fingerprint, type JwtKey, signJwt } from './pki/jwt.ts';
import { keyPem, newKey, type Pki } from './pki/pki.ts';
import { type NetworkState, newId, newToken } from './state/network-state.ts';
import type { AddIdentityOptions, TestEnrollment, TestIdentity } from './types.ts';
import type { Version } from './version.ts';

export interface NewIdentity {
  readonly name: string;
  readonly options: AddIdentityOptions;
  readonly state: NetworkState;
  readonly pki: Pki;
  /** Client APIs of all controllers. */
  readonly urls: readonly string[];
  readonly caPem: string;
  readonly trustDomain: string;
  readonly version: Version;
}

/** The file is written as the Go tools write it: `pem:` and the text. */
export function newIdentity(given: NewIdentity): TestIdentity {
  const { name, options, state, pki, urls, caPem, trustDomain, version } = given;
  const id = register(state, name);
  const key = newKey(options.key);
  const issued = pki.issue({
    commonName: id,
    use: 'client',
    uri: version.major < 2 ? [] : [`spiffe://${trustDomain}/identity/${id}`],
    publicKey: key.publicKey,
    ...(options.notAfter ? { notAfter: options.notAfter, notBefore: new Date(0) } : {}),
  });
  state.identities.get(id)?.fingerprints.add(fingerprint(issued.certificate));
  const ownKey = keyPem(key.privateKey);
  const all = options.allControllers ?? urls.length > 1;
  const file = {
    ztAPI: urls[0],
    ...(all ? { ztAPIs: urls } : {}),
    configTypes: null,
    id: { key: `pem:${ownKey}`, cert: `pem:${issued.chainPem}`, ca: `pem:${caPem}` },
  };
  return { id, name, json: JSON.stringify(file, null, 2), certPem: issued.chainPem, keyPem: ownKey };
}

export function newEnrollment(
  name: string,
  expiresInMs: number,
  state: NetworkState,
  issuer: string,
  key: JwtKey,
): TestEnrollment {
  const id = register(state, name);
  const expiresAt = Date.now() + expiresInMs;
  const token = newToken();
  const identity = state.identities.get(id);
  if (identity) identity.enrollment = { token, expiresAt };
  const ctrls = [issuer.replace('https://', 'tls:')];
  const claims = { iss: issuer, sub: id, aud: [''], exp: Math.floor(expiresAt / 1000), jti: token, em: 'ott', ctrls };
  return { id, name, token: signJwt(claims, key) };
}

function register(state: NetworkState, name: string): string {
  if ([...state.identities.values()].some((known) => known.name === name)) throw new Error(`identity ${name} exists`);
  const id = newId(10);
  state.identities.set(id, { id, name, createdAt: new Date(), fingerprints: new Set(), enrollment: undefined });
  state.changed();
  return id;
}
