// The public names of @mcp-overlay/overlay, one by one.
export { isBlockId } from './access/block.ts';
export {
  type IssuerSettings,
  type Issuers,
  openIssuers,
} from './access/issuers.ts';
export type { AccessOptions } from './access/judge.ts';
export { keyFromPem, keyFromText, keyPem, keyText, newKey } from './access/keys.ts';
export { type Minted, type MintOptions, mintToken, type NarrowOptions, narrowToken } from './access/mint.ts';
export { type AccessSecret, type AccessSource, opened, textOf } from './access/present.ts';
export { type Rights, rightsOf } from './access/rights.ts';
export { type AccessToken, readToken, tokenText } from './access/token.ts';
export {
  openTokenBook,
  type Revocation,
  type TokenBook,
  type TokenBookOptions,
  type TokenRecord,
} from './access/token-book.ts';
export {
  ACCESS_ERROR_CODES,
  type AccessErrorCode,
  IDENTITY_ERROR_CODES,
  type IdentityErrorCode,
  OVERLAY_ERROR_CODES,
  OverlayError,
  type OverlayErrorCode,
} from './errors.ts';
export { budgetsPath, forgetShare, ledgerPath } from './forget.ts';
export { privatePlaces, type StateFolder, stateFolder } from './home.ts';
export { ACCESS_LIMITS, FILE_LIMITS, PROOF_LIMITS } from './limits.ts';
export { type BindOptions, type BoundSocket, bindSocket } from './local/bind-socket.ts';
export { socketBehind } from './local/connect-socket.ts';
export { createLocalOverlay, type LocalLog, type LocalOverlayOptions } from './local/driver.ts';
export type { OverlayLog } from './log.ts';
export { disableZrok, enableZrok, enrollZiti } from './membership.ts';
export { networkNow, type OpenedOverlay, type OpenOverlayOptions, openOverlay } from './open-overlay.ts';
export type {
  Connection,
  DialOptions,
  Listener,
  ListenOptions,
  Overlay,
  OverlayKind,
  PeerHint,
  ShareInfo,
  ShareOptions,
  Yielding,
} from './overlay.ts';
export { type Admission, type Decision, type Grants, grantKind, grantsOf } from './peers/admission.ts';
export { type Gate, type GateJudgement, type GateOptions, type GateRefusal, openGate } from './peers/gate.ts';
export { type KnownShare, type KnownShares, knownShares, type ShareKey } from './peers/known-shares.ts';
export { openPeerBook, type PeerBook, type PeerBookOptions, type PeerRecord } from './peers/peer-book.ts';
export { identityNotes, ownIdentity, type Self } from './peers/self.ts';
export { type ShareGuard, type ShareGuardOptions, shareGuard, shareKey } from './peers/share-guard.ts';
export { locked, readStateFile, writeStateFile } from './peers/state-file.ts';
export { type Credential, credentialFromPem, credentialOf } from './proof/credential.ts';
export type { Naming } from './proof/naming.ts';
export { idsOf, isPrincipalId, OWNER, type Principal, type Restriction, UNPROVEN } from './proof/principal.ts';
export type { ProofSettings } from './proof/settings.ts';
export { type TrustBundle, trustFromPem } from './proof/trust.ts';
export { checkShareToken, isShareToken, randomShareToken } from './share-token.ts';
export { systemUser, type User } from './user.ts';
