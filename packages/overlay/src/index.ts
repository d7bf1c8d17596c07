// The public names of @mcp-overlay/overlay, one by one.
export { OVERLAY_ERROR_CODES, OverlayError, type OverlayErrorCode } from './errors.ts';
export { type StateFolder, stateFolder } from './home.ts';
export { type BindOptions, type BoundSocket, bindSocket } from './local/bind-socket.ts';
export { socketBehind } from './local/connect-socket.ts';
export { createLocalOverlay, type LocalLog, type LocalOverlayOptions } from './local/driver.ts';
export type { OverlayLog } from './log.ts';
export { disableZrok, enableZrok, enrollZiti } from './membership.ts';
export { type OpenedOverlay, type OpenOverlayOptions, openOverlay } from './open-overlay.ts';
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
} from './overlay.ts';
export { checkShareToken, isShareToken, randomShareToken } from './share-token.ts';
