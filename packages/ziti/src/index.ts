// The public names of @mcp-overlay/ziti, one by one.

export { proxyFromEnvironment } from './channel/proxy.ts';
export type { OpenSocket, SocketTarget } from './channel/underlay.ts';
export { type DialSoon, ZitiContext, type ZitiContextOptions, type ZitiStatus } from './context.ts';
export { type ControllerOptions, createController } from './controller/controller.ts';
export type { LoginChoice } from './controller/logins.ts';
export type { SessionCertificate } from './controller/session-certificate.ts';
export type {
  ApiSession,
  Controller,
  ControllerState,
  EdgeRouterInfo,
  Permission,
  Renewal,
  Service,
  ServiceSession,
} from './controller/types.ts';
export type { CloseMeans, ZitiConnection } from './edge/connection.ts';
export type { DialOptions } from './edge/dial.ts';
export type { RouterState } from './edge/edge-router.ts';
export type { Precedence } from './edge/ids.ts';
export type { ListenerPhase, ListenerState, ListenOptions, ZitiListener } from './edge/listener.ts';
export type { Caller, TerminatorWeight } from './edge/messages.ts';
export { TIMING, type Timing } from './edge/timing.ts';
export { type Enrolled, type EnrollOptions, enroll, type KeyType } from './enroll/enroll.ts';
export { ZITI_ERROR_CODES, ZitiError, type ZitiErrorCode } from './errors.ts';
export { loadIdentity, parseIdentity, tlsOptions, type ZitiIdentity } from './identity.ts';
export { type IdentityContents, writeIdentity } from './identity-file.ts';
export { LIMITS, type Limits } from './limits.ts';
export { SILENT, type ZitiLog } from './log.ts';
