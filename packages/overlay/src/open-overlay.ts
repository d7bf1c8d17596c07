// From a name (or none) to an overlay. `local` is the only network so far; the others are named, and say so.

import { OverlayError } from './errors.ts';
import { createLocalOverlay, type LocalOverlayOptions } from './local/driver.ts';
import type { Overlay, OverlayKind } from './overlay.ts';

export interface OpenOverlayOptions extends LocalOverlayOptions {
  readonly env: NodeJS.ProcessEnv;
  /** What the user or the configuration names. */
  readonly kind?: OverlayKind | undefined;
}

export interface OpenedOverlay {
  readonly overlay: Overlay;
  /** For stderr: which one it is, and why. */
  readonly chosenBecause: string;
}

/** Rejects `overlay_unavailable`. */
export async function openOverlay({ kind, ...options }: OpenOverlayOptions): Promise<OpenedOverlay> {
  switch (kind) {
    case 'zrok':
    case 'ziti':
      throw unavailable(kind);
    case 'local':
      return { overlay: createLocalOverlay(options), chosenBecause: 'local was asked for' };
    // Once the zrok driver is here: zrok, if this user's zrok environment is enabled.
    case undefined:
      return { overlay: createLocalOverlay(options), chosenBecause: 'no overlay was named; local needs no account' };
    default:
      throw unavailable(String(kind));
  }
}

function unavailable(kind: string): OverlayError {
  return new OverlayError('overlay_unavailable', `the ${kind} overlay is not available in this version`, {
    hint: 'use --overlay local: programs of one user on one machine',
  });
}
