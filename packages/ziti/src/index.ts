// The public names of @mcp-overlay/ziti, one by one.

export { proxyFromEnvironment } from './channel/proxy.ts';
export type { OpenSocket, SocketTarget } from './channel/underlay.ts';
export { ZitiContext, type ZitiContextOptions, type ZitiStatus } from './context.ts';
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
export { type Enrolled, type EnrollOptions, enroll, type KeyType } from './enroll/enroll.ts';
export { ZITI_ERROR_CODES, ZitiError, type ZitiErrorCode } from './errors.ts';
export { loadIdentity, parseIdentity, tlsOptions, type ZitiIdentity } from './identity.ts';
export { type IdentityContents, writeIdentity } from './identity-file.ts';
