// From a name (or none) to an overlay. `zrok` and `ziti` are loaded when they are used: the OpenZiti client and its encryption
// would cost `local` a part of its start.

import { OverlayError } from './errors.ts';
import { createLocalOverlay } from './local/driver.ts';
import type { OverlayLog } from './log.ts';
import type { Overlay, OverlayKind } from './overlay.ts';
import { proofsFromFiles } from './proof/settings.ts';
import { readZrokRoot, requireEnabled, type ZrokEnvironment } from './zrok/environment.ts';

export interface OpenOverlayOptions {
  /** MCP_OVERLAY_HOME, HOME, MCP_OVERLAY_IDENTITY and ZROK2_API_ENDPOINT are read. */
  readonly env: NodeJS.ProcessEnv;
  /** What the user or the configuration names. */
  readonly kind?: OverlayKind | undefined;
  /** Who we are: the name of an OpenZiti identity file, for `ziti` (default: MCP_OVERLAY_IDENTITY); for `local` one of these,
   *  or PEM with a certificate and its key. */
  readonly identity?: string | undefined;
  /** Files with CA certificates and their revocation lists: whose proofs are believed besides those of the network. */
  readonly trust?: readonly string[] | undefined;
  /** A share that will be dialled at once: the way there is begun while the rest is loaded. What is wrong with it the dial says. */
  readonly dialSoon?: string | undefined;
  readonly log?: OverlayLog | undefined;
  /** Stands in for the user's home. */
  readonly homeDir?: string;
}

export interface OpenedOverlay {
  readonly overlay: Overlay;
  /** For stderr: which one it is, and why. */
  readonly chosenBecause: string;
}

/** Rejects `overlay_unavailable`, `not_enabled`, `zrok_files_invalid`, `identity_invalid`, `trust_invalid`, `state_folder_unsafe`. */
export async function openOverlay(options: OpenOverlayOptions): Promise<OpenedOverlay> {
  const { kind, env, homeDir } = options;
  switch (kind) {
    case 'local':
      return { overlay: await local(options), chosenBecause: 'local was asked for' };
    case 'zrok':
      return {
        overlay: await zrok(options, requireEnabled(await readZrokRoot(env, homeDir))),
        chosenBecause: 'zrok was asked for',
      };
    case 'ziti':
      return { overlay: await ziti(options), chosenBecause: 'ziti was asked for' };
    case undefined: {
      const { environment, path } = await readZrokRoot(env, homeDir);
      if (!environment)
        return { overlay: await local(options), chosenBecause: 'no overlay was named; local needs no account' };
      const chosenBecause = `no overlay was named; a zrok environment is enabled in ${path}`;
      return { overlay: await zrok(options, environment), chosenBecause };
    }
    default:
      throw new OverlayError('overlay_unavailable', `there is no overlay ${String(kind)}`, {
        hint: 'one of local, zrok, ziti',
      });
  }
}

/** Which network that would be, as proofs and tokens name it, without joining it. */
export async function networkNow({ kind, env, homeDir }: OpenOverlayOptions): Promise<'local' | 'ziti'> {
  const chosen = kind ?? ((await readZrokRoot(env, homeDir)).environment ? 'zrok' : 'local');
  return chosen === 'local' ? 'local' : 'ziti';
}

async function local({ env, homeDir, log, identity, trust = [] }: OpenOverlayOptions): Promise<Overlay> {
  const proofs = await proofsFromFiles({ network: 'local', identity, trust, log });
  return createLocalOverlay({ env, proofs, ...(homeDir === undefined ? {} : { homeDir }), ...(log ? { log } : {}) });
}

async function zrok(options: OpenOverlayOptions, environment: ZrokEnvironment): Promise<Overlay> {
  const { createZrokOverlay } = await import('./zrok/driver.ts');
  return createZrokOverlay({ ...options, environment });
}

async function ziti(options: OpenOverlayOptions): Promise<Overlay> {
  const identityFile = options.identity ?? options.env.MCP_OVERLAY_IDENTITY;
  if (!identityFile) {
    throw new OverlayError('identity_invalid', 'the ziti overlay needs an identity file, and none is named', {
      hint: '--identity FILE, or MCP_OVERLAY_IDENTITY=FILE; mcp-tools enroll FILE.jwt -o identity.json makes one',
    });
  }
  const { createZitiOverlay } = await import('./ziti/driver.ts');
  return createZitiOverlay({ ...options, identityFile });
}
