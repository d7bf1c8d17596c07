// The one memory of a test network: controllers write it, routers read it, tests watch it change.

import { randomBytes, randomUUID } from 'node:crypto';
import type { JwtKey } from '../pki/jwt.ts';
import type { TestTiming } from '../types.ts';
import type { ApiSession, Circuit, Identity, Service, ServiceSession, Terminator } from './records.ts';

export class NetworkState {
  readonly timing: TestTiming;
  readonly identities = new Map<string, Identity>();
  readonly services = new Map<string, Service>();
  /** By id. */
  readonly apiSessions = new Map<string, ApiSession>();
  /** By token. Ended ones stay: who comes with one is told another thing than with a token never seen. */
  readonly serviceSessions = new Map<string, ServiceSession>();
  readonly terminators = new Map<string, Terminator>();
  readonly circuits = new Map<string, Circuit>();
  /** Keys of all controllers: each accepts the tokens of all. */
  readonly jwtKeys: JwtKey[] = [];
  /** What routers have to do when a session ends. */
  readonly onServiceSessionEnded: ((session: ServiceSession) => void)[] = [];
  readonly onApiSessionEnded: ((session: ApiSession) => void)[] = [];
  servicesChangedAt = new Date();
  readonly #watchers = new Set<() => void>();

  constructor(timing: TestTiming) {
    this.timing = timing;
  }

  changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  until(predicate: () => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#watchers.delete(look);
        signal?.removeEventListener('abort', abort);
      };
      const look = (): void => {
        if (!predicate()) return;
        done();
        resolve();
      };
      const abort = (): void => {
        done();
        reject(signal?.reason);
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort);
      this.#watchers.add(look);
      look();
    });
  }

  identityNamed(name: string): Identity {
    const found = [...this.identities.values()].find((identity) => identity.name === name);
    if (!found) throw new Error(`no identity ${name} in this test network`);
    return found;
  }

  serviceNamed(name: string): Service {
    const found = [...this.services.values()].find((service) => service.name === name);
    if (!found) throw new Error(`no service ${name} in this test network`);
    return found;
  }

  identityWith(fingerprint: string | undefined): Identity | undefined {
    if (fingerprint === undefined) return undefined;
    return [...this.identities.values()].find(({ fingerprints }) => fingerprints.has(fingerprint));
  }

  endServiceSession(session: ServiceSession): void {
    if (session.ended) return;
    session.ended = true;
    for (const tell of this.onServiceSessionEnded) tell(session);
    this.changed();
  }

  endApiSession(session: ApiSession): void {
    if (session.ended) return;
    session.ended = true;
    for (const tell of this.onApiSessionEnded) tell(session);
    if (session.kind === 'legacy') {
      for (const made of this.serviceSessions.values()) if (made.apiSession === session) this.endServiceSession(made);
    }
    this.changed();
  }
}

/** As long as the ids of ziti are: 10 for identities and routers, 22 for services and terminators, 25 for sessions. */
export function newId(length: number): string {
  return randomBytes(length).toString('base64url').replace(/[-_]/g, '0').slice(0, length);
}

export const newToken = (): string => randomUUID();
