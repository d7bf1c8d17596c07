// The one suite that every driver runs: the promises of ../overlay.ts, each as a test. A driver calls `overlayCompliance`
// from a test file with a factory that gives each test a network of its own.

import { describe } from 'node:test';
import type { Overlay } from '../overlay.ts';
import { faultRules } from './compliance/faults.ts';
import { makingRules } from './compliance/making.ts';
import { refusingRules } from './compliance/refusing.ts';
import { shareRules } from './compliance/shares.ts';
import { streamRules } from './compliance/streams.ts';
import { successionRules } from './compliance/succession.ts';

export interface OverlayUnderTest extends AsyncDisposable {
  readonly overlay: Overlay;
  /** Another object on the same network, as another process of the user has. */
  readonly other: Overlay;
  /** `openOverlay({ kind: overlay.kind, env })` in another process reaches the same network. */
  readonly env: NodeJS.ProcessEnv;
  /** Who makes and removes shares where the overlay's user may not. Without it the overlay does both. */
  readonly administrator?: ShareAdministrator;
}

export interface ShareAdministrator {
  make(token: string): Promise<void>;
  remove(token: string): Promise<void>;
}

export interface OverlayTraits {
  /** Whether connections have a binding. Default true. */
  readonly bindings?: boolean;
  /** Bytes that a stopped reader may let its writer put on the way. Default 8 MiB. */
  readonly maxBytesInFlight?: number;
  /** Whether its user makes shares. If not, the rules of making hold for nobody: it must refuse, and say who can. Default true. */
  readonly makesShares?: boolean;
  /** While a share is taken over no dial fails, not even one that is on its way. Default false. */
  readonly gapless?: boolean;
}

export type OverlayFactory = () => Promise<OverlayUnderTest>;

export function overlayCompliance(name: string, factory: OverlayFactory, traits: OverlayTraits = {}): void {
  const { bindings = true, maxBytesInFlight = 8 * 1024 * 1024, makesShares = true, gapless = false } = traits;
  describe(`the ${name} overlay keeps the contract`, () => {
    streamRules(factory, { bindings, maxBytesInFlight });
    shareRules(factory);
    faultRules(factory);
    successionRules(factory, { gapless });
    if (makesShares) makingRules(factory);
    else refusingRules(factory);
  });
}
