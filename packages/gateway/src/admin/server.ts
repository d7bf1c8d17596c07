// The admin socket of a running gateway: a Unix socket in a 0700 folder, one JSON request line, one JSON answer.

import type { Socket } from 'node:net';
import { type BoundSocket, bindSocket, stateFolder } from '@mcp-overlay/overlay';
import type { Decision } from '../approvals.ts';
import type { Gateway } from '../gateway.ts';
import type { PinList } from '../pins/pin-book.ts';
import type { MintRequest } from '../tokens.ts';
import { type Conversation, conversation, type Request } from './conversation.ts';
import { type AdminPlace, drain, handOver } from './hand-over.ts';

export interface Admin {
  close(): Promise<void>;
}

/** `takeOver`: a gateway that agreed to it has the socket now. */
export async function openAdmin(gateway: Gateway, env: NodeJS.ProcessEnv, takeOver = false): Promise<Admin> {
  const { admin } = await stateFolder(env);
  const onSocket = (socket: Socket): void => void serve(conversation(socket), gateway, place);
  let bound = await bindSocket(`${admin}/${gateway.token}.sock`, onSocket, { takeOver });
  const before: BoundSocket[] = [];
  const place: AdminPlace = {
    yield: () => bound.yield(),
    moveAside: async () => {
      before.push(bound);
      bound = await bindSocket(`${admin}/${gateway.token}.${process.pid}.sock`, onSocket);
    },
  };
  return {
    close: async () => {
      await Promise.all([...before, bound].map((one) => one.close()));
    },
  };
}

/** One command for each connection; some go on from there. */
async function serve(talk: Conversation, gateway: Gateway, place: AdminPlace): Promise<void> {
  const request = await talk.next();
  if (!request) return;
  try {
    // Not every JSON object becomes a text.
    const command = asText(request.command) ?? '';
    if (command === 'hand over') await handOver(gateway.succession, place, request, talk);
    else if (command === 'drain') await drain(gateway.succession, request, talk);
    else talk.say(await answer(command, request, gateway));
  } catch (error) {
    talk.say(failed(error));
  }
  talk.end();
}

/** What a command can do, by its name. */
const COMMANDS: Readonly<Record<string, (gateway: Gateway, request: Request) => unknown>> = {
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

/** What changes something that a successor reads when it begins. */
const ORDERS: ReadonlySet<string> = new Set([
  'peers allow',
  'peers deny',
  'alarms silence',
  'alarms unsilence',
  'pins decide',
  'token mint',
  'token revoke',
]);

async function answer(command: string, request: Request, gateway: Gateway): Promise<unknown> {
  const run = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (!run) return { error: 'it does not know this command, so it is older than the program that asks' };
  if (ORDERS.has(command)) gateway.succession.refuseOrders();
  return { ok: (await run(gateway, request)) ?? null };
}

function failed(error: unknown): unknown {
  const { code } = error as { code?: unknown };
  return { failed: { code, message: error instanceof Error ? error.message : String(error) } };
}

/** What a restriction says is checked where the token is made. */
function mintRequest({ name, roles, only, ttlMs, holder }: Request): MintRequest {
  return {
    name: asText(name),
    holder: asText(holder),
    ...(Array.isArray(roles) && { roles: roles.map(String) }),
    ...(typeof only === 'object' && only !== null && { only }),
    ...(typeof ttlMs === 'number' && { ttlMs }),
  };
}

function decisionOf({ backend, list, name, hash, state }: Request): Decision {
  const [words, decided] = [{ backend: String(backend), name: String(name), hash: String(hash) }, String(state)];
  return { ...words, list: list as PinList, state: decided === 'approved' ? 'approved' : 'denied' };
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
