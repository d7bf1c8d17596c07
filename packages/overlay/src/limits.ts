// Caps on everything that a stranger can size in a proof of identity, and on what this user's files may hold. Each has a
// reason here, an error code (./errors.ts) and a test.

export const PROOF_LIMITS = {
  /** Certificates of one proof: a leaf, its issuer, and two above for companies that have them. */
  chainCertificates: 4,
  /** One certificate, DER. RSA-8192 signed by RSA-8192 has 3 KiB. */
  certificateBytes: 8 * 1024,
  /** A proof as JSON: it has to fit into the first line of a link (64 KiB) beside the rest. */
  proofBytes: 48 * 1024,
  /** RSA keys. Below, they are broken; above, one check costs milliseconds, and nobody has such keys. */
  rsaMinBits: 2048,
  rsaMaxBits: 8192,
  /** A large public exponent makes a check as slow as a signature. Everybody uses 65537. */
  rsaMaxExponent: 0xffff_ffff,
  /** Characters of a principal's id: names of certificates are as long as their issuer likes. */
  principalChars: 512,
  /** Host identities that one share may name (`share.hosts`). */
  hosts: 32,
  /** Proofs remembered to tell a replayed one from one for another connection. */
  seenProofs: 4096,
  /** Clocks of two machines may differ by this much. */
  clockSkewMs: 60_000,
} as const;

export const ACCESS_LIMITS = {
  /** Blocks of one token: the gateway's, and each narrowing. Each costs a signature to check (0.1 ms). */
  blocks: 16,
  /** The text of a token: with its proof it stands in the first line of a link (64 KiB). */
  tokenBytes: 16 * 1024,
  /** Entries of one list of a restriction. Matching takes entries times characters. */
  listEntries: 64,
  /** One pattern: about as long as a name, or a URI. */
  patternChars: 256,
  /** What a token is called. */
  nameChars: 100,
  /** A token that nobody revokes is over by then; so a list of revoked ones stays short. */
  ttlMaxMs: 366 * 24 * 3600 * 1000,
  /** Tokens of one share that are remembered, and ids that are revoked before their time. */
  records: 10_000,
  /** A JWT: those of large companies have many groups. */
  jwtBytes: 16 * 1024,
  /** Groups of one JWT that count, and their length. */
  groups: 200,
  groupChars: 200,
  /** The keys of an issuer. */
  jwksBytes: 256 * 1024,
  jwksKeys: 100,
} as const;

export const FILE_LIMITS = {
  /** An identity or trust file. A revocation list of 100,000 certificates has 4 MiB. */
  pemBytes: 16 * 1024 * 1024,
  /** CA certificates of one trust file: a bundle, not the web's. */
  trustCertificates: 256,
  /** Shares whose hosts are remembered; beyond, the one not used for the longest time goes. */
  knownShares: 4096,
  /** Peers of one share that nobody decided on; beyond, the one not seen for the longest time goes. */
  undecidedPeers: 1000,
  /** Peers of one share that were let in or denied by hand. */
  decidedPeers: 10_000,
} as const;
