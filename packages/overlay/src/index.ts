// The public names of @mcp-overlay/overlay, one by one.
export { OVERLAY_ERROR_CODES, OverlayError, type OverlayErrorCode } from './errors.ts';
export type {
  Connection,
  DialOptions,
  Listener,
  ListenOptions,
  Overlay,
  OverlayKind,
  PeerHint,
  ShareInfo,
} from './overlay.ts';
