// What controllers and routers of one test network know, as plain records.

import type { ServicePermissions } from '../types.ts';

export interface Identity {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  /** SHA-1 of its certificates; empty until it is enrolled. */
  readonly fingerprints: Set<string>;
  enrollment: Enrollment | undefined;
}

export interface Enrollment {
  readonly token: string;
  readonly expiresAt: number;
}

export interface Service {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly encryption: boolean;
  readonly config: Readonly<Record<string, unknown>>;
  permissions: ServicePermissions;
}

export interface ApiSession {
  readonly kind: 'legacy' | 'oidc';
  readonly id: string;
  readonly identity: Identity;
  /** Index of the controller that made it: only there is a legacy login known. */
  readonly controller: number;
  readonly createdAt: Date;
  readonly configTypes: readonly string[];
  /** Fingerprints of the certificate chain that it was made with. */
  readonly fingerprints: readonly string[];
  /** Legacy: the token. OIDC: of the newest access token; older ones hold until they expire. */
  token: string;
  /** Legacy: moves with activity. OIDC: the end of the newest access token. */
  expiresAt: number;
  ended: boolean;
}

export interface ServiceSession {
  readonly id: string;
  readonly token: string;
  readonly type: 'Dial' | 'Bind';
  readonly apiSession: ApiSession;
  readonly service: Service;
  readonly createdAt: Date;
  ended: boolean;
}

export interface Terminator {
  readonly id: string;
  readonly service: Service;
  readonly identity: Identity;
  /** Router id. */
  readonly router: string;
  readonly instance: string;
  /** Of the first bind; a take-over does not change it. */
  readonly publicKey: Buffer | undefined;
  cost: number;
  precedence: number;
  /** xt_smartrouting: 2 for each circuit, 20 for each failed dial. */
  circuits: number;
  failures: number;
}

export interface Circuit {
  readonly id: string;
  readonly service: string;
  readonly dialer: string;
  readonly host: string;
  readonly dialerRouter: string;
  readonly hostRouter: string;
}
