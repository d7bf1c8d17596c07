// Scripted servers and small fixtures as backends of a configuration.

import { fileURLToPath } from 'node:url';
import { type ServerScript, scriptedServer } from '@mcp-overlay/relay/testing';
import type { Backend } from './harness.ts';

/** A stdio backend around a scripted server. */
export function stdioBackend(id: string, script: ServerScript = {}, more: Record<string, unknown> = {}): Backend {
  return commandBackend(id, scriptedServer({ name: id, ...script }), more);
}

export function commandBackend(
  id: string,
  { command, args }: { readonly command: string; readonly args: readonly string[] },
  more: Record<string, unknown> = {},
): Backend {
  return { id, transport: { type: 'stdio', command, args: [...args] }, ...more };
}

export function shareBackend(id: string, token: string, more: Record<string, unknown> = {}): Backend {
  return { id, transport: { type: 'share', share_token: token }, ...more };
}

export function fixture(name: string, ...args: readonly string[]): { command: string; args: string[] } {
  return { command: process.execPath, args: [fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url)), ...args] };
}
