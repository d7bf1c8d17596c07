// Our client at both ends while the network is slow, late, mixed up or in pieces: every byte arrives, in order, and ends are ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ZitiConnection } from '../../src/edge/connection.ts';
import type { Faults, TestNetworkOptions } from '../../src/testing/index.ts';
import { onNetwork } from '../context/network.ts';
import { digest, pour } from '../streams.ts';

const timeout = 60_000;
const CONNECTIONS = 6;

const TROUBLES: Readonly<Record<string, { readonly bytes: number; set(faults: Faults): void }>> = {
  nothing: { bytes: 400_000, set: () => {} },
  'writes of one byte': { bytes: 1_500, set: (faults) => faults.writes({ splitBytes: 1 }) },
  'writes of 997 bytes': { bytes: 150_000, set: (faults) => faults.writes({ splitBytes: 997 }) },
  'writes that wait for others': { bytes: 400_000, set: (faults) => faults.writes({ joinMs: 5 }) },
  'a delay': { bytes: 400_000, set: (faults) => faults.delay(15) },
  'frames that overtake those of other connections': { bytes: 400_000, set: (faults) => faults.reorder(true) },
  'a narrow line': { bytes: 60_000, set: (faults) => faults.slow(2_000_000) },
};

const NETWORKS: Readonly<Record<string, TestNetworkOptions>> = {
  'one router': {},
  'two routers': { routers: 2 },
  WebSockets: { wssOnly: true },
};

for (const [where, options] of Object.entries(NETWORKS)) {
  for (const [what, { bytes, set }] of Object.entries(TROUBLES)) {
    test(`${where}, ${what}: ${CONNECTIONS} connections carry all they are given both ways, and their ends`, {
      timeout,
    }, async () => {
      await using on = await onNetwork(options);
      on.net.addService('both');
      const [host, client] = [await on.open('host'), await on.open('client')];
      const accepted: Promise<unknown>[] = [];
      await host.listen('both', { onConnection: (connection) => accepted.push(exchange(connection, bytes)) });
      for (const router of on.net.routers) set(router.faults);
      const dialled = await Promise.all(
        Array.from({ length: CONNECTIONS }, async () =>
          exchange(await client.dial('both', { closeMeans: 'error' }), bytes),
        ),
      );
      const sums = (sides: readonly unknown[], side: 'sent' | 'got') =>
        sides.map((one) => (one as Record<string, { sha256: string }>)[side]?.sha256).sort();
      const hosts = await Promise.all(accepted);
      assert.deepEqual(sums(hosts, 'got'), sums(dialled, 'sent'));
      assert.deepEqual(sums(dialled, 'got'), sums(hosts, 'sent'));
      for (const router of on.net.routers) router.faults.clear();
    });
  }
}

async function exchange(connection: ZitiConnection, bytes: number) {
  const [sent, got] = await Promise.all([pour(connection, bytes), digest(connection)]);
  assert.equal(got.bytes, bytes);
  return { sent, got };
}
