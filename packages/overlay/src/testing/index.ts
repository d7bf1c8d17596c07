// Fakes and suites that belong to the overlay contract.
export {
  type OverlayFactory,
  type OverlayTraits,
  type OverlayUnderTest,
  overlayCompliance,
  type ShareAdministrator,
} from './compliance.ts';
export { atLeast, coded, digest, everything, type Joined, joined, over } from './connections.ts';
export { paperNetwork, type ZitiAdmin } from './fake-zrok/ziti-admin.ts';
export { type FakeZrok, type FakeZrokOptions, type Fault, startFakeZrok } from './fake-zrok.ts';
export { type HostProcess, spawnHost } from './host-process.ts';
export { importOptions } from './node-options.ts';
export {
  type Authority,
  type CertificateOptions,
  type Issued,
  KEY_USAGE,
  type KeyKind,
  keyOf,
  testAuthority,
  USAGE,
} from './pki.ts';
export { bareConnection, type ProvingOptions, provingOverlay } from './proving.ts';
export { type TempOverlay, tempOverlay } from './temp-overlay.ts';
export { administrate } from './ziti-house.ts';
export { type ZrokHome, type ZrokHouse, zrokHouse } from './zrok-house.ts';
