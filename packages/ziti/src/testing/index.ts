// FOR TESTS ONLY: an OpenZiti network inside this process, for the tests of this and other packages.
export { mutate, type Tally } from './mutate.ts';
export { createTestPki } from './pki/pki.ts';
export { startTestNetwork } from './test-network.ts';
export type {
  AddIdentityOptions,
  AddServiceOptions,
  CertificateRequest,
  Faults,
  Intercepted,
  InterceptedRequest,
  IssuedCertificate,
  ObservedFrame,
  ServicePermissions,
  TestChannel,
  TestCircuit,
  TestController,
  TestEnrollment,
  TestIdentity,
  TestNetwork,
  TestNetworkOptions,
  TestPki,
  TestRouter,
  TestService,
  TestTerminator,
  TestTiming,
} from './types.ts';
