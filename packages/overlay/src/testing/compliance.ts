// The one suite that every driver runs: the promises of ../overlay.ts, each as a test. A driver calls `overlayCompliance`
// from a test file with a factory that gives each test a network of its own.

import { describe } from 'node:test';
import type { Overlay } from '../overlay.ts';
import { faultRules } from './compliance/faults.ts';
import { shareRules } from './compliance/shares.ts';
import { streamRules } from './compliance/streams.ts';

export interface OverlayUnderTest extends AsyncDisposable {
  readonly overlay: Overlay;
  /** Another object on the same network, as another process of the user has. */
  readonly other: Overlay;
  /** `openOverlay({ kind: overlay.kind, env })` in another process reaches the same network. */
  readonly env: NodeJS.ProcessEnv;
}

export interface OverlayTraits {
  /** Whether connections have a binding. Default true. */
  readonly bindings?: boolean;
  /** Bytes that a stopped reader may let its writer put on the way. Default 8 MiB. */
  readonly maxBytesInFlight?: number;
}

export type OverlayFactory = () => Promise<OverlayUnderTest>;

export function overlayCompliance(name: string, factory: OverlayFactory, traits: OverlayTraits = {}): void {
  const { bindings = true, maxBytesInFlight = 8 * 1024 * 1024 } = traits;
  describe(`the ${name} overlay keeps the contract`, () => {
    streamRules(factory, { bindings, maxBytesInFlight });
    shareRules(factory);
    faultRules(factory);
  });
}
