// Reads a configuration and says on stderr what a person should know of it, before anything of it runs.

import { say } from '@mcp-overlay/cli';
import { describeBackends, type GatewayConfig, loadGatewayConfig } from '@mcp-overlay/config';

export async function loadConfig(path: string): Promise<GatewayConfig> {
  const { config, notes } = await loadGatewayConfig(path, { env: process.env, cwd: process.cwd() });
  for (const note of notes) say(`mcp-gateway: ${note.text}`);
  // A file made for another program: what it will run is shown, word for word.
  if (config.format !== 'ours') for (const line of describeBackends(config)) say(`mcp-gateway: will run ${line}`);
  return config;
}
