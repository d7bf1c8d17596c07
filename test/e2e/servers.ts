// Scripted servers and small fixtures as backends of a configuration.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type ServerScript, scriptedServer } from '@mcp-overlay/relay/testing';
import { type Backend, root } from './harness.ts';

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

export interface ForeignServer extends AsyncDisposable {
  readonly url: string;
}

/** The reference server over HTTP, on a loopback port of its own. */
export async function everythingOverHttp(mode: 'streamableHttp' | 'sse'): Promise<ForeignServer> {
  const entry = join(root, 'node_modules', '@modelcontextprotocol', 'server-everything', 'dist', 'index.js');
  const preload = new URL('../../packages/relay/test/transports/http/loopback-only.mjs', import.meta.url).href;
  const { PATH } = process.env;
  const child = spawn(process.execPath, ['--import', preload, entry, mode], {
    env: { PATH, PORT: '0' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  let port = '';
  for await (const text of createInterface({ input: child.stderr })) {
    port = /^loopback port (\d+)$/.exec(text)?.[1] ?? '';
    if (port !== '') break;
  }
  child.stderr.resume();
  return {
    url: `http://127.0.0.1:${port}${mode === 'sse' ? '/sse' : '/mcp'}`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
