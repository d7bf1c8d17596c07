// The admin socket of a running gateway: a Unix socket in a 0700 folder, one JSON request line, one JSON answer.

import { createInterface } from 'node:readline';
import { bindSocket, stateFolder } from '@mcp-overlay/overlay';
import type { Gateway } from '../gateway.ts';

export interface Admin {
  close(): Promise<void>;
}

export async function openAdmin(gateway: Gateway, env: NodeJS.ProcessEnv): Promise<Admin> {
  const folder = await stateFolder(env);
  return bindSocket(`${folder.admin}/${gateway.token}.sock`, (socket) => {
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket }).once('line', (line) => {
      socket.end(`${JSON.stringify(answer(line, gateway))}\n`);
    });
  });
}

function answer(line: string, gateway: Gateway): unknown {
  if (line === '{"command":"status"}') return { ok: gateway.status() };
  return { error: 'it does not know this command, so it is older than the program that asks' };
}
