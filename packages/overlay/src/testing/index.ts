// Fakes and suites that belong to the overlay contract.
export { type OverlayFactory, type OverlayTraits, type OverlayUnderTest, overlayCompliance } from './compliance.ts';
export { atLeast, coded, digest, everything, type Joined, joined, over } from './connections.ts';
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
