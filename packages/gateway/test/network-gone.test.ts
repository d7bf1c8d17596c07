// The network is gone for longer than any link is kept, in the middle of a call: its answer is there soon after the network
// is, it ran once, and what the agent is told of the server's memory is true.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { parseGatewayConfig } from '@mcp-overlay/config';
import { tempOverlay } from '@mcp-overlay/overlay/testing';
import { dialShare, type Message, notificationMessage, requestMessage, SteadySession } from '@mcp-overlay/relay';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { startGateway } from '../src/gateway.ts';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const INIT = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'c', version: '1' } };

/** What an agent has between itself and the share, with a network that can be taken away. */
class Agent implements AsyncDisposable {
  readonly got: Message[] = [];
  readonly steady: SteadySession;
  gone = false;
  #connection: Duplex | undefined;
  #wake: () => void = () => {};

  constructor(dial: (signal: AbortSignal) => Promise<Duplex>) {
    const connect = async (signal: AbortSignal): Promise<Duplex> => {
      if (this.gone) throw new Error('the network is gone');
      this.#connection = await dial(signal);
      return this.#connection;
    };
    const session = randomBytes(16).toString('hex');
    const backoff = { minMs: 20, maxMs: 50 };
    this.steady = new SteadySession({
      name: 'share box',
      open: (events, signal) =>
        dialShare({ name: 'share box', connect, session, via: [], by: 't', events, signal, log, backoff }),
      backoff: { next: () => 20, note: () => {} },
      waitMs: 20_000,
      startMs: 20_000,
      unavailable: 'share_unreachable',
      numberCalls: true,
    });
    this.steady.start({
      message: (message) => {
        this.got.push(message);
        this.#wake();
      },
      fault: () => {},
      closed: () => {},
    });
  }

  async ask(id: string, method: string, params: object): Promise<string> {
    this.steady.send(requestMessage(id, method, params));
    return this.answer(id);
  }

  async answer(id: string): Promise<string> {
    for (;;) {
      const found = this.got.find((message) => message.kind === 'response' && message.id === id);
      if (found) return found.bytes.toString();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  take(): void {
    this.gone = true;
    this.#connection?.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.steady.close();
  }
}

for (const longer of [false, true]) {
  const until = longer ? 'ends, and the gateway has forgotten the session' : 'is still running';
  test(`a network that comes back when the call ${until}`, { timeout: 30_000 }, async () => {
    await using temp = await tempOverlay();
    await temp.overlay.createShare('box');
    const ledger = join(temp.home, 'executed.jsonl');
    const { command, args } = scriptedServer({ name: 'a', ledger });
    const file = join(temp.home, 'g.yml');
    const backends = JSON.stringify([{ id: 'a', transport: { type: 'stdio', command, args } }]);
    const { config } = parseGatewayConfig(`share: { token: box }\naudit: off\nbackends: ${backends}`, {
      file,
      env: {},
      cwd: temp.home,
    });
    const gateway = await startGateway({
      // A minute, in the file of nobody.
      config: { ...config, limits: { ...config.limits, linkClosedWindowMs: 200 } as typeof config.limits },
      overlay: temp.overlay,
      env: temp.env,
      version: 't',
      log,
      onLost: () => {},
    });
    try {
      await using agent = new Agent((signal) => temp.other.dial('box', { signal }));
      await agent.ask('0', 'initialize', INIT);
      agent.steady.send(notificationMessage('notifications/initialized'));
      const call = { name: 'act', arguments: { nonce: 'n', acts: [{ do: 'sleep', ms: 800 }] } };
      agent.steady.send(requestMessage('1', 'tools/call', call));
      while (!(await readFile(ledger, 'utf8').catch(() => '')).includes('"n"')) await wait(10);
      agent.take();
      if (longer) while ((await gateway.status()).sessions.length > 0) await wait(20);
      else await wait(400);
      const since = performance.now();
      agent.gone = false;
      assert.match(await agent.answer('1'), /"result"/);
      if (longer) assert.ok(performance.now() - since < 5000);
      const ran = (await readFile(ledger, 'utf8')).trim().split('\n');
      assert.equal(ran.filter((line) => line.includes('"event":"call"')).length, 1);
      await agent.ask('2', 'ping', {});
      const news = agent.got.flatMap(({ bytes }) => /backend a was restarted; [^"]*/.exec(bytes.toString()) ?? []);
      assert.deepEqual(news, longer ? ['backend a was restarted; what it held in memory is gone'] : []);
    } finally {
      await gateway.close();
    }
  });
}
