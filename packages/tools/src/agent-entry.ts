// The entry a person pastes into an agent's configuration. It works from any folder and in an empty environment: absolute
// paths, the overlay named, the state folder named where nobody would look for it.

import { join, resolve } from 'node:path';
import { systemUser } from '@mcp-overlay/overlay';

export interface AgentEntryOptions {
  readonly token: string;
  readonly overlay: string;
  readonly identity?: string | undefined;
  readonly trust?: readonly string[] | undefined;
  /** Path of the program that is to be started; default: this one. */
  readonly program?: string;
  /** Path of the state folder in use. */
  readonly stateFolder: string;
}

export function agentEntry({
  token,
  overlay,
  identity,
  trust = [],
  stateFolder,
  program = process.argv[1] ?? '',
}: AgentEntryOptions): string {
  // Where our programs look when an agent starts them with nothing, not even HOME.
  const { home } = systemUser();
  const found = home === undefined ? undefined : join(home, '.mcp-overlay');
  const proofs = [
    ...(identity === undefined ? [] : ['--identity', resolve(identity)]),
    ...trust.flatMap((file) => ['--trust', resolve(file)]),
  ];
  const entry = {
    command: process.execPath,
    args: [resolve(program), 'run', token, '--overlay', overlay, ...proofs],
    ...(stateFolder === found ? {} : { env: { MCP_OVERLAY_HOME: stateFolder } }),
  };
  return JSON.stringify({ mcpServers: { [token]: entry } }, null, 2);
}
