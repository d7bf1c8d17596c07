// Reads a configuration and says on stderr what a person should know of it, before anything of it runs.

import { say } from '@mcp-overlay/cli';
import { describeBackends, type GatewayConfig, loadGatewayConfig } from '@mcp-overlay/config';

export async function loadConfig(path: string): Promise<GatewayConfig> {
  const { config, notes } = await loadGatewayConfig(path, { env: process.env, cwd: process.cwd() });
  for (const note of notes) say(`mcp-gateway: ${note.text}`);
  // A file made for another program: what it will run is shown, word for word.
  if (config.format === 'ours') return config;
  const used = config.backends.filter((backend) => !backend.disabled);
  for (const [at, line] of describeBackends({ ...config, backends: used }).entries()) {
    const { type } = used[at]?.transport ?? {};
    say(`mcp-gateway: will ${type === 'stdio' ? 'run' : 'connect to'} ${line}`);
  }
  return config;
}
