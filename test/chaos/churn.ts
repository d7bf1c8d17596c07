// Sessions that are opened, used once and closed, one after the other and some side by side, over links and bare lines; and what
// the gateway holds before and after: descriptors, what keeps its event loop alive, heap after garbage collection.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { House } from '../e2e/harness.ts';
import { commandBackend } from '../e2e/servers.ts';
import { type HeapSample, probed, sample } from './heap.ts';
import { kindsOf } from './leftovers.ts';

const SIDE_BY_SIDE = 8;
const SETTLE_MS = 20_000;

export interface Held {
  readonly heap: number;
  readonly resources: Readonly<Record<string, number>>;
  readonly descriptors: Readonly<Record<string, number>>;
}

/** What is remembered of sessions has its bounds, and is not full before `warmUp` of them. */
export async function churn(
  sessions: number,
  warmUp: number,
): Promise<{ readonly before: Held; readonly after: Held }> {
  await using house = await House.open();
  const heapFile = join(house.home, 'heap.jsonl');
  // One server for all: what is counted here are sessions.
  const backend = commandBackend('one', scriptedServer({ tools: ['echo'] }), { shared: true });
  const config = await house.config([backend], { audit: { path: './audit', durability: 'os' } });
  const gateway = await house.start(probed(house.gatewayProgram(config), heapFile));
  const path = house.socket(gateway.ready.share_token ?? '');
  await many(path, warmUp);
  const before = await held(gateway.pid, heapFile);
  await many(path, sessions);
  return { before, after: await held(gateway.pid, heapFile, before) };
}

async function many(path: string, count: number): Promise<void> {
  let left = count;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await one(path, left % 2 === 0);
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lane));
}

/** A whole session, by hand. */
async function one(path: string, link: boolean): Promise<void> {
  const socket = connect(path);
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const closed = once(socket, 'close');
  const say = (text: string): void => void socket.write(`${text}\n`);
  const until = async (wanted: string): Promise<void> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the session ended before ${wanted}`);
      if (String(value).includes(wanted)) return;
    }
  };
  const request = (id: number, method: string, params: object): void =>
    say(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  if (link) {
    const hello = { link: null, got: 0, session: randomBytes(16).toString('hex'), by: 'churn/1' };
    say(`MCP-LINK/1 ${JSON.stringify(hello)}`);
    await until('MCP-LINK/1');
  }
  const clientInfo = { name: 'churn', version: '1' };
  request(1, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
  await until('"id":1');
  say('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  request(2, 'tools/call', { name: 'echo', arguments: { nonce: 'x' } });
  await until('"id":2');
  if (link) say('!close {"code":"done"}');
  socket.end();
  socket.resume();
  await closed;
}

/** What is held at rest: asked again until descriptors and timers are as `wanted`, or for a while. */
async function held(pid: number, heapFile: string, wanted?: Held): Promise<Held> {
  const until = Date.now() + SETTLE_MS;
  for (let last = ''; ; ) {
    const { heap, resources }: HeapSample = await sample(pid, heapFile);
    const now = { heap, resources, descriptors: await kindsOf(pid) };
    const rest = ({ resources, descriptors }: Held): string => JSON.stringify([resources, descriptors]);
    const fits = wanted === undefined ? rest(now) === last : rest(now) === rest(wanted) && heap <= wanted.heap * 1.1;
    if (fits || Date.now() > until) return now;
    last = rest(now);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
