// The admin socket of a running gateway: a Unix socket in a 0700 folder, one JSON request line, one JSON answer.

import { createInterface } from 'node:readline';
import { withoutSecrets } from '@mcp-overlay/cli';
import { bindSocket, stateFolder } from '@mcp-overlay/overlay';
import type { Decision } from '../approvals.ts';
import type { Gateway } from '../gateway.ts';
import type { PinList } from '../pins/pin-book.ts';
import type { MintRequest } from '../tokens.ts';

export interface Admin {
  close(): Promise<void>;
}

export async function openAdmin(gateway: Gateway, env: NodeJS.ProcessEnv): Promise<Admin> {
  const folder = await stateFolder(env);
  return bindSocket(`${folder.admin}/${gateway.token}.sock`, (socket) => {
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket }).once('line', (line) => {
      void answer(line, gateway).then((text) => socket.end(`${withoutSecrets(JSON.stringify(text))}\n`));
    });
  });
}

/** What a command can do, by its name. */
const COMMANDS: Readonly<Record<string, (gateway: Gateway, request: Readonly<Record<string, unknown>>) => unknown>> = {
  status: (gateway) => gateway.status(),
  reload: (gateway, { plan }) => gateway.reloads.reload('command', { plan: plan === true }),
  peers: (gateway) => gateway.peers.list(),
  'peers allow': (gateway, { id, name, role }) =>
    gateway.peers.allow(String(id), { name: asText(name), role: asText(role) }),
  'peers deny': (gateway, { id }) => gateway.peers.deny(String(id)),
  alarms: (gateway) => gateway.alarms.list(),
  'alarms silence': (gateway, { what, ident, forMs }) =>
    gateway.alarms.silence(String(what), asText(ident), Number(forMs)),
  'alarms unsilence': (gateway, { what, ident }) => gateway.alarms.unsilence(String(what), asText(ident)),
  pins: (gateway) => gateway.approvals.waiting(),
  'pins all': (gateway) => gateway.approvals.all(),
  'pins decide': (gateway, request) => gateway.approvals.decide(decisionOf(request)),
  'token mint': (gateway, request) => gateway.tokens(asText(request.view)).mint(mintRequest(request)),
  'token list': (gateway, { view }) => gateway.tokens(asText(view)).list(),
  'token revoke': (gateway, { id }) => gateway.tokens(undefined).revoke(String(id)),
};

async function answer(line: string, gateway: Gateway): Promise<unknown> {
  const request = requestOf(line);
  const command = String(request.command);
  const run = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (!run) return { error: 'it does not know this command, so it is older than the program that asks' };
  try {
    return { ok: (await run(gateway, request)) ?? null };
  } catch (error) {
    const { code } = error as { code?: unknown };
    return { failed: { code, message: error instanceof Error ? error.message : String(error) } };
  }
}

function requestOf(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** What a restriction says is checked where the token is made. */
function mintRequest({ name, roles, only, ttlMs, holder }: Readonly<Record<string, unknown>>): MintRequest {
  return {
    name: asText(name),
    holder: asText(holder),
    ...(Array.isArray(roles) && { roles: roles.map(String) }),
    ...(typeof only === 'object' && only !== null && { only }),
    ...(typeof ttlMs === 'number' && { ttlMs }),
  };
}

function decisionOf({ backend, list, name, hash, state }: Readonly<Record<string, unknown>>): Decision {
  const [words, decided] = [{ backend: String(backend), name: String(name), hash: String(hash) }, String(state)];
  return { ...words, list: list as PinList, state: decided === 'approved' ? 'approved' : 'denied' };
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
