// The key that seals what modern calls are gone on with: kept with the share, so that a client may go on with a call after a
// restart. A share that ends with its host has one that does too.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { GatewayConfig } from '@mcp-overlay/config';
import { locked, type Overlay, readStateFile, stateFolder, writeStateFile } from '@mcp-overlay/overlay';

const KEY_BYTES = 32;

export interface StateKeyFrom {
  readonly config: Pick<GatewayConfig, 'share'>;
  readonly overlay: Pick<Overlay, 'kind'>;
  readonly env: NodeJS.ProcessEnv;
}

export async function openStateKey({ config, overlay, env }: StateKeyFrom): Promise<Buffer> {
  const { token } = config.share;
  if (token === undefined) return randomBytes(KEY_BYTES);
  const { tokens, run } = await stateFolder(env);
  const name = encodeURIComponent(`${overlay.kind}-${token}`);
  const path = join(tokens, `${name}.state.json`);
  return (
    (await readStateFile(path, keyIn)) ??
    // Several gateways may begin to host one share.
    locked(join(run, `${name}.state`), async () => {
      const known = await readStateFile(path, keyIn);
      if (known !== undefined) return known;
      const key = randomBytes(KEY_BYTES);
      await writeStateFile(path, { version: 1, key: key.toString('base64') });
      return key;
    })
  );
}

function keyIn(value: unknown): Buffer | undefined {
  const { version, key } = (value ?? {}) as { version?: unknown; key?: unknown };
  const bytes = version === 1 && typeof key === 'string' ? Buffer.from(key, 'base64') : undefined;
  return bytes?.length === KEY_BYTES ? bytes : undefined;
}
