// Caps on everything a stranger can size. Each has a reason here, an error code (./errors.ts) and a test.

const KiB = 1024;
const MiB = 1024 * KiB;

export const LIMITS = {
  // identity files and enrollment
  /** An identity file, and each file it names. A chain and a bundle of a hundred CAs are far below. */
  identityBytes: MiB,
  /** Certificates in one chain or bundle: parsing one costs about 0.1 ms, Go's own bundles hold a handful. */
  certificates: 512,
  /** An enrollment token. Real ones have 1 KiB. */
  jwtBytes: 64 * KiB,
  /** A DER document: the CA bundle of a controller. 512 certificates of 2 KiB. */
  derBytes: MiB,
  /** Nesting that the DER reader follows. A PKCS#7 bundle needs four levels. */
  derDepth: 16,
  // the controller's REST interface
  /** One answer of a controller: 500 services with configs fit in 2 MiB. */
  answerBytes: 8 * MiB,
  /** Services of one identity: 500 for each page. */
  services: 50_000,
  /** An address of a controller or router. Host names end at 253. */
  urlChars: 2048,
  /** Controllers of one network that we take from a list. */
  controllers: 32,
  /** Routers of one session. */
  routersPerSession: 1000,
  /** Text of a controller that goes into an error message. */
  quotedChars: 200,
} as const;
