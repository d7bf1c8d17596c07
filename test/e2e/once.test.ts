// Kill -9 of whoever owns a server, with calls finished and calls in flight: asked again with the same keys, its successor
// gives what was stored, or says that nobody knows, and the server's own file shows that nothing ran twice. Spoken by hand
// over the link, so that what asks again is the test and nothing else.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { scriptedServer } from '../../packages/relay/src/testing/scripted-server.ts';
import { type Command, House, type Running } from './harness.ts';
import { type Json, LineClient, type RpcError } from './line-client.ts';

const INIT = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'by-hand', version: '1' } };
const SESSION = randomBytes(16).toString('hex');

interface Answer {
  readonly result?: { readonly content: readonly { readonly text: string }[] };
  readonly error?: RpcError;
}

/** A dialer of the link that numbers what it is told to. */
class ByHand implements AsyncDisposable {
  readonly client: LineClient;
  #nextId = 1;

  private constructor(client: LineClient) {
    this.client = client;
  }

  static async dial(socket: string, session = SESSION): Promise<{ hand: ByHand; welcome: Json }> {
    const client = await LineClient.connect(socket);
    client.write(`MCP-LINK/1 ${JSON.stringify({ link: null, got: 0, session, by: 'by-hand/1' })}`);
    const { raw } = await client.line(({ raw }) => raw.startsWith('MCP-LINK/1 '), 'first line of the host');
    const hand = new ByHand(client);
    const { error } = await hand.ask(undefined, 'initialize', INIT).answer;
    assert.equal(error, undefined);
    client.notify('notifications/initialized');
    return { hand, welcome: JSON.parse(raw.slice('MCP-LINK/1 '.length)) as Json };
  }

  ask(number: number | undefined, method: string, params: object): { readonly answer: Promise<Answer> } {
    const id = this.#nextId++;
    const from = this.client.lines.length;
    const key = number === undefined ? '' : `@${number} `;
    this.client.write(`${key}${JSON.stringify({ jsonrpc: '2.0', id, method, params })}`);
    const answer = this.client
      .line(({ value }) => value?.id === id && value.method === undefined, `answer to ${method} ${number}`, from)
      .then(({ value }) => value as Answer);
    answer.catch(() => {});
    return { answer };
  }

  call(number: number, name: string, args: Json = {}) {
    return this.ask(number, 'tools/call', { name, arguments: { nonce: `nonce-${number}`, ...args } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.ends.kill('SIGKILL');
  }
}

/** Calls of each nonce, from the server's own file. */
async function executed(file: string): Promise<Map<string, number>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const counts = new Map<string, number>();
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const { event, nonce } = JSON.parse(line) as { event: string; nonce: string };
    if (event === 'call') counts.set(nonce, (counts.get(nonce) ?? 0) + 1);
  }
  return counts;
}

async function untilExecuted(file: string, nonces: readonly string[]): Promise<void> {
  for (;;) {
    const ran = await executed(file);
    if (nonces.every((nonce) => ran.has(nonce))) return;
    await wait(10);
  }
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);

type Owner = (
  house: House,
  server: readonly string[],
) => Promise<{ readonly share: string; readonly program: Command }>;

const OWNERS: Readonly<Record<string, Owner>> = {
  bridge: async (house, server) => {
    const share = await house.createShare('once-bridge');
    return { share, program: house.program('bridge', '--overlay', 'local', '--share-token', share, '--', ...server) };
  },
  gateway: async (house, [command = '', ...args]) => {
    const share = await house.createShare('once-gateway');
    const backends = [{ id: 'owned', transport: { type: 'stdio', command, args } }];
    return { share, program: house.gatewayProgram(await house.config(backends, { share: { token: share } })) };
  },
};

for (const [name, owner] of Object.entries(OWNERS)) {
  test(`kill -9 of a ${name}: its successor gives what was stored, or says that nobody knows`, async () => {
    await using house = await House.open();
    const ledger = join(house.home, 'executed.jsonl');
    const { command, args } = scriptedServer({ ledger });
    const { share, program } = await owner(house, [command, ...args]);
    let running: Running = await house.start(program);
    const first = await ByHand.dial(house.socket(share));
    assert.equal(first.welcome.once, 3600);
    const stored = new Map<number, string>();
    for (const number of numbers(1, 20)) {
      const { result } = await first.hand.call(number, 'echo', { payload: `p${number}` }).answer;
      stored.set(number, JSON.stringify(result));
    }
    for (const number of numbers(21, 28)) first.hand.call(number, 'hang');
    await untilExecuted(
      ledger,
      numbers(21, 28).map((number) => `nonce-${number}`),
    );
    await running.end('SIGKILL');

    running = await house.start(program);
    await using second = (await ByHand.dial(house.socket(share))).hand;
    for (const number of numbers(1, 20)) {
      const { result } = await second.call(number, 'echo', { payload: `p${number}` }).answer;
      assert.equal(JSON.stringify(result), stored.get(number), `${number}`);
    }
    for (const number of numbers(21, 28)) {
      const { error } = await second.call(number, 'hang').answer;
      assert.equal(error?.data?.error, 'outcome_unknown', `${number}`);
      assert.match(String(error?.data?.key), new RegExp(`:${number}$`));
    }
    const { result } = await second.call(29, 'echo').answer;
    assert.ok(result);
    assert.deepEqual(
      [...(await executed(ledger)).values()].filter((times) => times !== 1),
      [],
    );
    assert.equal((await executed(ledger)).size, 29);
    await first.hand[Symbol.asyncDispose]();
  });
}

test('kills at any moment: each key runs at most once, and what was answered stays the answer', async () => {
  await using house = await House.open();
  const ledger = join(house.home, 'executed.jsonl');
  const { command, args } = scriptedServer({ ledger });
  const { share, program } = await (OWNERS.bridge as Owner)(house, [command, ...args]);
  const answered = new Map<number, string>();
  let number = 0;
  /** Without an answer when a bridge was killed: of these alone nobody may know. */
  const inFlight = new Set<number>();
  for (let round = 0; round < 4; round += 1) {
    const running = await house.start(program);
    const { hand } = await ByHand.dial(house.socket(share));
    // Everything of the rounds before, then new ones until the kill.
    for (const before of numbers(1, number)) {
      const { result, error } = await hand.call(before, 'echo').answer;
      if (error) assert.equal(error.data?.error, 'outcome_unknown');
      if (error) assert.ok(inFlight.has(before), `${before} was answered, and is unknown now`);
      const known = answered.get(before);
      if (known !== undefined && result !== undefined) assert.equal(JSON.stringify(result), known);
      if (result) answered.set(before, JSON.stringify(result));
    }
    let asking = true;
    const note = (asked: number, answer: Promise<Answer>): Promise<void> =>
      answer.then(
        ({ result }) => {
          if (result) answered.set(asked, JSON.stringify(result));
        },
        () => {},
      );
    const load = (async () => {
      while (asking) {
        for (let at = 0; at < 4; at += 1) {
          number += 1;
          void note(number, hand.call(number, 'echo').answer);
        }
        await wait(2);
      }
    })();
    for (const enough = answered.size + 10; answered.size < enough; ) await wait(5);
    await wait(Math.random() * 20);
    await running.end('SIGKILL');
    asking = false;
    await load;
    for (const asked of numbers(1, number)) if (!answered.has(asked)) inFlight.add(asked);
    await hand[Symbol.asyncDispose]();
  }
  const ran = await executed(ledger);
  assert.deepEqual(
    [...ran].filter(([, times]) => times !== 1),
    [],
  );
  assert.ok(answered.size > 20, `${answered.size} answers`);
  for (const asked of answered.keys()) assert.ok(ran.has(`nonce-${asked}`), `${asked} was answered and never ran`);
});

test('a call that runs at the gateway that is replaced is waited for by its successor, and runs once', async () => {
  await using house = await House.open();
  const ledger = join(house.home, 'executed.jsonl');
  const { command, args } = scriptedServer({ ledger });
  const share = await house.createShare('once-replaced');
  const config = await house.config([{ id: 'owned', transport: { type: 'stdio', command, args } }], {
    share: { token: share },
  });
  const old = await house.start(house.gatewayProgram(config));
  const first = (await ByHand.dial(house.socket(share))).hand;
  await first.call(1, 'echo').answer;
  first.call(2, 'sleep', { ms: 3000 });
  await untilExecuted(ledger, ['nonce-2']);
  // The way is lost, without a word: the session stays, and its call.
  await first[Symbol.asyncDispose]();
  const next = house.start(house.gatewayProgram(config, '--replace'));
  await next;
  await using second = (await ByHand.dial(house.socket(share))).hand;
  assert.ok((await second.call(1, 'echo').answer).result);
  const slept = await second.call(2, 'sleep', { ms: 3000 }).answer;
  assert.ok(slept.result, JSON.stringify(slept.error));
  assert.deepEqual([...(await executed(ledger)).entries()].sort(), [
    ['nonce-1', 1],
    ['nonce-2', 1],
  ]);
  await old.end();
});
