// Servers and clients of both eras, played by hand and in memory, for tests of what stands between them.

import { LATEST_MODERN_VERSION, META } from '../../src/eras/envelope.ts';
import type { EraWay } from '../../src/eras/server-eras.ts';
import { parseMessage, rawId, toMessage } from '../../src/json-rpc.ts';
import type { Message } from '../../src/message.ts';
import { SteadySession } from '../../src/steady/steady.ts';
import { type LinkedTransport, linkedTransports } from '../../src/testing/linked.ts';
import type { Transport } from '../../src/transport.ts';
import { createBackoff } from '../../src/transports/child/backoff.ts';
import { line, Recorder } from '../transports/http/harness.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
export type Json = any;

/** What a server answers: a result, `{ error }`, or undefined for nothing yet. */
export type Play = (method: string, params: Json, server: PlayedServer, id: string) => Json;

/** One life of a server: what came, and a hand to say more. */
export class PlayedServer {
  readonly near: Transport;
  readonly far: LinkedTransport;
  readonly got: Json[] = [];
  #waiting: (() => void)[] = [];
  #asked = 0;
  #closed: (reason?: unknown) => void = () => {};
  readonly #answers = new Map<string, (answer: Json) => void>();

  constructor(play: Play) {
    const [near, far] = linkedTransports();
    this.near = near;
    this.far = far;
    far.start({
      message: (message) => this.#take(message, play),
      fault: () => {},
      closed: () => this.#closed(),
    });
  }

  /** Its client let go of it. */
  onClosed(told: (reason?: unknown) => void): void {
    this.#closed = told;
  }

  notify(method: string, params?: unknown): void {
    this.far.send(line({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) }));
  }

  answer(id: string, result: unknown): void {
    this.far.send(toMessage({ jsonrpc: '2.0', id: rawId(id), result }));
  }

  /** Asks the client; resolves with its whole answer. */
  ask(method: string, params: unknown): Promise<Json> {
    this.#asked += 1;
    const id = `s${this.#asked}`;
    this.far.send(line({ jsonrpc: '2.0', id, method, params }));
    return new Promise((resolve) => this.#answers.set(id, resolve));
  }

  async until(fits: (message: Json) => boolean): Promise<Json> {
    for (;;) {
      const found = this.got.find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #take(message: Message, play: Play): void {
    const value = parseMessage(message) as Json;
    this.got.push(value);
    for (const wake of this.#waiting.splice(0)) wake();
    if (message.kind === 'response') {
      this.#answers.get(value.id)?.(value);
    } else if (message.kind === 'request') {
      const said = play(message.method ?? '', value.params ?? {}, this, message.id ?? '');
      if (said === undefined) return;
      const body = said.error === undefined ? { result: said } : { error: said.error };
      this.far.send(toMessage({ jsonrpc: '2.0', id: rawId(message.id ?? ''), ...body }));
    }
  }
}

/** Every opening of one server. */
export class PlayedHost {
  readonly lives: PlayedServer[] = [];
  play: Play;

  constructor(play: Play) {
    this.play = play;
  }

  get last(): PlayedServer {
    return this.lives.at(-1) as PlayedServer;
  }

  /** Resolves when it was opened so often. */
  async waitFor(lives: number): Promise<void> {
    while (this.lives.length < lives) await new Promise((resolve) => setImmediate(resolve));
  }

  readonly open = async (): Promise<Transport> => {
    const server = new PlayedServer((...said) => this.play(...said));
    this.lives.push(server);
    return server.near;
  };

  way(principal = 'owner'): EraWay {
    return { open: this.open, steady: (open) => steadyOn(open), principal };
  }
}

export function steadyOn(open: ConstructorParameters<typeof SteadySession>[0]['open']): SteadySession {
  return new SteadySession({
    name: 'server',
    open,
    backoff: createBackoff({ clock: () => performance.now(), random: () => 0, minMs: 1 }),
    waitMs: 10_000,
    startMs: 10_000,
    unavailable: 'backend_unavailable',
  });
}

export const NOWHERE = {
  events: { suspended: () => {}, resumed: () => {}, renewed: () => {} },
  signal: new AbortController().signal,
};

/** A client at a transport: asks under ids of its own and sees all that comes. */
export class PlayedClient extends Recorder {
  #next = 100;

  ask(method: string, params: Json = {}, id: string | number = this.#next++): Promise<Json> {
    this.send({ jsonrpc: '2.0', id, method, params });
    return this.answer(id);
  }

  notices(method: string): Json[] {
    return this.messages.filter((message) => message.method === method).map((message) => parseMessage(message));
  }

  reply(id: string | number, result: unknown): void {
    this.send({ jsonrpc: '2.0', id, result });
  }
}

export function modernMeta(capabilities: Json = {}, more: Json = {}): Json {
  return {
    [META.version]: LATEST_MODERN_VERSION,
    [META.clientInfo]: { name: 'test', version: '1' },
    [META.clientCapabilities]: capabilities,
    ...more,
  };
}

/** An ordinary server of one era; `more` comes first. */
export function legacyServer(more: Play = () => undefined, capabilities: Json = { tools: {}, logging: {} }): Play {
  return (method, params, server, id) => {
    const own = more(method, params, server, id);
    if (own !== undefined) return own === SILENT ? undefined : own;
    const serverInfo = { name: 'old', version: '1' };
    if (method === 'initialize') return { protocolVersion: '2025-11-25', capabilities, serverInfo };
    if (method === 'tools/list') return { tools: [] };
    if (/^(logging|resources)\/(setLevel|subscribe|unsubscribe)$/.test(method)) return {};
    if (method === 'tools/call') return { content: [], echo: params };
    return { error: { code: -32601, message: 'no such method' } };
  };
}

export function modernServer(more: Play = () => undefined, capabilities: Json = { tools: {}, logging: {} }): Play {
  return (method, params, server, id) => {
    const own = more(method, params, server, id);
    if (own !== undefined) return own === SILENT ? undefined : own;
    const _meta = { [META.serverInfo]: { name: 'new', version: '2' } };
    const complete = { resultType: 'complete' };
    if (method === 'server/discover') {
      return { ...complete, supportedVersions: ['2026-07-28'], capabilities, _meta, ttlMs: 5, cacheScope: 'public' };
    }
    if (method === 'tools/list') return { ...complete, tools: [], ttlMs: 5, cacheScope: 'public' };
    if (method === 'tools/call') return { ...complete, content: [], echo: params };
    return { error: { code: -32601, message: 'Method not found' } };
  };
}

export const SILENT = Symbol('no answer') as Json;
