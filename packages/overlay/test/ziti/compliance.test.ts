// A plain OpenZiti network: one identity that may use every service, and an administrator who makes them.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestNetwork } from '@mcp-overlay/ziti/testing';
import { openOverlay } from '../../src/index.ts';
import { type OverlayUnderTest, overlayCompliance } from '../../src/testing/index.ts';

/** Two hops, each with the buffers of two sockets that grow to 6 MiB, and our own. */
const maxBytesInFlight = 32 * 1024 * 1024;

const network = async (): Promise<OverlayUnderTest> => {
  const folder = await mkdtemp(join(tmpdir(), 'ziti-house-'));
  const net = await startTestNetwork();
  const identity = await net.identityFile(net.addIdentity('me'));
  const env = { ...process.env, HOME: folder, MCP_OVERLAY_HOME: join(folder, 'state'), MCP_OVERLAY_IDENTITY: identity };
  const [{ overlay }, { overlay: other }] = await Promise.all([
    openOverlay({ env, kind: 'ziti' }),
    openOverlay({ env, kind: 'ziti' }),
  ]);
  return {
    overlay,
    other,
    env,
    administrator: {
      make: async (token) => void net.addService(token),
      remove: async (token) => net.removeService(token),
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([overlay.close(), other.close()]);
      await net.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
};

overlayCompliance('ziti', network, { maxBytesInFlight, makesShares: false });
