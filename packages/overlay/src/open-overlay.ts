// From a name (or none) to an overlay. `local` is the only network so far; the others are named, and say so.

import { OverlayError } from './errors.ts';
import { createLocalOverlay, type LocalOverlayOptions } from './local/driver.ts';
import type { Overlay, OverlayKind } from './overlay.ts';
import { proofsFromFiles } from './proof/settings.ts';

export interface OpenOverlayOptions extends Omit<LocalOverlayOptions, 'proofs'> {
  readonly env: NodeJS.ProcessEnv;
  /** What the user or the configuration names. */
  readonly kind?: OverlayKind | undefined;
  /** File with certificate and key: who we are. */
  readonly identity?: string | undefined;
  /** Files with CA certificates and their revocation lists: whose proofs are believed. */
  readonly trust?: readonly string[] | undefined;
}

export interface OpenedOverlay {
  readonly overlay: Overlay;
  /** For stderr: which one it is, and why. */
  readonly chosenBecause: string;
}

/** Rejects `overlay_unavailable`, `identity_invalid`, `trust_invalid`. */
export async function openOverlay(options: OpenOverlayOptions): Promise<OpenedOverlay> {
  const { kind } = options;
  switch (kind) {
    case 'zrok':
    case 'ziti':
      throw unavailable(kind);
    case 'local':
      return { overlay: await local(options), chosenBecause: 'local was asked for' };
    // Once the zrok driver is here: zrok, if this user's zrok environment is enabled.
    case undefined:
      return { overlay: await local(options), chosenBecause: 'no overlay was named; local needs no account' };
    default:
      throw unavailable(String(kind));
  }
}

async function local({ identity, trust = [], ...options }: OpenOverlayOptions): Promise<Overlay> {
  const proofs = await proofsFromFiles({ network: 'local', identity, trust, log: options.log });
  return createLocalOverlay({ ...options, proofs });
}

function unavailable(kind: string): OverlayError {
  return new OverlayError('overlay_unavailable', `the ${kind} overlay is not available in this version`, {
    hint: 'use --overlay local: programs of one user on one machine',
  });
}
