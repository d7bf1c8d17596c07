// The entry a person pastes into an agent's configuration. It works from any folder and in an empty environment: absolute
// paths, the overlay named, the state folder named where nobody would look for it.

import { join, resolve } from 'node:path';
import { systemUser } from '@mcp-overlay/overlay';

export interface AgentEntryOptions {
  readonly token: string;
  readonly overlay: string;
  readonly identity?: string | undefined;
  /** Files, each perhaps behind `spiffe://domain=`. */
  readonly trust?: readonly string[] | undefined;
  /** References. */
  readonly access?: string | undefined;
  readonly accessKey?: string | undefined;
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
  access,
  accessKey,
  stateFolder,
  program = process.argv[1] ?? '',
}: AgentEntryOptions): string {
  // Where our programs look when an agent starts them with nothing, not even HOME.
  const { home } = systemUser();
  const found = home === undefined ? undefined : join(home, '.mcp-overlay');
  const proofs = [
    ...(identity === undefined ? [] : ['--identity', resolve(identity)]),
    ...trust.flatMap((file) => ['--trust', absolute(file, SPIFFE)]),
    ...(access === undefined ? [] : ['--access', absolute(access, FILE)]),
    ...(accessKey === undefined ? [] : ['--access-key', absolute(accessKey, FILE)]),
  ];
  const entry = {
    command: process.execPath,
    args: [resolve(program), 'run', token, '--overlay', overlay, ...proofs],
    ...(stateFolder === found ? {} : { env: { MCP_OVERLAY_HOME: stateFolder } }),
  };
  return JSON.stringify({ mcpServers: { [token]: entry } }, null, 2);
}

const SPIFFE = /^(spiffe:\/\/[^=]*=|)(.+)$/s;
/** Other references name no file, or one that is found from anywhere. */
const FILE = /^(file:)(?!~)(.+)$/s;

/** With the path in it made absolute. */
function absolute(text: string, form: RegExp): string {
  const [, before, path] = form.exec(text) ?? [];
  return before === undefined || path === undefined ? text : `${before}${resolve(path)}`;
}
