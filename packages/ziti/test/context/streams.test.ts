// Connections over a whole network: bytes, ends, many at once, slow readers.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { ZitiConnection } from '../../src/edge/connection.ts';
import { coded, digest, everything, over, pour } from '../streams.ts';
import { echo, echoed, joined, onNetwork } from './network.ts';

const MiB = 1024 * 1024;
const timeout = 120_000;

test('what a dialer sends along arrives with it, and both ends have the same binding', async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  on.net.addService('plain', { encryption: false });
  const host = await on.open('host');
  const client = await on.open('client');
  const arrived: ZitiConnection[] = [];
  const onConnection = (connection: ZitiConnection) => void arrived.push(connection);
  await host.listen('echo', { onConnection });
  await host.listen('plain', { onConnection });
  const secret = await client.dial('echo', { appData: Buffer.from('{"dst_port":"80"}') });
  const plain = await client.dial('plain');
  const [first, second] = arrived;
  assert.equal(first?.remoteIdentity, 'client');
  assert.equal(String(first?.appData), '{"dst_port":"80"}');
  assert.equal(first?.circuitId, secret.circuitId);
  assert.equal(secret.binding?.length, 32);
  assert.deepEqual(first?.binding, secret.binding);
  assert.deepEqual([second?.binding, plain.binding, second?.appData], [null, null, undefined]);
});

for (const encryption of [true, false]) {
  const kind = encryption ? 'encrypted' : 'plain';

  test(`${kind}: each end can end its half and still hear the other`, { timeout }, async () => {
    for (const [near, far] of [
      ['dialled', 'accepted'],
      ['accepted', 'dialled'],
    ] as const) {
      await using on = await onNetwork();
      on.net.addService('echo', { encryption });
      const pair = await joined(on);
      const asked = everything(pair[far]);
      pair[near].end('question');
      assert.equal(String(await asked), 'question');
      const answered = everything(pair[near]);
      pair[far].end('answer');
      assert.equal(String(await answered), 'answer');
      assert.deepEqual(await Promise.all([over(pair.dialled), over(pair.accepted)]), [undefined, undefined]);
      await on.net.until(() => on.net.circuits.length === 0);
    }
  });

  test(`${kind}: 64 MiB each way at once arrive unchanged`, { timeout }, async () => {
    await using on = await onNetwork();
    on.net.addService('echo', { encryption });
    const { dialled, accepted } = await joined(on);
    const received = [digest(dialled), digest(accepted)];
    const sent = await Promise.all([pour(accepted, 64 * MiB), pour(dialled, 64 * MiB)]);
    assert.deepEqual(await Promise.all(received), sent);
  });

  test(`${kind}: 200 connections at once carry their bytes there and back, each its own`, { timeout }, async () => {
    const size = Number(process.env.ZITI_ECHO_BYTES ?? 128 * 1024);
    await using on = await onNetwork();
    on.net.addService('echo', { encryption });
    const host = await on.open('host');
    const client = await on.open('client');
    await host.listen('echo', { onConnection: echo });
    const one = async (): Promise<void> => {
      const connection = await client.dial('echo');
      const payload = randomBytes(size);
      const back = digest(connection);
      connection.end(payload);
      const sha256 = createHash('sha256').update(payload).digest('hex');
      assert.deepEqual(await back, { bytes: size, sha256 });
      assert.equal(await over(connection), undefined);
    };
    await Promise.all(Array.from({ length: 200 }, one));
    await on.net.until(() => on.net.circuits.length === 0);
    assert.equal(client.status().connections, 0);
  });
}

test('a reader that stops makes the writer stop with bounded memory, and nothing is lost', { timeout }, async () => {
  for (const [near, far] of [
    ['dialled', 'accepted'],
    ['accepted', 'dialled'],
  ] as const) {
    await using on = await onNetwork();
    on.net.addService('echo');
    const pair = await joined(on);
    const total = 96 * MiB;
    const chunk = randomBytes(64 * 1024);
    let written = 0;
    const writing = (async () => {
      for (; written < total; written += chunk.length) {
        if (!pair[near].write(chunk)) await once(pair[near], 'drain');
      }
      pair[near].end();
    })();
    await steady(() => written);
    assert.ok(written < total / 2, `${written} bytes were taken while nobody read`);
    assert.ok(pair[far].readableLength < 6 * MiB, `${pair[far].readableLength} bytes wait for the reader`);
    const { bytes } = await digest(pair[far]);
    await writing;
    assert.equal(bytes, total);
  }
});

test('a slow reader gets everything', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { dialled, accepted } = await joined(on);
  const sending = pour(accepted, 12 * MiB);
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of dialled.iterator({ destroyOnReturn: false })) {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes % 9 === 0) await pause(5);
  }
  assert.deepEqual({ bytes, sha256: hash.digest('hex') }, await sending);
});

test('who does not read at all holds nobody up for long, is given up with a reason, and the rest goes on', {
  timeout,
}, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host', { timing: { pauseMs: 100 } });
  const client = await on.open('client');
  const arrived: ZitiConnection[] = [];
  await host.listen('echo', {
    onConnection: (connection) => {
      arrived.push(connection);
      if (arrived.length > 1) echo(connection);
    },
  });
  const flooding = await client.dial('echo');
  const good = await client.dial('echo');
  const flood = randomBytes(MiB);
  const stopped = over(flooding);
  const pump = (async () => {
    while (!flooding.destroyed) if (!flooding.write(flood)) await Promise.race([once(flooding, 'drain'), stopped]);
  })().catch(() => {});
  const [deaf] = arrived;
  assert.ok(deaf);
  const error = await over(deaf);
  assert.ok(coded('reader_too_slow')(error), String(error));
  assert.match(String(error), /echo.*waited for a reader/);
  assert.equal(await echoed(good, 'still here'), 'still here');
  (await client.dial('echo')).destroy();
  flooding.destroy();
  await pump;
});

test('a dialled connection that nobody reads is given up, too: its host could not serve others otherwise', {
  timeout,
}, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const client = await on.open('client', { timing: { pauseMs: 100 } });
  const host = await on.open('host');
  let callers = 0;
  await host.listen('echo', {
    onConnection: (connection) => {
      callers += 1;
      if (callers === 1) pour(connection, 96 * MiB).catch(() => {});
      else echo(connection);
    },
  });
  const idle = await client.dial('echo');
  assert.ok(coded('reader_too_slow')(await over(idle)));
  assert.equal(await echoed(await client.dial('echo'), 'quick'), 'quick');
});

test('both ends that never stop writing at once, over links between two routers', { timeout }, async () => {
  await using on = await onNetwork({ routers: 2 });
  const [one, two] = on.net.routers;
  on.net.addService('echo');
  assert.ok(one && two);
  const { dialled, accepted } = await joined(on);
  const received = [digest(dialled), digest(accepted)];
  const sent = await Promise.all([pour(accepted, 8 * MiB), pour(dialled, 8 * MiB)]);
  assert.deepEqual(await Promise.all(received), sent);
});

test('over WebSockets it is the same', { timeout }, async () => {
  await using on = await onNetwork({ wssOnly: true });
  on.net.addService('echo');
  const { dialled, accepted } = await joined(on);
  const received = digest(accepted);
  assert.deepEqual(await pour(dialled, 4 * MiB), await received);
});

/** Resolves once the number has stopped changing. Looking too early can only make a test pass, never fail. */
async function steady(value: () => number): Promise<void> {
  for (let before = -1, same = 0; same < 10; ) {
    await pause(10);
    same = value() === before ? same + 1 : 0;
    before = value();
  }
}
