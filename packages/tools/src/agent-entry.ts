// The entry a person pastes into an agent's configuration. It works from any folder and in an empty environment: absolute
// paths, the overlay named, the state folder named where it is not the default.

import { fileURLToPath } from 'node:url';

export function agentEntry(token: string, overlay: string, env: NodeJS.ProcessEnv): string {
  const program = process.argv[1] ?? fileURLToPath(import.meta.url);
  const home = env.MCP_OVERLAY_HOME;
  const entry = {
    command: process.execPath,
    args: [program, 'run', token, '--overlay', overlay],
    ...(home === undefined ? {} : { env: { MCP_OVERLAY_HOME: home } }),
  };
  return JSON.stringify({ mcpServers: { [token]: entry } }, null, 2);
}
