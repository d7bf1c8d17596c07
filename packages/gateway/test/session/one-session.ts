// A client's session with a gateway over servers that the test plays by hand, all in memory.

import type { BackendConfig } from '@mcp-overlay/config';
import type { Principal } from '@mcp-overlay/overlay';
import {
  LIMITS,
  type Message,
  notificationMessage,
  parseMessage,
  requestMessage,
  resultMessage,
  type Transport,
} from '@mcp-overlay/relay';
import { type LinkedTransport, linkedTransports } from '@mcp-overlay/relay/testing';
import { HealthRecord } from '../../src/backend/health.ts';
import { accessOf } from '../../src/policy/access.ts';
import { callGauge } from '../../src/policy/limit.ts';
import { withoutRules } from '../../src/policy/no-rules.ts';
import { naming } from '../../src/routing/names.ts';
import { ClientSession } from '../../src/session/session.ts';
import type { SessionSettings } from '../../src/session/settings.ts';

type Json = Record<string, unknown>;
/** What a server answers; undefined: nothing. */
const OWNER_HERE = { id: 'owner', name: 'owner', proven: false, via: 'local', groups: [] } as const;

export type Play = (method: string, params: Json, server: PlayedServer) => Json | undefined;

export const CAPABILITIES = { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} };

/** One opening of a backend. */
export interface PlayedServer {
  readonly far: LinkedTransport;
  readonly got: Message[];
}

/** Plays an ordinary server, but for what `play` says otherwise. */
export interface PlayedBackend {
  readonly id: string;
  readonly servers: PlayedServer[];
  play: Play;
  /** Whether it can be started. */
  available: boolean;
}

export function playedBackend(id: string, play: Play = () => undefined): PlayedBackend {
  return { id, servers: [], play, available: true };
}

export function paramsIn(message: Message): Json {
  return ((parseMessage(message) as { params?: Json }).params ?? {}) as Json;
}

export function resultIn(message: Message): Json {
  return ((parseMessage(message) as { result?: Json }).result ?? {}) as Json;
}

const CONFIG = { name: '', transport: { type: 'stdio', command: '-', args: [], env: {}, envPass: [] } } as const;

/** `openings`: by id, backends that are opened otherwise than played. */
export function openSession(
  played: readonly PlayedBackend[],
  more: Partial<SessionSettings> = {},
  openings: Readonly<Record<string, () => Promise<Transport>>> = {},
  pair: readonly [Transport, Transport] = linkedTransports(),
  principal: Principal = OWNER_HERE,
) {
  const log = { debug: () => {}, info: () => {}, warn: () => {} };
  const configs = played.map(({ id }): BackendConfig => ({ ...CONFIG, id, disabled: false }));
  const filters = new Map(played.map(({ id }) => [id, () => 'all tools']));
  const settings: SessionSettings = {
    instance: 'here',
    backends: played.map((backend, at) => ({
      health: new HealthRecord(),
      backend: {
        id: backend.id,
        config: configs[at] as BackendConfig,
        serves: () => true,
        backoff: () => ({ next: () => 5, note: () => {}, state: () => ({ circuit: 'closed', attempts: 0 }) as const }),
        open: openings[backend.id] ?? (async () => openServer(backend)),
      },
    })),
    accessFor: (principal, session) => accessOf(withoutRules(), filters, principal, session),
    naming: naming(configs, '__'),
    own: { name: undefined, version: '1' },
    callTimeoutMs: 60_000,
    connectTimeoutMs: 60_000,
    listWaitMs: 100,
    limits: LIMITS,
    gauge: callGauge(),
    log,
    ...more,
  };
  const [client, near] = pair;
  const session = new ClientSession(
    near,
    { number: 1, handOn: '0'.repeat(32), via: [], principal, by: undefined },
    settings,
  );
  const inbox: Message[] = [];
  let wake: () => void = () => {};
  client.start({
    message: (message) => {
      inbox.push(message);
      wake();
    },
    fault: () => {},
    closed: () => {},
  });
  const until = async (fits: (message: Message) => boolean): Promise<Message> => {
    for (;;) {
      const at = inbox.findIndex(fits);
      if (at >= 0) return inbox.splice(at, 1)[0] as Message;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  let nextId = 0;
  // A session alone has no socket that keeps the test's process.
  const alive = setInterval(() => {}, 1000);
  const house = {
    session,
    settings,
    client,
    inbox,
    until,
    notified: (method: string) => until((message) => message.method === method),
    async ask(method: string, params: Json = {}): Promise<Message> {
      const id = String(nextId++);
      client.send(requestMessage(id, method, params));
      return until((message) => message.kind === 'response' && message.id === id);
    },
    async shakeHands(capabilities: Json = {}): Promise<Message> {
      const clientInfo = { name: 'test', version: '1' };
      const answer = await house.ask('initialize', { protocolVersion: '2025-11-25', capabilities, clientInfo });
      client.send(notificationMessage('notifications/initialized'));
      return answer;
    },
    async [Symbol.asyncDispose]() {
      await session.close();
      clearInterval(alive);
    },
  };
  return house;
}

function openServer(backend: PlayedBackend): LinkedTransport {
  if (!backend.available) throw new Error('it is away');
  const [near, far] = linkedTransports();
  const server: PlayedServer = { far, got: [] };
  backend.servers.push(server);
  far.start({
    message: (message) => {
      server.got.push(message);
      if (message.kind !== 'request') return;
      const method = message.method ?? '';
      const result = backend.play(method, paramsIn(message), server) ?? ordinary(method, backend.id);
      if (result !== SILENCE) far.send(resultMessage(message.id ?? '', result));
    },
    fault: () => {},
    closed: () => {},
  });
  return near;
}

/** As an answer: none ever comes. */
export const SILENCE: Json = {};

function ordinary(method: string, id: string): Json {
  const serverInfo = { name: id, version: '1' };
  if (method === 'initialize') return { protocolVersion: '2025-11-25', capabilities: CAPABILITIES, serverInfo };
  if (method === 'tools/list') return { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] };
  if (method === 'resources/list') return { resources: [] };
  return { content: [], by: id };
}
