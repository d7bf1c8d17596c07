// What the edge half of the client asks of the control half: a login that keeps itself alive, services, and service
// sessions with the routers they may be used on. Nothing here knows of channels; nothing there knows of HTTP.

import type { SessionCertificate } from './session-certificate.ts';

/** How the API session was made. A router accepts either; only an OIDC one is renewed on open channels (UpdateToken). */
export type LoginKind = 'legacy' | 'oidc';

/** Proof of login. Immutable: a refresh makes a new value. */
export interface ApiSession {
  readonly kind: LoginKind;
  /** `zt-session` token or access JWT: header 1002 of a Hello. Never logged. */
  readonly token: string;
  /** Which login: equal after a refresh, another after a new login (`z_asid` with OIDC). Routers refuse a mix on one channel. */
  readonly id: string;
  readonly identityId: string;
  /** The caller id that hosts see (header 1008 of a Connect). */
  readonly identityName: string;
  readonly expiresAt: Date;
  /** Base URL of the controller that made it. */
  readonly controller: string;
}

export type Permission = 'Dial' | 'Bind';

export interface Service {
  readonly id: string;
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly encryptionRequired: boolean;
  /** False when a posture check of every policy that would allow the use fails, as the controller sees it. */
  readonly posturePassing: boolean;
  readonly createdAt?: Date;
}

export interface EdgeRouterInfo {
  readonly name: string;
  /** `tls:host:port`, `wss:host:port` …: scheme in lower case, IPv6 in brackets, unknown protocols left out. */
  readonly urls: readonly string[];
  readonly online: boolean;
}

export interface ServiceSession {
  readonly id: string;
  /** Body of Connect or Bind. Opaque. Never logged. */
  readonly token: string;
  readonly type: Permission;
  readonly serviceId: string;
  readonly serviceName: string;
  /** As the controller knew it when the session was made; newer than what was asked with, if that was outdated. */
  readonly service: Service;
  /** `ApiSession.id` of the login it belongs to: usable only on channels of that login. */
  readonly apiSessionId: string;
  /** As the controller answered; may be empty, may hold routers that are off line. */
  readonly routers: readonly EdgeRouterInfo[];
}

/** refreshed: same login, new token or life (OIDC: UpdateToken on every channel). new-login: new channels are needed. */
export type Renewal = 'refreshed' | 'new-login';

/** For status reports. */
export interface ControllerState {
  readonly url: string;
  /** undefined: never asked. */
  readonly reachable: boolean | undefined;
  readonly lastError: string | undefined;
}

export interface Controller {
  /** Logs in when needed; one login at a time, shared by all who ask. Refreshes itself while the program lives. */
  apiSession(signal?: AbortSignal): Promise<ApiSession>;
  /** Called after each renewal, the first login not counted. Must not throw. The returned function ends it. */
  onRenewed(listener: (session: ApiSession, kind: Renewal) => void): () => void;
  /** A router closed the channel after the Hello, or spoke of an invalid API session: the next use logs in again.
   * Nothing happens when `session` is not the present one any more. */
  invalidate(session: ApiSession): void;
  /** `refresh`: ask the controller even if the service is known. Rejects with `service_not_found`. */
  service(name: string, options?: { refresh?: boolean; signal?: AbortSignal }): Promise<Service>;
  /** All services this identity may see, fresh. */
  services(signal?: AbortSignal): Promise<Service[]>;
  /** Cached for each service, one request at a time. `renew`: the session that a router refused; another one is made,
   * or the one that somebody else made meanwhile is returned. */
  dialSession(service: Service, options?: { renew?: ServiceSession; signal?: AbortSignal }): Promise<ServiceSession>;
  /** Never cached, never shared by us (a legacy controller may answer twice with the same). */
  bindSession(service: Service, signal?: AbortSignal): Promise<ServiceSession>;
  /** Those that this identity may use at all. */
  ownRouters(signal?: AbortSignal): Promise<EdgeRouterInfo[]>;
  /** The routers now. Rejects with `session_lost` when the session is gone: make a new one. */
  refreshRouters(session: ServiceSession, signal?: AbortSignal): Promise<EdgeRouterInfo[]>;
  /** A certificate of this login, renewed when it is due: names the identity as the controller does. */
  sessionCertificate(signal?: AbortSignal): Promise<SessionCertificate>;
  /** Where we log in and how it goes, for status reports. */
  states(): readonly ControllerState[];
  /** Logs out, ends timers and connections. Idempotent; everything else rejects with `controller_closed` afterwards. */
  close(): Promise<void>;
}
