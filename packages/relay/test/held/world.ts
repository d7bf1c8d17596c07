// A small world for a model: an agent, a middle that can be killed at any moment and begins with nothing, and a host whose
// server remembers calls by key and counts what it runs and hears. Connections are memory, and no time has to pass.

import assert from 'node:assert/strict';
import {
  Acceptor,
  dialShare,
  LIMITS,
  type Message,
  notificationMessage,
  parseMessage,
  requestMessage,
  resultMessage,
  type SourceEvents,
  SteadySession,
  type Transport,
  withId,
} from '../../src/index.ts';
import { type Cut, duplexPair, type MemoryEnd, SESSION, settle } from '../link/support.ts';

const log = { debug: () => {}, info: () => {}, warn: () => {} };
const INIT = {
  protocolVersion: '2025-11-25',
  capabilities: { elicitation: {} },
  clientInfo: { name: 'c', version: '1' },
};
const ONCE = 3600;

type Connect = () => Promise<MemoryEnd>;

function steady(name: string, session: string, connect: Connect, numberCalls: boolean): SteadySession {
  return new SteadySession({
    name,
    open: (events: SourceEvents, signal: AbortSignal) =>
      dialShare({ name, connect, session, via: [], by: name, events, signal, log, backoff: { minMs: 0, maxMs: 0 } }),
    backoff: { next: () => 1, note: () => {} },
    waitMs: 60_000,
    startMs: 60_000,
    unavailable: 'share_unreachable',
    numberCalls,
    outlivesHosts: true,
  });
}

function acceptor(by: string, onSession: (transport: Transport) => void): Acceptor {
  return new Acceptor({
    by,
    log,
    limits: LIMITS,
    judge: () => ({ principal: { id: 'owner' } }),
    once: ONCE,
    lostServers: 'told',
    onSession: ({ transport }) => onSession(transport),
  });
}

interface Call {
  runs: number;
  outcome: string | undefined;
  askers: string[];
}

/** One legacy server, and beside it what remembers calls by their keys. */
export class Server {
  readonly sessions: Transport[] = [];
  readonly calls = new Map<number, Call>();
  readonly questions = new Map<string, string | undefined>();
  greeted = 0;
  initialized = 0;

  serve(transport: Transport): void {
    this.sessions.push(transport);
    transport.start({
      message: (message) => this.#hear(message),
      fault: () => assert.fail('a fault'),
      closed: () => {},
    });
  }

  finish(nth: number): void {
    const running = [...this.calls].filter(([, { outcome }]) => outcome === undefined);
    const [number, call] = running[nth % running.length] ?? [];
    if (number === undefined || call === undefined) return;
    call.outcome = `outcome ${number}`;
    for (const id of call.askers.splice(0)) this.#say(resultMessage(id, { text: call.outcome }));
  }

  ask(): void {
    if (this.initialized === 0) return;
    const id = `"q${this.questions.size}"`;
    this.questions.set(id, undefined);
    this.#say(requestMessage(id, 'elicitation/create', { message: id }));
  }

  #say(message: Message): void {
    this.sessions.at(-1)?.send(message);
  }

  #hear(message: Message): void {
    const { id = '', method, call } = message;
    const { params, result } = parseMessage(message) as { params?: { requestId?: unknown }; result?: { text: string } };
    if (message.kind === 'response') {
      assert.ok(this.questions.has(id) && this.questions.get(id) === undefined, `answered twice: ${id}`);
      this.questions.set(id, result?.text);
    } else if (method === 'initialize') {
      this.greeted += 1;
      this.#say(resultMessage(id, { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's' } }));
    } else if (method === 'notifications/initialized') {
      this.initialized += 1;
    } else if (method === 'tools/list') {
      this.#say(resultMessage(id, { tools: [] }));
    } else if (method === 'notifications/cancelled') {
      for (const { askers } of this.calls.values()) {
        const at = askers.indexOf(JSON.stringify(params?.requestId));
        if (at >= 0) askers.splice(at, 1);
      }
    } else if (method === 'tools/call') {
      this.#call(id, call);
    }
  }

  #call(id: string, number: number | undefined): void {
    assert.ok(number !== undefined, 'a call without its key');
    const known = this.calls.get(number);
    if (known?.outcome !== undefined) this.#say(resultMessage(id, { text: known.outcome }));
    else if (known) known.askers.push(id);
    else this.calls.set(number, { runs: 1, outcome: undefined, askers: [id] });
  }
}

/** Under ids of the middle's own, which count from the start in each of its lives: as a gateway's do. */
function join(client: Transport, server: Transport): void {
  const ids = new Map<string, string>();
  let next = 1;
  server.start({
    message: (message) => {
      const id = message.kind === 'response' ? ids.get(message.id ?? '') : undefined;
      if (message.kind !== 'response') client.send(message);
      else if (id !== undefined) client.send(withId(message, id));
    },
    fault: () => assert.fail('a fault'),
    closed: (reason) => void client.close(reason),
  });
  client.start({
    message: (message) => {
      const id = String(next);
      if (message.kind === 'request') {
        next += 1;
        ids.set(id, message.id ?? '');
      }
      server.send(message.kind === 'request' ? withId(message, id) : message);
    },
    fault: () => assert.fail('a fault'),
    closed: (reason) => void server.close(reason),
  });
}

/** A gateway in short: hands on what comes in, each session over a link of its own. */
class Middle {
  readonly #acceptor: Acceptor;
  readonly #sessions: SteadySession[] = [];
  readonly #ends: MemoryEnd[] = [];
  readonly #host: Acceptor;
  #dead = false;

  constructor(host: Acceptor) {
    this.#host = host;
    this.#acceptor = acceptor('middle', (client) => {
      const server = steady('host', 'd'.repeat(32), () => this.#dial(), false);
      this.#sessions.push(server);
      join(client, server);
    });
  }

  accept(end: MemoryEnd): void {
    this.#ends.push(end);
    this.#acceptor.accept(end);
  }

  get whole(): boolean {
    return this.#sessions.length > 0 && this.#sessions.every(({ state }) => state.phase === 'up');
  }

  cut(how: Cut['how'], side: 'agent' | 'host'): void {
    for (const end of this.#ends) if (this.#far.has(end) === (side === 'host')) end.die(how);
  }

  /** Nothing of it says another word. */
  async kill(how: Cut['how']): Promise<void> {
    this.#dead = true;
    for (const end of this.#ends) end.die(how);
    for (const end of this.#ends) end.silent = true;
    await Promise.all([...this.#sessions.map((session) => session.close()), this.#acceptor.close()]);
  }

  readonly #far = new Set<MemoryEnd>();

  async #dial(): Promise<MemoryEnd> {
    if (this.#dead) throw new Error('dead');
    const [near, far] = duplexPair();
    this.#ends.push(near);
    this.#far.add(near);
    this.#host.accept(far);
    return near;
  }
}

export class World implements AsyncDisposable {
  readonly server = new Server();
  /** Answers by request id. */
  readonly answers = new Map<string, Message[]>();
  readonly asked: string[] = [];
  /** What each call is to be answered. */
  readonly expected = new Map<string, string>();
  readonly pending = new Map<string, string>();
  readonly #host = acceptor('host', (transport) => this.server.serve(transport));
  readonly #agent: SteadySession;
  #middle: Middle | undefined;
  #next = 1;

  constructor() {
    this.#middle = new Middle(this.#host);
    this.#agent = steady('middle', SESSION, () => this.#dial(), true);
    this.#agent.start({
      message: (message) => this.#hear(message),
      fault: () => assert.fail('a fault'),
      closed: () => {},
    });
    this.#agent.send(requestMessage('0', 'initialize', INIT));
    this.asked.push('0');
  }

  request(method: 'tools/call' | 'tools/list'): void {
    const id = String(this.#next++);
    this.asked.push(id);
    if (method === 'tools/call') this.expected.set(id, `outcome ${this.expected.size + 1}`);
    this.#agent.send(requestMessage(id, method, { name: id }));
  }

  /** The agent answers one of the questions it sees. */
  answer(nth: number): void {
    const open = [...this.pending];
    const [id, text] = open[nth % open.length] ?? [];
    if (id === undefined || text === undefined) return;
    this.pending.delete(id);
    this.#agent.send(resultMessage(id, { text }));
  }

  cut(how: Cut['how'], side: 'agent' | 'host'): void {
    this.#middle?.cut(how, side);
  }

  async kill(how: Cut['how']): Promise<void> {
    const middle = this.#middle;
    this.#middle = undefined;
    await middle?.kill(how);
  }

  revive(): void {
    this.#middle ??= new Middle(this.#host);
  }

  /** The way to the server is there again, if anything is between. */
  async whole(): Promise<void> {
    const up = (): boolean => !this.#middle || (this.#agent.state.phase === 'up' && this.#middle.whole);
    while (!up()) await new Promise((resolve) => setTimeout(resolve, 1));
    await settle();
  }

  /** Everything that is open is brought to its end. */
  async finish(): Promise<void> {
    this.revive();
    const over = (): boolean =>
      this.server.initialized > 0 &&
      this.asked.every((id) => this.answers.has(id)) &&
      [...this.server.questions.values()].every((text) => text);
    for (let round = 0; round < 400 && !over(); round += 1) {
      this.server.finish(0);
      this.answer(0);
      await settle();
      if (round > 100) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // What comes too often comes now.
    await settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.close();
    await this.kill('end');
    await this.#host.close();
  }

  async #dial(): Promise<MemoryEnd> {
    if (!this.#middle) throw new Error('nobody there');
    const [near, far] = duplexPair();
    this.#middle.accept(far);
    return near;
  }

  #hear(message: Message): void {
    const id = message.id ?? '';
    const { params } = parseMessage(message) as { params?: { message?: string; requestId?: unknown } };
    if (id === '0' && message.kind === 'response') this.#agent.send(notificationMessage('notifications/initialized'));
    if (message.kind === 'response') this.answers.set(id, [...(this.answers.get(id) ?? []), message]);
    else if (message.kind === 'request') this.pending.set(id, params?.message ?? '');
    else if (message.method === 'notifications/cancelled') this.pending.delete(JSON.stringify(params?.requestId));
  }
}
