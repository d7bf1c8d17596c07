// Calls with a key through a gateway that owns the servers: asked again, lost in the middle, allowed to run twice.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Ledger, type Message, parseMessage, requestMessage } from '@mcp-overlay/relay';
import type { SessionSettings } from '../../src/session/settings.ts';
import { memoryAuditLog } from '../../src/testing/index.ts';
import { openSession, type PlayedBackend, playedBackend, resultIn, SILENCE } from './one-session.ts';

async function openHouse(
  backends: readonly PlayedBackend[],
  mayRunTwice?: (tool: string) => boolean,
  more: Partial<SessionSettings> = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-once-'));
  const ledger = await Ledger.open({ folder: join(folder, 'ledger') });
  const house = openSession(backends, { ledger, onceSeconds: ledger.seconds, ...more });
  for (const { backend } of house.settings.backends) Object.assign(backend, { mayRunTwice });
  await house.shakeHands();
  await house.ask('tools/list');
  return {
    house,
    ledger,
    async call(id: string, number: number, name = 'echo'): Promise<Message> {
      house.client.send(requestMessage(id, 'tools/call', { name, arguments: { n: number } }, number));
      return house.until((message) => message.id === id);
    },
    async [Symbol.asyncDispose]() {
      await house[Symbol.asyncDispose]();
      await ledger.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const calls = ({ servers }: PlayedBackend): number =>
  servers.flatMap(({ got }) => got).filter(({ method }) => method === 'tools/call').length;
const errorIn = (message: Message) =>
  (
    parseMessage(message) as {
      error?: { message: string; data?: { error?: string; key?: string; audit?: { seq: number } } };
    }
  ).error;

for (const ids of [['fs'], ['fs', 'db']]) {
  test(`a key that comes again is answered from memory (${ids.length} backends)`, async () => {
    const backends = ids.map((id) => playedBackend(id));
    await using once = await openHouse(backends);
    const name = ids.length > 1 ? 'fs__echo' : 'echo';
    const first = await once.call('"a"', 1, name);
    const again = await once.call('"b"', 1, name);
    assert.deepEqual(resultIn(again), resultIn(first));
    assert.equal(calls(backends[0] as PlayedBackend), 1);
    await once.call('"c"', 2, name);
    assert.equal(calls(backends[0] as PlayedBackend), 2);
  });
}

test('a server that is lost in the middle: nobody knows, and the key says so for ever', async () => {
  const fs = playedBackend('fs', (method, _params, server) => {
    if (method !== 'tools/call') return undefined;
    server.far.break();
    return SILENCE;
  });
  await using once = await openHouse([fs]);
  assert.equal(errorIn(await once.call('"a"', 1))?.data?.error, 'outcome_unknown');
  const again = errorIn(await once.call('"b"', 1));
  assert.equal(again?.data?.error, 'outcome_unknown');
  assert.match(again?.data?.key ?? '', /:1$/);
  assert.equal(calls(fs), 1);
});

for (const ids of [['fs'], ['fs', 'db']]) {
  test(`who is told that nobody knows is told where that is on record (${ids.length} backends)`, async () => {
    const backends = ids.map((id) =>
      playedBackend(id, (method, _params, server) => {
        if (method !== 'tools/call') return undefined;
        server.far.break();
        return SILENCE;
      }),
    );
    const log = memoryAuditLog();
    await using once = await openHouse(backends, undefined, { audit: { log, receipts: true } });
    const name = ids.length > 1 ? 'fs__echo' : 'echo';
    for (const id of ['"a"', '"b"']) {
      const { data } = errorIn(await once.call(id, 1, name)) ?? {};
      assert.equal(data?.error, 'outcome_unknown');
      const record = log.events[(data?.audit?.seq ?? 0) - 1] as { type: string; status?: string } | undefined;
      assert.deepEqual([record?.type, record?.status], ['call.outcome', 'unknown']);
    }
  });
}

test('a tool that may run twice runs again on the next server', async () => {
  let lost = 0;
  const fs = playedBackend('fs', (method, _params, server) => {
    if (method !== 'tools/call' || lost > 0) return undefined;
    lost += 1;
    server.far.break();
    return SILENCE;
  });
  await using once = await openHouse([fs], (tool) => tool === 'echo');
  assert.equal(resultIn(await once.call('"a"', 1)).by, 'fs');
  assert.equal(calls(fs), 2);
});

test('calls of clients that give them no numbers never meet in the ledger', async () => {
  const fs = playedBackend('fs');
  await using once = await openHouse([fs]);
  for (let n = 0; n < 3; n += 1) await once.house.ask('tools/call', { name: 'echo', arguments: {} });
  assert.equal(calls(fs), 3);
  assert.equal(once.ledger.size.outcomes, 3);
});
