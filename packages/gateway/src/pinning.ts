// From the configuration's `pins` to its lock file: beside the configuration where that says `pins`, else in the state folder,
// so that no file appears where nobody asked for one.

import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import type { GatewayConfig } from '@mcp-overlay/config';
import { stateFolder } from '@mcp-overlay/overlay';
import type { GatewayLog } from './call/log.ts';
import { openPins, type PinEvent, type Pins } from './pins/open.ts';

export const LOCK_NAME = 'mcp-gateway.lock';

export interface ConfiguredPinsOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly log: GatewayLog;
  news?(event: PinEvent): void;
  /** false: the file stays as it is. */
  readonly keep?: boolean;
}

/** undefined: nothing is pinned. Rejects with a PinError. */
export async function openConfiguredPins(
  config: GatewayConfig,
  options: ConfiguredPinsOptions,
): Promise<Pins | undefined> {
  const backends = config.backends.filter(({ disabled }) => !disabled);
  const mode = config.pins?.mode ?? 'first-use';
  if (backends.every(({ pins = mode }) => pins === 'off')) return undefined;
  return openPins({ ...options, file: await lockFileOf(config, options.env), config: config.pins, backends });
}

export async function lockFileOf(config: GatewayConfig, env: NodeJS.ProcessEnv): Promise<string> {
  if (config.pins?.file !== undefined) return config.pins.file;
  if (config.pins || config.backends.some(({ pins }) => pins !== undefined)) {
    return join(dirname(config.file), LOCK_NAME);
  }
  const mark = createHash('sha256').update(config.file).digest('hex').slice(0, 12);
  return join((await stateFolder(env)).pins, `${basename(config.file).slice(0, 60)}-${mark}.lock`);
}
