// A local overlay in a fresh temporary home, gone with everything in it when disposed.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalOverlay } from '../local/driver.ts';
import type { Overlay } from '../overlay.ts';

export interface TempOverlay extends AsyncDisposable {
  readonly overlay: Overlay;
  /** Another object on the same network, as another process of the user has. */
  readonly other: Overlay;
  /** The state folder. */
  readonly home: string;
  /** With this, processes started by a test reach the same network. */
  readonly env: NodeJS.ProcessEnv;
}

export async function tempOverlay(): Promise<TempOverlay> {
  const folder = await mkdtemp(join(tmpdir(), 'overlay-test-'));
  const home = join(folder, 'home');
  const env = { ...process.env, MCP_OVERLAY_HOME: home };
  const overlay = createLocalOverlay({ env });
  const other = createLocalOverlay({ env });
  return {
    overlay,
    other,
    home,
    env,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([overlay.close(), other.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
