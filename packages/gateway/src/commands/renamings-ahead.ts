// What a file that is checked would change for clients of a gateway that runs with that very file: names they know.

import { displaySafe } from '@mcp-overlay/cli';
import type { GatewayConfig } from '@mcp-overlay/config';
import { askEach } from '../admin/client.ts';
import { type Prefixes, prefixesOf, renamings } from '../reload/changes.ts';
import type { GatewayStatus } from '../status.ts';

export async function renamingsAhead(config: GatewayConfig, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const running = (await askEach('status', env)) as readonly Partial<GatewayStatus>[];
  return running.flatMap(({ share, config: theirs }) => {
    if (theirs?.file !== config.file) return [];
    const before: Prefixes = theirs.prefixes ?? {};
    return renamings(before, prefixesOf(config)).map((line) => displaySafe(`for clients of ${share} ${line}`));
  });
}
