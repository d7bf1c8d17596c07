// Any order of writes, ends, closes, losses, pauses and late frames: nothing is changed, doubled or kept, and it always ends.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { loadSodium, type Sodium } from '../../src/crypto/sodium.ts';
import { type ScriptedPair, scriptedPair } from '../../src/testing/scripted-pair.ts';
import { over } from '../streams.ts';

type Side = 'dialer' | 'host';
const SIDES = ['dialer', 'host'] as const;

type Action =
  | { readonly do: 'write'; readonly side: Side; readonly bytes: number }
  | { readonly do: 'end' | 'close' | 'pause' | 'resume' | 'step' | 'jam' | 'room'; readonly side: Side }
  | { readonly do: 'turn' };

const side = fc.constantFrom(...SIDES);
const gentle: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constant('write' as const), side, bytes: fc.integer({ min: 0, max: 40_000 }) }),
  fc.record({ do: fc.constantFrom('step', 'step', 'pause', 'resume', 'jam', 'room', 'end' as const), side }),
  fc.constant({ do: 'turn' as const }),
);
const rude: fc.Arbitrary<Action> = fc.oneof(
  { weight: 9, arbitrary: gentle },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), side }) },
);

/** What one side wrote, and what the other one read of it. */
interface Traffic {
  readonly written: Buffer[];
  readonly read: Buffer[];
}

async function play(pair: ScriptedPair, actions: readonly Action[]): Promise<{ dialer: Traffic; host: Traffic }> {
  const records = { dialer: { written: [], read: [] } as Traffic, host: { written: [], read: [] } as Traffic };
  for (const name of SIDES) pair[name].connection.on('data', (chunk) => records[name].read.push(chunk)).pause();
  let seed = 0;
  for (const action of actions) {
    if (action.do === 'turn') await turn();
    else if (action.do === 'step') pair.step(action.side);
    else {
      const { connection, channel } = pair[action.side];
      if (action.do === 'write' && !connection.writableEnded && !connection.destroyed) {
        seed += 1;
        const chunk = bytesOf(seed, action.bytes);
        records[action.side].written.push(chunk);
        connection.write(chunk, () => {});
      }
      if (action.do === 'end' && !connection.destroyed) connection.end();
      if (action.do === 'close') connection.close();
      if (action.do === 'pause') connection.pause();
      if (action.do === 'resume') connection.resume();
      if (action.do === 'jam') channel.setWritable(false);
      if (action.do === 'room') channel.setWritable(true);
    }
  }
  return records;
}

/** Everything may go on, and both ends say that they are done. */
async function finish(pair: ScriptedPair): Promise<(Error | undefined)[]> {
  for (const name of SIDES) {
    pair[name].channel.setWritable(true);
    pair[name].connection.resume();
    if (!pair[name].connection.destroyed) pair[name].connection.end();
  }
  pair.flow();
  return Promise.all(SIDES.map((name) => over(pair[name].connection)));
}

for (const encrypted of [true, false]) {
  const kind = encrypted ? 'encrypted' : 'plain';

  test(`${kind}: as long as nobody closes, both read what was written and part without an error`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(gentle, { maxLength: 60 }), async (actions) => {
        const pair = await scriptedPair({ encrypted, held: true, closeMeans: 'error' });
        const records = await play(pair, actions);
        assert.deepEqual(await finish(pair), [undefined, undefined]);
        assert.ok(Buffer.concat(records.dialer.written).equals(Buffer.concat(records.host.read)));
        assert.ok(Buffer.concat(records.host.written).equals(Buffer.concat(records.dialer.read)));
        assertForgotten(pair);
      }),
      { numRuns: 150 },
    );
  });

  test(`${kind}: whoever closes whenever, what is read is a beginning of what was written, and all is given back`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(rude, { maxLength: 60 }), fc.boolean(), async (actions, lost) => {
        const { sodium, live } = counting(await loadSodium({ native: 'never' }));
        const pair = await scriptedPair({ encrypted, held: true, sodium });
        const records = await play(pair, actions);
        if (lost) await Promise.all([pair.dialer.channel.end('router'), pair.host.channel.end('router')]);
        await finish(pair);
        assertBeginning(records.dialer.written, records.host.read);
        assertBeginning(records.host.written, records.dialer.read);
        assertForgotten(pair);
        assert.equal(live(), 0, 'states of streams that were not given back');
      }),
      { numRuns: 150 },
    );
  });
}

function assertBeginning(written: Buffer[], read: Buffer[]): void {
  const [all, part] = [Buffer.concat(written), Buffer.concat(read)];
  assert.ok(all.subarray(0, part.length).equals(part), `${part.length} of ${all.length} bytes`);
}

function assertForgotten({ dialer, host }: ScriptedPair): void {
  for (const { edge, channel } of [dialer, host]) {
    assert.equal(edge.connections, 0);
    assert.equal(edge.gate.unreadBytes, 0);
    assert.equal(channel.waiters, 0);
  }
}

function bytesOf(seed: number, length: number): Buffer {
  const block = createHash('sha256').update(String(seed)).digest();
  return Buffer.alloc(length, block);
}

function counting(sodium: Sodium): { sodium: Sodium; live: () => number } {
  let live = 0;
  const counted: Sodium = {
    ...sodium,
    initPush(key) {
      live += 1;
      return sodium.initPush(key);
    },
    initPull(header, key) {
      live += 1;
      return sodium.initPull(header, key);
    },
    free(state) {
      live -= 1;
      sodium.free(state);
    },
  };
  return { sodium: counted, live: () => live };
}
