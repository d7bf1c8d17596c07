// Everything goes wrong by turns while connections come and go. Whatever happens, a connection gives back exactly what went in
// or ends with an error: nothing is lost, doubled or moved without a word. And when it is over, all is well again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ZitiContext } from '../../src/context.ts';
import { ZitiError } from '../../src/errors.ts';
import type { TestNetwork, TestNetworkOptions } from '../../src/testing/index.ts';
import { Random } from '../../src/testing/random.ts';
import { onNetwork, QUICK } from '../context/network.ts';
import { comesBack, echoMessages } from './messages.ts';

const timeout = 120_000;
const STORM_MS = Number(process.env.ZITI_STORM_MS ?? 1_500);
const CALLERS = 6;
const GUST = 8;

const NETWORKS: Readonly<Record<string, TestNetworkOptions>> = {
  'legacy logins': { routers: 2 },
  'OIDC, two controllers, WebSockets': { routers: 2, login: 'oidc', controllers: 2, wss: true, wssOnly: true },
};

for (const [what, options] of Object.entries(NETWORKS)) {
  test(`a storm over ${what}`, { timeout }, async (t) => {
    const seed = Number(process.env.ZITI_STORM_SEED ?? Date.now() % 2 ** 31);
    t.diagnostic(`ZITI_STORM_SEED=${seed}`);
    await using on = await onNetwork(options);
    on.net.addService('echo');
    const [host, client] = [await on.open('host', { timing: QUICK }), await on.open('client', { timing: QUICK })];
    await host.listen('echo', { onConnection: (connection) => void echoMessages(connection) });
    const over = new AbortController();
    const tally = new Tally();
    const callers = Array.from({ length: CALLERS }, (_, at) => call(client, new Random(seed + at), tally, over.signal));
    await Promise.race([storm(on.net, new Random(seed), tally), ...callers]);
    over.abort();
    await Promise.all(callers);
    t.diagnostic(`${tally.back} messages came back, ${tally.failed} connections or dials failed`);
    await fairWeather(client);
  });
}

/** What callers saw. */
class Tally {
  back = 0;
  failed = 0;
  #waiting: (() => void)[] = [];

  cameBack(): void {
    this.back += 1;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves with the next message that comes back. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** Dials, exchanges messages, closes, over and over. */
async function call(client: ZitiContext, random: Random, tally: Tally, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    try {
      const connection = await client.dial('echo', { closeMeans: 'error', timeoutMs: 3_000 });
      try {
        for (let messages = 1 + random.below(5); messages > 0; messages -= 1) {
          assert.ok(await comesBack(connection, 1 + random.below(60_000)), 'other bytes came back');
          tally.cameBack();
        }
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        // A stream that ended in the middle of a message has to say that it was no end.
        assert.ok(connection.errored instanceof ZitiError, `ended without an error: ${error}`);
        throw connection.errored;
      } finally {
        connection.destroy();
      }
    } catch (error) {
      if (!(error instanceof ZitiError)) throw error;
      tally.failed += 1;
    }
  }
}

async function storm(net: TestNetwork, random: Random, tally: Tally): Promise<void> {
  const pick = <T>(all: readonly T[]): T | undefined => all[random.below(all.length)];
  const moment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5 + random.below(40)));
  const troubles: readonly (() => Promise<void> | void)[] = [
    async () => {
      const router = pick(net.routers);
      await router?.kill();
      await moment();
      await router?.start();
    },
    async () => {
      const controller = pick(net.controllers);
      await controller?.stop();
      await moment();
      await controller?.start();
    },
    () => pick(net.routers.flatMap(({ channels }) => channels))?.cut(),
    () => pick(net.routers.flatMap(({ channels }) => channels))?.reset(),
    async () => {
      const faults = pick(net.routers)?.faults;
      faults?.halfOpen(true);
      await moment();
      faults?.halfOpen(false);
    },
    () => pick(net.routers)?.faults.writes({ splitBytes: 1 + random.below(2000) }),
    () => pick(net.routers)?.faults.writes(undefined),
    () => pick(net.routers)?.faults.delay(random.below(10)),
    () => pick(net.routers)?.faults.reorder(random.below(2) === 0),
    () => net.deleteServiceSessions({ service: 'echo' }),
    () => net.expireApiSessions(pick(['host', 'client']) ?? 'host'),
  ];
  const end = performance.now() + STORM_MS;
  for (let count = 1; performance.now() < end; count += 1) {
    await pick(troubles)?.();
    // Between gusts something gets through, however slow the machine.
    await (count % GUST === 0 ? tally.next() : moment());
  }
  for (const router of net.routers) router.faults.clear();
}

/** Within some attempts a dial works and stays working. */
async function fairWeather(client: ZitiContext): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      const connection = await client.dial('echo');
      assert.ok(await comesBack(connection, 100_000));
      connection.destroy();
      return;
    } catch (error) {
      if (!(error instanceof ZitiError) || performance.now() > deadline) throw error;
    }
  }
}
